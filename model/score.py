"""The score: the chance that class and box are both right, learned from photos with known truth.

A softmax over 20 classes knows nothing of the box, and is sure of itself on photos that show none
of them. The score is a logistic regression on evidence of how good the prediction is (Platt
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
_SUPPORTS_IOU = 0.5  # above it a box of a cell supports the predicted one
_EDGE = 1e-4  # shares are kept this far from 0 and 1, whose log-odds are infinite


@dataclass(frozen=True)
class Calibration:
    """How evidence becomes a score, and what the evidence is gathered from.

    Attributes:
        weights: one a value of :data:`EVIDENCE`.
        bias: added to the weighted sum before the sigmoid.
        threshold: score from which a detection is sure.
        temperature: what logits are divided by, so that the probabilities of the classes mean what
            they say (Guo et al. 2017); above 1 they come closer to each other.
        second_look: at what to look twice; ``None`` is one look at everything.
    """

    weights: tuple[float, ...]
    bias: float
    threshold: float
    temperature: float = 1.0
    second_look: SecondLook | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Calibration":
        """Read what ``dataclasses.asdict`` gave.

        Raises:
            ValueError: if a number is missing, or is none.
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
        """Probabilities ``(..., C)`` as the network gives them -> what they are worth."""
        return (raw.clamp(min=1e-9).log() / self.temperature).softmax(dim=-1)


def evidence(output: DetectorOutput) -> Tensor:
    """Evidence of how good each prediction is: log-odds ``(N, 4)``, columns :data:`EVIDENCE`.

    class: the softmax of the predicted class. support: the share of the choice among cells whose
    boxes overlap the predicted one. quality: the score that the cells it was read from give to the
    predicted class, which learned how good their boxes are. tightness: how much their boxes overlap
    the predicted one. For heads without cells all but the first are 0.
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
