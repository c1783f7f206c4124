import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import tv_tensors
from torchvision.ops import box_iou
from torchvision.transforms.v2 import functional

from model.boxes import box_areas, clip_boxes, paired_iou, rotate_boxes

CANVAS = (300, 400)  # height, width
coordinate = st.floats(0, 300, width=32)
angles = st.floats(-180, 180)


@st.composite
def boxes(draw):
    x1, y1 = draw(coordinate), draw(coordinate)
    w, h = draw(st.floats(1, 200, width=32)), draw(st.floats(1, 200, width=32))
    return torch.tensor([[x1, y1, x1 + w, y1 + h]])


@given(boxes(), angles)
def test_hull_holds_all_four_turned_corners(bbox, angle):
    hull = rotate_boxes(bbox, angle, CANVAS)[0]
    x1, y1, x2, y2 = bbox[0].tolist()
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = []
    for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2)):
        dx, dy = x - 200, y - 150
        corners.append((200 + dx * cos + dy * sin, 150 - dx * sin + dy * cos))
    xs, ys = zip(*corners, strict=True)
    expected = torch.tensor([min(xs), min(ys), max(xs), max(ys)])
    torch.testing.assert_close(hull, expected, atol=2e-2, rtol=1e-4)


@given(boxes(), st.floats(-90, 90))
def test_hull_is_torchvisions_where_nothing_is_clipped(bbox, angle):
    canvas = (4000, 4000)  # so large that torchvision's clamping cuts nothing
    middle = bbox + 1800
    theirs = functional.rotate(
        tv_tensors.BoundingBoxes(middle, format="XYXY", canvas_size=canvas), angle
    )
    ours = rotate_boxes(middle, angle, canvas)
    torch.testing.assert_close(ours, theirs.as_subclass(torch.Tensor), atol=0.05, rtol=1e-4)


@given(boxes(), angles)
def test_ellipse_lies_inside_the_hull_and_shares_its_centre(bbox, angle):
    hull = rotate_boxes(bbox, angle, CANVAS, "hull")[0]
    ellipse = rotate_boxes(bbox, angle, CANVAS, "ellipse")[0]
    assert (ellipse[:2] >= hull[:2] - 1e-2).all()
    assert (ellipse[2:] <= hull[2:] + 1e-2).all()
    torch.testing.assert_close(hull[:2] + hull[2:], ellipse[:2] + ellipse[2:], atol=2e-2, rtol=1e-4)


@given(boxes(), angles)
def test_turning_there_and_back_keeps_the_centre(bbox, angle):
    back = rotate_boxes(rotate_boxes(bbox, angle, CANVAS), -angle, CANVAS)
    torch.testing.assert_close(
        back[0, :2] + back[0, 2:], bbox[0, :2] + bbox[0, 2:], atol=5e-2, rtol=1e-4
    )


@pytest.mark.parametrize(("angle", "iou"), [(0, 1.0), (10, 0.745), (15, 0.667), (30, 0.536)])
def test_hull_ellipse_iou_of_a_round_object(angle, iou):
    square = torch.tensor([[100.0, 100, 200, 200]])
    hull, circle = (rotate_boxes(square, angle, CANVAS, rule) for rule in ("hull", "ellipse"))
    assert float(paired_iou(hull, circle)) == pytest.approx(iou, abs=5e-4)


def test_quarter_turn_is_exact_and_stays_float32():
    turned = rotate_boxes(torch.tensor([[0.5, 10, 20, 40]]), 90, (100, 100))
    torch.testing.assert_close(turned, torch.tensor([[10, 80, 40, 99.5]]))
    assert turned.dtype == torch.float32


def test_unknown_rule_is_named():
    with pytest.raises(ValueError, match="'tight'"):
        rotate_boxes(torch.zeros(1, 4), 5, CANVAS, "tight")


@pytest.mark.parametrize(
    ("bbox", "clipped"),
    [
        ([-10, -10, -5, -5], [0, 0, 0, 0]),
        ([390, 290, 500, 500], [390, 290, 400, 300]),
        ([0, 0, 400, 300], [0, 0, 400, 300]),
        ([-1, 5, 10.5, 6], [0, 5, 10.5, 6]),
    ],
)
def test_clip_boxes(bbox, clipped):
    assert clip_boxes(torch.tensor([bbox], dtype=torch.float32), CANVAS).tolist() == [clipped]


@pytest.mark.parametrize(
    ("bbox", "area"), [([5, 5, 1, 9], 0), ([0, 0, 0, 0], 0), ([1, 2, 4, 6.5], 13.5)]
)
def test_box_areas(bbox, area):
    assert float(box_areas(torch.tensor(bbox, dtype=torch.float32))) == area


def test_iou_of_empty_boxes_is_zero_not_nan():
    assert paired_iou(torch.zeros(1, 4), torch.zeros(1, 4)).tolist() == [0]


@given(boxes(), boxes())
def test_paired_iou_is_the_diagonal_of_torchvisions(first, second):
    torch.testing.assert_close(paired_iou(first, second), box_iou(first, second).diagonal())
