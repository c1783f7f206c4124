import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import box_iou

from model.boxes import pairwise_iou
from model.network.grouping import read_group

LEFT, RIGHT = [0.0, 0, 40, 40], [60.0, 0, 100, 40]


def read(boxes, choice, side_logits=None):
    boxes, choice = torch.tensor([boxes]), torch.tensor([choice])
    sides = torch.zeros_like(boxes) if side_logits is None else torch.tensor([side_logits])
    return read_group(boxes, choice, sides)


def test_two_objects_are_never_blended():
    boxes = [LEFT, [2.0, 0, 42, 40], RIGHT, [62.0, 0, 102, 40], [58.0, 0, 98, 40]]
    group = read(boxes, [0.3, 0.1, 0.2, 0.2, 0.2])
    assert group.boxes[0].tolist() == pytest.approx([60, 0, 100, 40], abs=1e-4)
    assert group.attention[0].tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3])


def test_a_crowd_that_agrees_outvotes_a_single_loud_cell():
    boxes = [LEFT] + [RIGHT] * 4
    assert read(boxes, [0.4] + [0.15] * 4).boxes[0].tolist() == pytest.approx(RIGHT)
    assert read(boxes, [0.6] + [0.1] * 4).boxes[0].tolist() == pytest.approx(LEFT)


def test_each_side_is_read_where_it_is_seen():
    boxes = [[0.0, 0, 40, 40], [4.0, 0, 48, 40]]
    sides = [[50.0, 0, 0, 0], [0.0, 0, 50, 0]]
    group = read(boxes, [0.5, 0.5], sides)
    assert group.boxes[0].tolist() == pytest.approx([0, 0, 48, 40], abs=1e-4)


def test_empty_boxes_stand_alone_and_stay_finite():
    group = read([[5.0, 5, 5, 5], [9.0, 9, 9, 9]], [0.6, 0.4])
    assert group.boxes[0].tolist() == [5, 5, 5, 5]


def test_every_image_of_a_batch_is_read_by_itself():
    boxes = torch.tensor([[LEFT, RIGHT], [RIGHT, LEFT]])
    choice = torch.tensor([[0.9, 0.1], [0.9, 0.1]])
    group = read_group(boxes, choice, torch.zeros_like(boxes))
    assert group.boxes.tolist() == [LEFT, RIGHT]


def test_boxes_choice_and_sides_of_the_group_learn():
    boxes = torch.tensor([[LEFT, [4.0, 0, 44, 40], RIGHT]], requires_grad=True)
    scores = torch.tensor([[1.0, 0.9, 0.2]], requires_grad=True)
    sides = torch.zeros(1, 3, 4, requires_grad=True)
    read_group(boxes, scores.softmax(1), sides).boxes[0, 0].backward()
    assert boxes.grad[0, :2, 0].gt(0).all()
    assert not boxes.grad[0, 2].any()  # the other object is not in the group
    assert sides.grad[0, :2, 0].abs().gt(0).all()
    assert scores.grad[0, :2].abs().gt(0).all()


corner = st.floats(0, 100, width=32)


@given(st.lists(st.tuples(corner, corner, corner, corner), min_size=2, max_size=6))
def test_iou_is_torchvisions_and_the_answer_lies_within_the_group(rows):
    raw = torch.tensor(rows)
    low, high = torch.minimum(raw[:, :2], raw[:, 2:]), torch.maximum(raw[:, :2], raw[:, 2:])
    boxes = torch.cat([low, high + 1], dim=1).unsqueeze(0)
    torch.testing.assert_close(pairwise_iou(boxes, boxes)[0], box_iou(boxes[0], boxes[0]))
    choice = torch.full((1, len(rows)), 1 / len(rows))
    group = read_group(boxes, choice, torch.zeros_like(boxes))
    members = boxes[0][group.attention[0] > 0]
    assert (group.boxes[0] >= members.amin(0) - 1e-3).all()
    assert (group.boxes[0] <= members.amax(0) + 1e-3).all()
    assert float(group.attention.sum()) == pytest.approx(1, abs=1e-4)
