import math

import pytest
import torch
import torch.nn.functional as F

from model.loading.targets import pad_targets
from model.network.outputs import Cells, DetectorOutput
from model.network.pyramid_head import cell_centers
from model.training.loss import CLASS_WEIGHT, cells_loss, largest_object_loss, varifocal_loss

BOXES = torch.tensor([[10.0, 20, 110, 120], [0, 0, 224, 224]])
TARGETS = pad_targets([
    {"labels": torch.tensor([label]), "boxes": box.unsqueeze(0)}
    for label, box in zip((1, 2), BOXES, strict=True)
])  # fmt: skip
NOTHING = {"labels": torch.empty(0, dtype=torch.int64), "boxes": torch.empty(0, 4)}


def output_with(error: float, n_classes: int = 20) -> DetectorOutput:
    torch.manual_seed(0)
    return DetectorOutput(torch.randn(2, n_classes), BOXES + error, None)


def test_it_is_l1_in_pixels_plus_25_cross_entropy():
    output = output_with(3.0)
    loss = largest_object_loss(output, TARGETS, 224)
    ce = F.cross_entropy(output.logits, TARGETS.labels[:, 0])
    assert float(loss.l1_px) == pytest.approx(3)
    assert float(loss.total) == pytest.approx(3 + 25 * float(ce))


def test_unit_form_and_pixel_form_agree():
    output = output_with(5.0)
    unit_l1 = ((output.boxes - BOXES) / 224).abs().mean()
    unit_form = 224 * unit_l1 + 25 * F.cross_entropy(output.logits, TARGETS.labels[:, 0])
    torch.testing.assert_close(largest_object_loss(output, TARGETS, 224).total, unit_form)


@pytest.mark.parametrize("size", [64, 224, 320])
def test_the_balance_does_not_depend_on_the_canvas(size):
    output = output_with(4.0)
    scaled = output._replace(boxes=output.boxes * size / 224)
    targets = TARGETS._replace(boxes=TARGETS.boxes * size / 224)
    torch.testing.assert_close(
        largest_object_loss(scaled, targets, size).total,
        largest_object_loss(output, TARGETS, 224).total,
    )


def test_photos_without_an_object_do_not_count_for_the_answer():
    one = {"labels": torch.tensor([1]), "boxes": BOXES[:1]}
    some = largest_object_loss(output_with(3.0), pad_targets([one, NOTHING]), 224)
    first = DetectorOutput(*(t[:1] for t in output_with(3.0)[:2]), None)
    torch.testing.assert_close(
        some.total, largest_object_loss(first, pad_targets([one]), 224).total
    )
    none = largest_object_loss(output_with(3.0), pad_targets([NOTHING, NOTHING]), 224)
    assert float(none.total) == 0


LARGE, SMALL = [0.0, 0, 64, 64], [40.0, 40, 64, 64]


def cells(logit: float = 0.0, box=LARGE, choice=None) -> Cells:
    """4 x 4 cells of stride 16 on a canvas of 64 px, all alike, 3 classes."""
    flat = torch.full((1, 16), 1 / 16)
    return Cells(
        torch.full((1, 16, 3), logit), torch.tensor([box]).expand(1, 16, 4),
        flat if choice is None else choice, flat, cell_centers(4, 4, 16), ((4, 4),),
    )  # fmt: skip


def one_photo(*objects):
    labels, boxes = zip(*objects, strict=True)
    return pad_targets([{"labels": torch.tensor(labels), "boxes": torch.tensor(boxes)}])


def test_right_cells_cost_nothing():
    right = cells(-50.0)
    right.logits[0, :, 1] = 50.0
    loss = cells_loss(right, one_photo((1, LARGE)), 64)
    assert float(loss.total) == pytest.approx(0, abs=1e-3)


def test_cells_say_how_good_their_box_is():
    """A score above the IoU of the cell's box costs as well as one below it."""
    half = [0.0, 0, 64, 32]
    costs = {}
    for score in (0.2, 0.5, 0.9):
        guess = cells(-50.0, half)
        guess.logits[0, :, 1] = math.log(score / (1 - score))
        costs[score] = float(cells_loss(guess, one_photo((1, LARGE)), 64).quality)
    assert costs[0.5] < min(costs[0.2], costs[0.9])


def test_boxes_are_learned_from_every_object_not_the_largest_alone():
    guess = cells(0.0, SMALL)
    alone = cells_loss(guess, one_photo((0, LARGE)), 64)
    both = cells_loss(guess, one_photo((0, LARGE), (1, SMALL)), 64)
    assert float(both.giou) < float(alone.giou)
    assert float(both.l1_px) < float(alone.l1_px)


def test_the_choice_should_lead_to_good_boxes_of_the_largest():
    boxes = torch.tensor([SMALL]).repeat(16, 1)
    boxes[3] = torch.tensor(LARGE)
    on_the_small, on_the_large = torch.zeros(1, 16), torch.zeros(1, 16)
    on_the_small[0, 0], on_the_large[0, 3] = 1, 1
    targets = one_photo((0, LARGE), (1, SMALL))
    costs = [
        float(cells_loss(cells()._replace(boxes=boxes[None], choice=c), targets, 64).choice)
        for c in (on_the_small, torch.full((1, 16), 1 / 16), on_the_large)
    ]
    assert costs[0] > costs[1] > costs[2]
    assert costs[1] == pytest.approx(math.log(16), abs=0.05)
    assert costs[2] == pytest.approx(0, abs=1e-5)


def test_photos_without_an_object_ask_only_for_silence():
    nothing = pad_targets([NOTHING])
    loud, silent = (cells_loss(cells(logit), nothing, 64) for logit in (2.0, -9.0))
    assert float(loud.quality) > 10
    assert float(silent.quality) == pytest.approx(0, abs=1e-4)
    assert float(loud.giou) == float(loud.l1_px) == float(loud.choice) == 0


def test_varifocal_loss_by_hand():
    logits, quality = torch.tensor([0.0, 0.0]), torch.tensor([0.8, 0.0])
    expected = [0.8 * math.log(2), 0.25 * math.log(2)]
    assert varifocal_loss(logits, quality).tolist() == pytest.approx(expected)


def test_the_balance_of_the_parts():
    loss = cells_loss(cells(0.0, SMALL), one_photo((0, LARGE)), 64)
    parts = float(loss.quality) + 2 * float(loss.giou) + float(loss.choice)
    assert float(loss.total) == pytest.approx(float(loss.l1_px) + CLASS_WEIGHT * parts)
