import math

import pytest
import torch
import torch.nn.functional as F

from model.loss import CLASS_WEIGHT, all_objects_loss, detection_loss

BOX = torch.tensor([[10.0, 20, 110, 120], [0, 0, 224, 224]])
CLASS_IDS = torch.tensor([1, 2])


def outputs_with(error: float, n_classes: int = 20) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.cat([torch.randn(2, n_classes), BOX + error], dim=1)


def test_it_is_l1_in_pixels_plus_25_cross_entropy():
    outputs = outputs_with(3.0)
    terms = detection_loss(outputs, BOX, CLASS_IDS, 224)
    ce = F.cross_entropy(outputs[:, :20], CLASS_IDS)
    assert float(terms.l1_px) == pytest.approx(3)
    assert float(terms.total) == pytest.approx(3 + 25 * float(ce))


def test_unit_form_and_pixel_form_agree():
    outputs = outputs_with(5.0)
    terms = detection_loss(outputs, BOX, CLASS_IDS, 224)
    unit_l1 = ((outputs[:, 20:] - BOX) / 224).abs().mean()
    unit_form = 224 * unit_l1 + 25 * F.cross_entropy(outputs[:, :20], CLASS_IDS)
    torch.testing.assert_close(terms.total, unit_form)


@pytest.mark.parametrize("size", [64, 224, 320])
def test_the_balance_does_not_depend_on_the_canvas(size):
    outputs = outputs_with(4.0)
    scaled = torch.cat([outputs[:, :20], outputs[:, 20:] * size / 224], dim=1)
    terms = detection_loss(scaled, BOX * size / 224, CLASS_IDS, size)
    torch.testing.assert_close(terms.total, detection_loss(outputs, BOX, CLASS_IDS, 224).total)


def test_giou_is_off_unless_asked_for():
    outputs = outputs_with(4.0)
    plain = detection_loss(outputs, BOX, CLASS_IDS, 224)
    more = detection_loss(outputs, BOX, CLASS_IDS, 224, giou_weight=10)
    assert float(plain.extra) == 0
    assert float(more.total - plain.total) == pytest.approx(float(more.extra), rel=1e-4)
    assert 0 < float(more.extra) < 10


def cells(n_classes=3, grid=4):
    return {
        "logits": torch.zeros(1, n_classes, grid * grid),
        "boxes": torch.zeros(1, 4, grid * grid),
        "attention": torch.full((1, grid * grid), 1 / grid**2),
    }


def objects_of(*rows):
    padded = torch.full((1, 20, 5), -1.0)
    padded[0, : len(rows)] = torch.tensor(rows)
    return padded


def test_cells_outside_all_objects_say_nothing():
    no_cell = objects_of([0.0, 1, 1, 2, 2])  # smaller than a cell: no centre inside
    assert float(all_objects_loss(cells(), no_cell, 64)) == 0


def test_every_cell_answers_for_the_smallest_object_over_it():
    large, small = [0.0, 0, 0, 64, 64], [1.0, 0, 0, 16, 16]  # 16 cells, and the first one
    right = cells()
    right["logits"][0, 0] = 50
    right["logits"][0, :, 0] = torch.tensor([0.0, 50, 0])
    right["boxes"][0] = torch.tensor([0.0, 0, 1, 1])[:, None]
    right["boxes"][0, :, 0] = torch.tensor([0, 0, 0.25, 0.25])
    assert float(all_objects_loss(right, objects_of(large, small), 64)) == pytest.approx(
        0, abs=1e-3
    )
    right["logits"][0, :, 0] = torch.tensor([50.0, 0, 0])
    wrong = all_objects_loss(right, objects_of(large, small), 64)
    assert float(wrong) == pytest.approx(CLASS_WEIGHT * 50 / 16, rel=1e-3)


def test_listening_outside_the_largest_object_costs():
    quarter = objects_of([0.0, 0, 0, 32, 32])
    right = cells()
    right["logits"][0, 0] = 50
    right["boxes"][0] = torch.tensor([0.0, 0, 0.5, 0.5])[:, None]
    spread = all_objects_loss(right, quarter, 64)  # attention is even: a quarter of it inside
    assert float(spread) == pytest.approx(CLASS_WEIGHT * math.log(4), rel=1e-4)
    right["attention"] = torch.zeros(1, 16)
    right["attention"][0, 0] = 1
    assert float(all_objects_loss(right, quarter, 64)) == pytest.approx(0, abs=1e-3)
