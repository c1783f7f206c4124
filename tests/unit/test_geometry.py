"""model/augment/geometry.py: photos and boxes through one matrix."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from model.augment.geometry import (
    areas,
    box_growth,
    clip,
    identities,
    move_boxes,
    overlap,
    scaling,
    visible_share,
    warp,
)
from model.augment.normalisation import MEAN_COLOUR
from model.augment.steps.perspective import Perspective
from model.augment.steps.rotation import Rotation
from model.augment.steps.shear import Shear

SIZE = (400, 300)
coordinate = st.floats(0, 300, width=32)
angles = st.floats(-180, 180)
shares = st.lists(st.floats(0, 0.5), min_size=8, max_size=8)


@st.composite
def boxes(draw):
    x1, y1 = draw(coordinate), draw(coordinate)
    w, h = draw(st.floats(1, 200, width=32)), draw(st.floats(1, 200, width=32))
    return np.array([x1, y1, x1 + w, y1 + h])


def turn(angle: float, size=SIZE) -> np.ndarray:
    return Rotation().matrix({"angle": angle}, size)


def perspective(corners, size=SIZE) -> np.ndarray:
    return Perspective().matrix({"corners": np.reshape(corners, (4, 2)).tolist()}, size)


def through(matrix: np.ndarray, x: float, y: float) -> tuple[float, float]:
    u, v, w = matrix @ (x, y, 1)
    return u / w, v / w


@given(boxes(), angles)
def test_hull_holds_all_four_turned_corners(box, angle):
    x1, y1, x2, y2 = box
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = []
    for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2)):
        dx, dy = x - 200, y - 150
        corners.append((200 + dx * cos + dy * sin, 150 - dx * sin + dy * cos))
    xs, ys = zip(*corners, strict=True)
    expected = [min(xs), min(ys), max(xs), max(ys)]
    assert move_boxes(box, turn(angle), "hull") == pytest.approx(expected, abs=1e-9)


@given(boxes(), st.floats(-90, 90))
def test_hull_is_torchvisions_where_nothing_is_clipped(box, angle):
    middle = box + 1800  # on a canvas so large that torchvision's clamping cuts nothing
    theirs = functional.rotate(
        tv_tensors.BoundingBoxes(
            torch.tensor(middle[None], dtype=torch.float32), format="XYXY", canvas_size=(4000, 4000)
        ),
        angle,
    )
    ours = move_boxes(middle, turn(angle, (4000, 4000)), "hull")
    assert ours == pytest.approx(theirs[0].tolist(), abs=0.05)


@given(boxes(), angles, shares)
def test_the_ellipse_is_bounded_exactly(box, angle, corners):
    """Against many points of it, also in perspective, where its middle is no longer the middle."""
    matrix = turn(angle) @ perspective(corners)
    t = np.linspace(0, 2 * math.pi, 20_001)
    x = (box[0] + box[2]) / 2 + (box[2] - box[0]) / 2 * np.cos(t)
    y = (box[1] + box[3]) / 2 + (box[3] - box[1]) / 2 * np.sin(t)
    u, v, w = matrix @ np.stack([x, y, np.ones_like(x)])
    if w.min() < 0.2:
        return  # beyond the photo the horizon is near
    expected = [(u / w).min(), (v / w).min(), (u / w).max(), (v / w).max()]
    assert move_boxes(box, matrix, "ellipse") == pytest.approx(expected, abs=1e-2, rel=1e-5)


@given(boxes(), angles)
def test_ellipse_lies_inside_the_hull_and_shares_its_centre(box, angle):
    hull, ellipse = (move_boxes(box, turn(angle), rule) for rule in ("hull", "ellipse"))
    assert (ellipse[:2] >= hull[:2] - 1e-6).all()
    assert (ellipse[2:] <= hull[2:] + 1e-6).all()
    assert hull[:2] + hull[2:] == pytest.approx(ellipse[:2] + ellipse[2:], abs=1e-6)


@given(boxes(), angles, st.floats(-30, 30), shares)
def test_there_and_back(box, angle, lean, corners):
    there = perspective(corners) @ Shear().matrix({"lean": lean, "slope": 5}, SIZE) @ turn(angle)
    back = np.linalg.inv(there)
    for x, y in (box[:2], box[2:]):
        u, v, w = there @ (x, y, 1)
        if abs(w) > 0.05:  # at the horizon a point is infinitely far away
            assert through(back, u / w, v / w) == pytest.approx((x, y), abs=1e-6)
    assert move_boxes(box, back @ there, "ellipse") == pytest.approx(box, abs=1e-4)


@given(boxes())
@pytest.mark.parametrize("rule", ["hull", "ellipse"])
def test_boxes_that_are_not_turned_are_exact(rule, box):
    box = box.astype(np.float32)
    assert np.abs(move_boxes(box, identities(1)[0], rule) - box).max() < 1e-8
    mirror = np.array([[-1.0, 0, 400], [0, 1, 0], [0, 0, 1]])
    wide = box.astype(np.float64)
    expected = np.array([400 - wide[2], wide[1], 400 - wide[0], wide[3]])
    found = move_boxes(box, mirror, rule)
    assert np.abs(found - expected).max() < 1e-8  # float32 has a last digit of 1e-5 there


@pytest.mark.parametrize(("angle", "iou"), [(0, 1.0), (10, 0.745), (15, 0.667), (30, 0.536)])
def test_hull_ellipse_iou_of_a_round_object(angle, iou):
    square = np.array([100.0, 100, 200, 200])
    hull, circle = (move_boxes(square, turn(angle), rule) for rule in ("hull", "ellipse"))
    assert overlap(hull, circle) == pytest.approx(iou, abs=5e-4)


def test_unknown_rule_is_named():
    with pytest.raises(ValueError, match="'tight'"):
        move_boxes(np.zeros(4), turn(5), "tight")


@pytest.mark.parametrize("factor", [(1, 1), (-1, 1), (3, 0.2)])
def test_mirroring_and_zooming_are_no_growth(factor):
    box = np.array([10.0, 20, 90, 60])
    for rule in ("hull", "ellipse"):
        assert float(box_growth(box, scaling(*factor), rule)) == pytest.approx(0, abs=1e-9)
    assert float(box_growth(np.array([0, 0, 9, 9]), turn(45), "hull")) == pytest.approx(1)
    growth = float(box_growth(np.array([0, 0, 9, 9]), turn(30), "ellipse"))
    assert growth == pytest.approx(0, abs=1e-9)


def test_the_share_that_is_left():
    size = np.array([100.0, 100])
    cut = np.array([[-50.0, 0, 50, 10], [200, 0, 300, 10], [0, 0, 100, 100], [5, 5, 5, 5]])
    assert visible_share(cut, size).tolist() == [0.5, 0, 1, 0]
    assert areas(clip(cut, size)).tolist() == [500, 0, 10_000, 0]


def smooth(width=200, height=150) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    waves = (np.sin(x / 30), np.cos(y / 25), np.sin((x + y) / 40))
    return Image.fromarray((128 + 100 * np.stack(waves, axis=-1)).astype(np.uint8))


def inner(image: Image.Image, margin=0.3) -> np.ndarray:
    w, h = image.size
    box = (int(w * margin), int(h * margin), int(w * (1 - margin)), int(h * (1 - margin)))
    return np.asarray(image.crop(box), dtype=float)


@settings(max_examples=25, deadline=None)
@given(st.floats(-20, 20), st.floats(-10, 10), st.floats(0.4, 1.5), st.floats(0.4, 1.5))
def test_one_warp_is_the_steps_one_after_the_other(angle, lean, across, down):
    photo, before = smooth(), (200, 150)
    size = max(1, round(200 * across)), max(1, round(150 * down))
    rotation, shear = turn(angle, before), Shear().matrix({"lean": lean, "slope": 0}, before)
    squeeze = scaling(size[0] / 200, size[1] / 150)
    once = warp(photo, squeeze @ shear @ rotation, size)
    each = warp(warp(warp(photo, rotation, before), shear, before), squeeze, size)
    difference = np.abs(inner(once) - inner(each))
    assert difference.mean() < 2
    assert difference.max() < 12


@pytest.mark.parametrize("size", [(1, 1), (200, 150), (64, 64), (300, 400), (90, 150)])
def test_an_upright_warp_is_pillows_resize(size):
    photo = smooth()
    expected = photo.resize(size, Image.Resampling.BILINEAR)
    matrix = scaling(size[0] / 200, size[1] / 150)
    assert warp(photo, matrix, size).tobytes() == expected.tobytes()


def test_a_quarter_turn_and_a_shift_move_whole_pixels():
    noise = np.random.default_rng(0).integers(0, 255, (150, 150, 3), dtype=np.uint8)
    photo = Image.fromarray(noise)
    turned = warp(photo, turn(90, (150, 150)), (150, 150))
    expected = Image.fromarray(np.rot90(noise).copy())
    assert np.abs(inner(turned) - inner(expected)).max() <= 1  # Pillow cuts fractions off
    shift = np.array([[1.0, 0, 10], [0, 1, -20], [0, 0, 1]])
    moved = np.asarray(warp(photo, shift, (150, 150)))
    assert np.array_equal(moved[:130, 10:], noise[20:, :140])
    assert (moved[130:] == MEAN_COLOUR).all()


def test_what_shrinks_is_averaged_not_skipped():
    """A fine checkerboard becomes grey; every other pixel of it would be black or white."""
    y, x = np.mgrid[:400, :400]
    board = Image.fromarray((((x + y) % 2) * 255).astype(np.uint8)).convert("RGB")
    small = warp(board, scaling(0.25, 0.25) @ turn(3, (400, 400)), (100, 100))
    assert inner(small).std() < 12
    assert inner(small).mean() == pytest.approx(127.5, abs=3)


@settings(max_examples=25, deadline=None)
@given(shares)
def test_pixels_and_points_go_the_same_way_in_perspective(corners):
    photo = Image.new("RGB", (200, 150))
    photo.paste((255, 255, 255), (70, 50, 130, 100))
    matrix = perspective(corners, (200, 150))
    white = np.asarray(warp(photo, matrix, (200, 150)).convert("L")) > 140
    ys, xs = np.nonzero(white)
    found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    expected = move_boxes(np.array([70, 50, 130, 100]), matrix, "hull")
    assert found == pytest.approx(expected.tolist(), abs=2)
