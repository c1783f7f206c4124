"""model/animation.py: the box under rotation, to share."""

import io

import numpy as np
import pytest
from PIL import Image

from model.augment import AugmentConfig
from model.data.samples import PhotoLibrary
from model.errors import UserError
from model.inspect.animation import MAX_BYTES, box_animation


def frames_of(packed: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(packed)) as animation:
        assert animation.format == "WEBP"
        frames = []
        for number in range(animation.n_frames):
            animation.seek(number)
            frames.append(np.asarray(animation.convert("RGB"), dtype=int))
        return frames


def differ(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).mean())


def red_block(size=(300, 200), box=(100, 60, 220, 140)) -> Image.Image:
    photo = Image.new("RGB", size, (120, 120, 120))
    photo.paste((200, 30, 30), box)
    return photo


@pytest.mark.parametrize("box", [(), (5, 5, 5, 9), (500, 500, 600, 600)])
def test_bad_boxes_are_refused_in_words(box):
    with pytest.raises(UserError, match="the box"):
        box_animation(red_block(), box, AugmentConfig())


def test_it_swings_both_ways_and_back():
    config, middle = AugmentConfig(rotation_degrees=30), (90, 60, 210, 140)
    frames = frames_of(box_animation(red_block(box=middle), middle, config))
    assert len(frames) == 24
    assert frames[0].shape == (226, 300, 3)
    photos = [frame[:200] for frame in frames]
    # Farthest at a quarter and at three quarters, at rest at the beginning and halfway.
    assert differ(photos[0], photos[12]) < 2
    assert differ(photos[0], photos[6]) > 5
    assert differ(photos[6], photos[18]) > 5
    # A block in the middle is its own mirror; lines are a pixel off, and WebP loses a little.
    assert differ(photos[6], photos[18][:, ::-1]) < differ(photos[6], photos[18]) / 2


def test_the_boxes_are_those_of_the_pixels():
    config = AugmentConfig(rotation_degrees=30)
    box = (100, 60, 220, 140)
    hardest = frames_of(box_animation(red_block(box=box), box, config))[6]
    amber = np.abs(hardest[:200] - (245, 158, 11)).sum(axis=2) < 90
    ys, xs = np.nonzero(amber)
    # A 120 x 80 block turned by 30 degrees: a hull of 143.9 x 129.3 about (158.7, 95).
    for found, expected in zip(
        (xs.min(), ys.min(), xs.max(), ys.max()), (86.7, 30.4, 230.6, 159.6), strict=True
    ):
        assert abs(found - expected) <= 5


def test_no_rotation_set_still_shows_something():
    config = AugmentConfig.none()
    frames = frames_of(box_animation(red_block(), (100, 60, 220, 140), config))
    assert differ(frames[0], frames[6]) > 5


@pytest.mark.parametrize("size", [(3, 900), (900, 3), (8, 8)])
def test_odd_shapes(size):
    photo = Image.new("RGB", size, (10, 200, 10))
    frames = frames_of(box_animation(photo, (0, 0, *size), AugmentConfig()))
    assert max(frames[0].shape) <= 480


def test_it_is_small_also_for_noise():
    noise = np.random.default_rng(0).integers(0, 255, (900, 900, 3), dtype=np.uint8)
    packed = box_animation(Image.fromarray(noise), (100, 100, 800, 700), AugmentConfig())
    assert len(packed) < MAX_BYTES


def test_a_photo_is_kept_at_its_best():
    photo = PhotoLibrary(None).get("dog")
    packed = box_animation(
        Image.open(photo.path), photo.largest.bbox_xyxy, AugmentConfig(rotation_degrees=30)
    )
    assert len(packed) < MAX_BYTES
    assert max(frames_of(packed)[0].shape) == 480
