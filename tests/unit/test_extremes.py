"""model/inspect/variants.py: each setting alone at its extremes."""

import numpy as np
import pytest
import torch
from conftest import step_of
from PIL import Image

from model.augment import AugmentConfig, Pipeline
from model.errors import UserError
from model.inspect.variants import extremes

BOX = (30.0, 20.0, 110.0, 80.0)
ALL = AugmentConfig(
    flip_probability=0.2, rotation_degrees=30, zoom=1.5, brightness=0.4, contrast=0.5,
    saturation=0.6, hue=0.1, box_rule="hull", min_visible=0.3,
)  # fmt: skip


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(40, 200, (100, 140, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def mean_grey(image: Image.Image) -> float:
    return float(np.asarray(image.convert("L")).mean())


def spread(image: Image.Image) -> float:
    return float(np.asarray(image.convert("L")).std())


def colourfulness(image: Image.Image) -> float:
    pixels = np.asarray(image, dtype=float)
    return float((pixels.max(axis=2) - pixels.min(axis=2)).mean())


@pytest.mark.parametrize("box", [(), (1, 2, 3), (5, 5, 5, 9), (500, 500, 600, 600)])
def test_bad_boxes_are_refused_in_words(photo, box):
    with pytest.raises(UserError, match="the box"):
        extremes(ALL, photo, box, 64)


def test_settings_that_are_off_yield_nothing(photo):
    assert extremes(AugmentConfig.none(), photo, BOX, 64) == []
    only_flip = AugmentConfig(**{**vars(AugmentConfig.none()), "flip_probability": 0.01})
    assert [e.caption for e in extremes(only_flip, photo, BOX, 64)] == ["mirrored"]


def test_the_row_names_every_extreme_in_order(photo):
    row = extremes(ALL, photo, BOX, 64)
    assert [e.caption for e in row] == [
        "mirrored", "-30°", "+30°", "zoomed in 1.5x", "zoomed out 1.5x", "darkest", "brightest",
        "lowest contrast", "highest contrast", "greyest", "most colour", "hue -0.1", "hue +0.1",
    ]  # fmt: skip
    assert [e.number for e in row] == list(range(1, 14))


def test_nothing_is_left_to_chance(photo):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = extremes(ALL, photo, BOX, 64)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    for a, b in zip(first, extremes(ALL, photo, BOX, 64), strict=True):
        assert np.array_equal(a.picture.image, b.picture.image)


def test_each_is_what_its_caption_says_and_nothing_else(photo):
    by_caption = {e.caption: e for e in extremes(ALL, photo, BOX, 64)}
    pictures = {caption: e.picture.image for caption, e in by_caption.items()}
    assert np.array_equal(pictures["mirrored"], np.asarray(photo)[:, ::-1])
    assert step_of(by_caption["+30°"], "rotation").params == {"angle": 30.0}
    assert step_of(by_caption["-30°"], "rotation").params == {"angle": -30.0}
    assert pictures["zoomed in 1.5x"].size == (93, 67)
    assert pictures["zoomed out 1.5x"].size == (210, 150)
    assert mean_grey(pictures["darkest"]) == pytest.approx(0.6 * mean_grey(photo), rel=0.02)
    assert mean_grey(pictures["brightest"]) > 1.2 * mean_grey(photo)
    assert spread(pictures["lowest contrast"]) < 0.6 * spread(photo)
    assert spread(pictures["highest contrast"]) > 1.2 * spread(photo)
    assert colourfulness(pictures["greyest"]) < 0.5 * colourfulness(photo)
    assert colourfulness(pictures["most colour"]) > 1.2 * colourfulness(photo)
    for caption in ("darkest", "greyest", "hue +0.1"):
        assert by_caption[caption].picture.bbox_xyxy.tolist() == list(BOX)
        assert by_caption[caption].canvas.growth == 0


def test_zoomed_in_shows_the_object_and_zoomed_out_the_whole_photo(photo):
    corner = (0.0, 60.0, 40.0, 100.0)
    by_caption = {e.caption: e for e in extremes(ALL, photo, corner, 64)}
    assert by_caption["zoomed in 1.5x"].canvas.visible == 1
    assert by_caption["zoomed out 1.5x"].canvas.visible == 1
    window = step_of(by_caption["zoomed out 1.5x"], "zoom").params
    assert window["left"] <= 0
    assert window["left"] + window["width"] >= 140
    assert window["top"] + window["height"] >= 100


def test_the_pipeline_can_draw_what_is_shown(photo):
    """Parameters are within what the transforms themselves draw from."""
    row = {e.caption: e for e in extremes(ALL, photo, BOX, 64)}
    drawn = [Pipeline(ALL, 64).plan((140, 100), torch.tensor([BOX]), s).params for s in range(300)]
    windows = [params["zoom"] for params in drawn]
    for side in ("width", "height"):
        assert step_of(row["zoomed in 1.5x"], "zoom").params[side] <= min(w[side] for w in windows)
        assert step_of(row["zoomed out 1.5x"], "zoom").params[side] >= max(w[side] for w in windows)
    angles = [params["rotation"]["angle"] for params in drawn]
    assert -30 <= min(angles) < -25
    assert 25 < max(angles) <= 30


def test_health_is_that_of_variants_and_lost_boxes_are_marked(photo):
    whole = (0.0, 0.0, 140.0, 100.0)
    strict = AugmentConfig(**{**vars(ALL), "min_visible": 0.9})
    by_caption = {e.caption: e for e in extremes(strict, photo, whole, 64)}
    assert by_caption["+30°"].canvas.growth > 0.5
    assert by_caption["+30°"].canvas.visible < 0.9
    assert not by_caption["+30°"].kept
    assert by_caption["mirrored"].kept
    assert by_caption["darkest"].kept


def test_half_a_turn_is_shown_once(photo):
    config = AugmentConfig(**{**vars(AugmentConfig.none()), "rotation_degrees": 180})
    assert [e.caption for e in extremes(config, photo, BOX, 64)] == ["+180°"]
