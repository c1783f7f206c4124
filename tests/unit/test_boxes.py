import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import box_iou

from model.boxes import box_areas, clip_boxes, paired_iou

CANVAS = (300, 400)  # height, width
coordinate = st.floats(0, 300, width=32)


@st.composite
def boxes(draw):
    x1, y1 = draw(coordinate), draw(coordinate)
    w, h = draw(st.floats(1, 200, width=32)), draw(st.floats(1, 200, width=32))
    return torch.tensor([[x1, y1, x1 + w, y1 + h]])


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
