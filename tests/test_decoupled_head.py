"""The head of the first shipped weights."""

import pytest
import torch

from model import load_detector
from model.decoupled_head import DecoupledHead, agreement, weighted_median


@pytest.mark.parametrize(
    ("values", "weights", "median"),
    [
        ([7.0], [1.0], 7.0),
        ([3.0, 1.0, 2.0], [0.0, 0.0, 1.0], 2.0),
        ([1.0, 2.0, 3.0, 4.0], [0.25, 0.25, 0.25, 0.25], 2.5),
        ([9.0, 1.0], [0.4, 0.6], 1.0),  # the average would be 4.2
        ([5.0, 5.0, 100.0], [0.3, 0.3, 0.4], 5.0),
    ],
)
def test_weighted_median(values, weights, median):
    answer = weighted_median(torch.tensor([values]), torch.tensor([weights]))
    assert answer.tolist() == [median]


def test_agreement_is_the_log_chance_of_the_same_class():
    # Two photos, two classes, two cells; the probabilities that their logits stand for.
    cells = torch.tensor([[[0.9, 0.5], [0.1, 0.5]], [[0.2, 1e-9], [0.8, 1.0]]])
    answer = torch.tensor([[0.7, 0.3], [0.0001, 0.9999]])
    expected = [[0.9 * 0.7 + 0.1 * 0.3, 0.5], [0.2 * 0.0001 + 0.8 * 0.9999, 0.9999]]
    agreed = agreement(cells.log() + 3, answer.log() - 2).exp()  # a shift is no matter to a softmax
    torch.testing.assert_close(agreed, torch.tensor(expected))
    assert agreement(torch.tensor([[[99.0], [-99.0]]]), torch.tensor([[-99.0, 99.0]])).isfinite()


def test_the_shipped_weights_fit_and_read_a_side_from_the_cells_of_the_object():
    detector = load_detector()
    assert isinstance(detector.model.head, DecoupledHead)
    cat = detector.predict("examples/cat.jpg")
    rows, columns = cat.attention.shape
    heat = torch.from_numpy(cat.attention)
    x = float((heat.sum(0) * torch.arange(columns)).sum()) / columns * cat.image_size[0]
    y = float((heat.sum(1) * torch.arange(rows)).sum()) / rows * cat.image_size[1]
    x1, y1, x2, y2 = cat.bbox_xyxy
    assert x1 < x < x2
    assert y1 < y < y2
