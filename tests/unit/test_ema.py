"""The average of the weights, against its definition worked out step by step."""

import pytest
import torch
from torch import nn

from model.training.ema import EVERY_STEP_UNTIL, WeightAverage


def walk(decay: float, steps: int) -> tuple[WeightAverage, nn.Module, torch.Tensor]:
    """A weight that drifts, its average, and the average by the formula at every step."""
    generator = torch.Generator().manual_seed(0)
    model = nn.BatchNorm1d(3)
    average = WeightAverage(model, decay)
    expected = model.weight.detach().clone()
    for step in range(1, steps + 1):
        with torch.no_grad():
            model.weight += 0.01 + 0.01 * torch.randn(3, generator=generator)
            model.num_batches_tracked += 1
        average.update(model, step)
        now = min(decay, (1 + step) / (10 + step))
        expected = now * expected + (1 - now) * model.weight.detach()
    return average, model, expected


@pytest.mark.parametrize("steps", [1, 2, 3, 7, EVERY_STEP_UNTIL])
def test_the_first_steps_are_all_taken_in(steps):
    average, _, expected = walk(0.998, steps)
    torch.testing.assert_close(average.model.weight.detach(), expected)


def test_later_ones_in_fours_with_hardly_another_average():
    average, model, expected = walk(0.99, 600)
    lag = (model.weight - expected).abs().max()  # what averaging changes at all
    assert (average.model.weight - expected).abs().max() < 0.03 * lag
    assert int(average.model.num_batches_tracked) == 600


@pytest.mark.parametrize("steps", [1, EVERY_STEP_UNTIL + 3])
def test_decay_zero_is_the_model_itself(steps):
    average, model, _ = walk(0.0, steps)
    torch.testing.assert_close(average.model.weight, model.weight, check_stride=False)


def test_the_average_learns_nothing_itself():
    average, _, _ = walk(0.9, 2)
    assert not average.model.training
    assert not any(p.requires_grad for p in average.model.parameters())
