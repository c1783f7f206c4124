import pytest
import torch

from model.loading.targets import pad_targets
from model.network.outputs import Cells
from model.network.pyramid_head import cell_centers
from model.training.assignment import CELLS_PER_OBJECT, assign_cells, inside_or_nearest

LARGE, SMALL = [0.0, 0, 64, 64], [2.0, 2, 14, 14]


def cells_with(boxes, n_classes=3, logits=None):
    """An 8 x 8 grid of stride 8 on a canvas of 64 px; ``boxes`` ``(64, 4)``."""
    logits = torch.zeros(1, 64, n_classes) if logits is None else logits
    flat = torch.full((1, 64), 1 / 64)
    return Cells(logits, boxes.unsqueeze(0), flat, flat, cell_centers(8, 8, 8), ((8, 8),))


def targets_of(*objects):
    labels, boxes = zip(*objects, strict=True)
    return pad_targets([{"labels": torch.tensor(labels), "boxes": torch.tensor(boxes)}])


def test_targets_are_padded_to_the_fullest_photo():
    nothing = {"labels": torch.empty(0, dtype=torch.int64), "boxes": torch.empty(0, 4)}
    two = {"labels": torch.tensor([4, 1]), "boxes": torch.tensor([LARGE, SMALL])}
    padded = pad_targets([nothing, two])
    assert padded.labels.tolist() == [[-1, -1], [4, 1]]
    assert padded.boxes.shape == (2, 2, 4)
    assert pad_targets([nothing]).labels.tolist() == [[-1]]


def test_the_best_overlapping_cells_inside_answer():
    boxes = torch.tensor([LARGE]).repeat(64, 1)
    boxes[:20] = torch.tensor([0.0, 0, 32, 64])  # IoU one half
    assignment = assign_cells(cells_with(boxes), targets_of((1, LARGE)))
    owned = assignment.owner[0] == 0
    assert not owned[:20].any()
    # 44 cells are equally good: none of them is left out by a coin toss.
    assert owned[20:].all()
    assert assignment.quality[0, 20:].tolist() == pytest.approx([1.0] * 44)


def test_an_object_gets_no_more_than_its_share():
    boxes = torch.tensor([LARGE]).repeat(64, 1) * torch.linspace(0.5, 1, 64).unsqueeze(1)
    assignment = assign_cells(cells_with(boxes), targets_of((1, LARGE)))
    assert (assignment.owner[0] == 0).sum() == CELLS_PER_OBJECT
    assert (assignment.owner[0][-CELLS_PER_OBJECT:] == 0).all()
    assert assignment.quality[0].argmax() == 63


def test_class_and_box_decide_together():
    boxes = torch.tensor([LARGE]).repeat(64, 1)
    logits = torch.full((1, 64, 3), -4.0)
    logits[0, 30:39, 2] = 4.0
    assignment = assign_cells(cells_with(boxes, logits=logits), targets_of((2, LARGE)))
    assert torch.nonzero(assignment.owner[0] == 0).flatten().tolist() == list(range(30, 39))


def test_a_cell_wanted_twice_goes_to_the_object_it_overlaps_most():
    boxes = torch.tensor([LARGE]).repeat(64, 1)
    boxes[0] = torch.tensor(SMALL)
    assignment = assign_cells(cells_with(boxes), targets_of((0, LARGE), (1, SMALL)))
    assert assignment.owner[0, 0] == 1
    assert assignment.quality[0, 0] == pytest.approx(1)


def test_an_object_smaller_than_a_cell_gets_the_nearest_one():
    inside = inside_or_nearest(cell_centers(8, 8, 8), torch.tensor([[[16.5, 8.5, 19.0, 11.0]]]))
    assert torch.nonzero(inside[0, 0]).flatten().tolist() == [8 + 2]


def test_photos_without_objects_own_no_cell():
    nothing = pad_targets(
        [{"labels": torch.empty(0, dtype=torch.int64), "boxes": torch.empty(0, 4)}]
    )
    assignment = assign_cells(cells_with(torch.tensor([LARGE]).repeat(64, 1)), nothing)
    assert (assignment.owner == -1).all()
    assert not assignment.quality.any()
