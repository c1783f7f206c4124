"""The box rules against something true: the boxes of turned shapes, read off their masks."""

import sys

import numpy as np
import pytest
from conftest import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st

from model.augment import geometry
from model.augment.geometry import move_boxes, overlap
from model.augment.steps.rotation import Rotation

sys.path.append(str(REPOSITORY / "scripts"))

from what_rotation_does import ELLIPSES, SHAPES, estimates, mask_box, rule_ious, shape_mask

PIXELS = 3  # a mask is off by as much as its own edges are: before and after it is turned
RECTANGLES = ("square", "bar 1 : 3")


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    """``(N, 2)`` points counter-clockwise about (500, 500); y points down."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return (points - 500) @ np.array([[cos, -sin], [sin, cos]]) + 500


def box_of(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


@pytest.mark.parametrize("angle", [-75, -20, 4, 10, 45, 90])
@pytest.mark.parametrize("name", SHAPES)
def test_the_hull_holds_every_shape_and_the_ellipse_rule_lies_within_the_hull(name, angle):
    mask, box = shape_mask(name)
    true = mask_box(mask.rotate(angle))
    moved = estimates(box, mask.width, angle)
    assert (moved["hull"][:2] <= true[:2] + PIXELS).all()
    assert (moved["hull"][2:] >= true[2:] - PIXELS).all()
    assert (moved["hull"][:2] <= moved["ellipse"][:2] + 1e-9).all()
    assert (moved["hull"][2:] >= moved["ellipse"][2:] - 1e-9).all()


@pytest.mark.parametrize("angle", [5, 15, 30, 45, 60])
def test_each_rule_is_exact_for_what_it_is_made_for(angle):
    for name in RECTANGLES:
        assert rule_ious(name, angle)["hull"] > 0.985
        assert rule_ious(name, angle)["ellipse"] < 0.97
    for name in ELLIPSES:
        assert rule_ious(name, angle)["ellipse"] > 0.985
        assert rule_ious(name, angle)["hull"] < 0.9


@pytest.mark.parametrize(("angle", "iou"), [(10, 0.745), (15, 0.667), (30, 0.536)])
def test_the_documented_figures_of_a_round_object(angle, iou):
    assert rule_ious("circle", angle)["hull"] == pytest.approx(iou, abs=0.006)


@pytest.mark.parametrize("name", ["bottle", "person", "car", "diamond", "triangle"])
def test_for_other_shapes_the_best_rule_is_never_far_off(name):
    for angle in (4, 10, 15):
        assert max(rule_ious(name, angle).values()) > 0.7


@given(
    st.lists(st.tuples(st.floats(300, 700), st.floats(300, 700)), min_size=3, max_size=12),
    st.floats(-180, 180),
)
def test_the_hull_holds_any_polygon_however_it_is_turned(corners, angle):
    points = np.array(corners)
    true = box_of(turned(points, angle))
    hull = move_boxes(box_of(points), Rotation().matrix({"angle": angle}, (1000, 1000)), "hull")
    assert (hull[:2] <= true[:2] + 1e-6).all()
    assert (hull[2:] >= true[2:] - 1e-6).all()


@given(
    st.floats(300, 700), st.floats(300, 700), st.floats(2, 250), st.floats(2, 250),
    st.floats(-180, 180),
)  # fmt: skip
def test_the_ellipse_rule_is_the_box_of_the_turned_ellipse(x, y, across, down, angle):
    around = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    points = np.stack([x + across * np.cos(around), y + down * np.sin(around)], axis=1)
    box = np.array([x - across, y - down, x + across, y + down])
    found = move_boxes(box, Rotation().matrix({"angle": angle}, (1000, 1000)), "ellipse")
    true = box_of(turned(points, angle))
    assert np.abs(found - true).max() < 1e-5 * max(across, down) + 1e-6


@given(st.floats(1, 400), st.floats(1, 400), st.floats(0, 180))
def test_growth_is_what_a_turned_box_gains(width, height, angle):
    """Closed forms: a rectangle turned by t has a hull of (w c + h s)(w s + h c)."""
    box = np.array([0, 0, width, height])
    matrix = Rotation().matrix({"angle": angle}, (500, 500))
    c, s = abs(np.cos(np.radians(angle))), abs(np.sin(np.radians(angle)))
    hull = (width * c + height * s) * (width * s + height * c)
    ellipse = np.hypot(width * c, height * s) * np.hypot(width * s, height * c)
    for rule, area in (("hull", hull), ("ellipse", ellipse)):
        growth = float(geometry.box_growth(box, matrix, rule))
        assert growth == pytest.approx(area / (width * height) - 1, rel=1e-6, abs=1e-6)
    both = [move_boxes(box, matrix, rule) for rule in ("hull", "ellipse")]
    assert float(overlap(*both)) == pytest.approx(ellipse / hull, rel=1e-6)


def test_many_pairs_overlap_as_each_alone():
    rng = np.random.default_rng(0)
    first, second = (np.sort(rng.random((50, 2, 2)), axis=1).reshape(50, 4) for _ in range(2))
    together = overlap(first, second)
    assert together.shape == (50,)
    assert (together > 0).any()
    for a, b, iou in zip(first, second, together, strict=True):
        assert float(overlap(a, b)) == pytest.approx(iou)
    assert float(overlap(first[0], first[0])) == pytest.approx(1)
