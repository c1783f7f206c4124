"""The score: the probability that class and box are both right, fitted on annotated photos.

The softmax over 20 classes says nothing about the box, and is overconfident on photos that show
none of them. The score is a logistic regression on evidence of how good the prediction is (Platt
scaling, Platt 1999, with more than one input).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from model.boxes import pairwise_iou
from model.checked import is_number
from model.network.outputs import DetectorOutput
from model.second_look import SecondLook

EVIDENCE = ("class", "support", "quality", "tightness")
UNCALIBRATED_THRESHOLD = 0.5  # of the class probability, where there is no calibration
_SUPPORTS_IOU = 0.5  # IoU above which a cell's box supports the predicted one
_EDGE = 1e-4  # shares are kept this far from 0 and 1, where log-odds are infinite


@dataclass(frozen=True)
class Calibration:
    """Parameters that turn evidence into a score, and the second look they were fitted with.

    Attributes:
        weights: one per value of :data:`EVIDENCE`.
        bias: added to the weighted sum before the sigmoid.
        threshold: score from which a detection is sure.
        temperature: divisor of the logits that calibrates the class probabilities (Guo et al.
            2017); above 1 they become more even.
        second_look: settings of the second look; ``None`` for no second look.
    """

    weights: tuple[float, ...]
    bias: float
    threshold: float
    temperature: float = 1.0
    second_look: SecondLook | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Calibration":
        """Inverse of ``dataclasses.asdict``.

        Raises:
            KeyError: if a value is missing.
            ValueError: if there is another number of weights, or a value is no finite number.
        """
        temperature = values.get("temperature", 1.0)  # older checkpoints have none
        numbers = [*values["weights"], values["bias"], values["threshold"], temperature]
        fits = len(values["weights"]) == len(EVIDENCE) and all(map(is_number, numbers))
        if not fits or temperature <= 0:
            raise ValueError(f"the calibration needs {len(EVIDENCE) + 3} finite numbers")
        look = values.get("second_look")
        look = SecondLook.from_dict(look) if look else None
        return cls(tuple(values["weights"]), values["bias"], values["threshold"], temperature, look)

    def score(self, values: Tensor) -> Tensor:
        """``(N, F)`` evidence -> ``(N,)`` scores in 0..1."""
        weights = values.new_tensor(self.weights)
        return (values @ weights + self.bias).sigmoid()

    def probabilities(self, raw: Tensor) -> Tensor:
        """Uncalibrated probabilities ``(..., C)`` -> calibrated ones."""
        return (raw.clamp(min=1e-9).log() / self.temperature).softmax(dim=-1)


def evidence(output: DetectorOutput) -> Tensor:
    """Evidence of how good each prediction is: log-odds ``(N, 4)``, columns :data:`EVIDENCE`.

    class: softmax of the predicted class. support: sum of the choice over cells whose boxes overlap
    the predicted one. quality: score of the predicted class, which also rates the box; mean over
    cells weighted by attention. tightness: IoU of the cells' boxes with the predicted one; mean
    weighted by attention. For heads without cells all but the first are 0.
    """
    probability, predicted = output.logits.float().softmax(dim=1).max(dim=1)
    if output.cells is None:
        zero = torch.zeros_like(probability)
        return torch.stack([log_odds(probability), zero, zero, zero], dim=1)
    cells = output.cells
    overlap = pairwise_iou(output.boxes.unsqueeze(1), cells.boxes).squeeze(1)
    support = (cells.choice * (overlap > _SUPPORTS_IOU)).sum(dim=1)
    index = predicted[:, None, None].expand(-1, cells.logits.shape[1], 1)
    scores = cells.logits.gather(2, index).squeeze(2).sigmoid()
    quality = (cells.attention * scores).sum(dim=1)
    tightness = (cells.attention * overlap).sum(dim=1)
    columns = (probability, support, quality, tightness)
    return torch.stack([log_odds(column.float()) for column in columns], dim=1)


def log_odds(share: Tensor) -> Tensor:
    """``log(p / (1 - p))``, finite."""
    return share.clamp(_EDGE, 1 - _EDGE).logit()
