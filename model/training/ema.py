"""The moving average of the weights, which is evaluated and saved."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

STRIDE = 4
EVERY_STEP_UNTIL = 100  # a multiple of STRIDE, so that no step is left out


Model = TypeVar("Model", bound=nn.Module)


class WeightAverage(Generic[Model]):
    """Exponential moving average of a model's parameters and batch-norm statistics.

    The decay starts low and rises to ``decay`` (``min(decay, (1 + t) / (10 + t))``, as in
    TensorFlow's ``ExponentialMovingAverage``), so that initial weights do not dominate short runs.
    ``decay = 0`` copies the model itself.

    After ``EVERY_STEP_UNTIL`` steps only every fourth step updates the average, with the decay of
    four steps: an update passes over all weights, and the result hardly differs.
    """

    def __init__(self, model: Model, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after an optimisation step; ``step`` is counted from 1."""
        every = STRIDE if self.decay and step > EVERY_STEP_UNTIL else 1
        if step % every:
            return
        decay = min(self.decay, (1 + step) / (10 + step)) ** every
        source = model.state_dict()
        for name, average in self.model.state_dict().items():
            if average.is_floating_point():
                average.lerp_(source[name].to(average.dtype), 1 - decay)
            else:
                average.copy_(source[name])
