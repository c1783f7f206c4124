"""What is asked of the cells of the first shipped weights' head."""

import math

import pytest
import torch

from model.assignment import Targets, pad_targets
from model.decoupled_loss import decoupled_cells_loss
from model.loss import CLASS_WEIGHT
from model.outputs import Cells
from model.pyramid_head import cell_centers

LARGE, SMALL = [0.0, 0, 64, 64], [0.0, 0, 16, 16]  # 16 cells, and the first one


def cells(**changes) -> Cells:
    """4 x 4 cells of stride 16, 3 classes, that predict nothing yet."""
    flat = torch.full((1, 16), 1 / 16)
    blank = Cells(
        torch.zeros(1, 16, 3), torch.zeros(1, 16, 4), flat, flat, cell_centers(4, 4, 16), ((4, 4),)
    )
    return blank._replace(**changes)


def objects_of(*objects) -> Targets:
    labels, boxes = zip(*objects, strict=True)
    return pad_targets([{"labels": torch.tensor(labels), "boxes": torch.tensor(boxes)}])


def test_cells_outside_all_objects_are_asked_for_nothing():
    no_cell = objects_of((0, [1.0, 1, 2, 2]))  # smaller than a cell: no centre inside
    assert float(decoupled_cells_loss(cells(), no_cell, 64)) == 0


def test_every_cell_answers_for_the_smallest_object_over_it():
    logits, boxes = torch.zeros(1, 16, 3), torch.tensor([LARGE]).repeat(1, 16, 1)
    logits[..., 0] = 50
    logits[0, 0] = torch.tensor([0.0, 50, 0])
    boxes[0, 0] = torch.tensor(SMALL)
    targets = objects_of((0, LARGE), (1, SMALL))
    right = decoupled_cells_loss(cells(logits=logits, boxes=boxes), targets, 64)
    assert float(right) == pytest.approx(0, abs=1e-3)
    logits[0, 0] = torch.tensor([50.0, 0, 0])
    wrong = decoupled_cells_loss(cells(logits=logits, boxes=boxes), targets, 64)
    assert float(wrong) == pytest.approx(CLASS_WEIGHT * 50 / 16, rel=1e-3)


def test_a_choice_outside_the_largest_object_costs():
    quarter = objects_of((0, [0.0, 0, 32, 32]))
    logits, boxes = torch.zeros(1, 16, 3), torch.tensor([[0.0, 0, 32, 32]]).repeat(1, 16, 1)
    logits[..., 0] = 50
    spread = decoupled_cells_loss(cells(logits=logits, boxes=boxes), quarter, 64)
    assert float(spread) == pytest.approx(CLASS_WEIGHT * math.log(4), rel=1e-4)
    chosen = torch.zeros(1, 16)
    chosen[0, 0] = 1
    sharp = decoupled_cells_loss(cells(logits=logits, boxes=boxes, choice=chosen), quarter, 64)
    assert float(sharp) == pytest.approx(0, abs=1e-3)
