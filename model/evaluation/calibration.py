"""Learn the score from photos with known truth, and say how far it can be believed.

The score is a logistic regression on the evidence of :mod:`model.score` (Platt scaling, Platt 1999,
with more than one input).
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.score import Calibration

RIDGE = 1e-3  # weight of the squared weights, which keeps separable data finite
MAX_STEPS = 50  # of Newton's method
BINS, FOLDS = 10, 5  # of scores, to compare them with the truth; of photos, to cross-validate
KEPT = 0.9  # share of the right answers whose score passes the threshold


def fit_calibration(
    values: Tensor, right: Tensor, negatives: Tensor | None = None, kept: float = KEPT
) -> Calibration:
    """Learn the score from photos with known truth.

    Negatives help to find which evidence tells right from wrong. How sure to be is then learned
    from the photos with an object alone, so that a score of 0.8 means right four times in five.

    Args:
        values: ``(N, F)`` evidence of photos with an object.
        right: ``(N,)`` bool: class right and IoU at least 0.5.
        negatives: ``(M, F)`` evidence of photos without any.
        kept: share of the right answers the threshold keeps.
    """
    negatives = values[:0] if negatives is None else negatives
    everything = torch.cat([values, negatives])
    truth = torch.cat([right, torch.zeros(len(negatives), dtype=torch.bool)])
    direction, _ = logistic_regression(everything, truth)
    scale, bias = logistic_regression((values.double() @ direction).unsqueeze(1), right)
    weights = tuple((direction * scale).tolist())
    scores = Calibration(weights, float(bias), 0.5).score(values.double())
    threshold = scores[right].quantile(1 - kept) if right.any() else torch.tensor(0.5)
    return Calibration(weights, float(bias), float(threshold))


def fit_temperature(probabilities: Tensor, true_class: Tensor) -> float:
    """What to divide logits by so that probabilities mean what they say (Guo et al. 2017).

    The one of the largest likelihood, to a hundredth of its logarithm.

    Args:
        probabilities: ``(N, C)`` as the network gives them.
        true_class: ``(N,)`` int64.
    """
    logits = probabilities.double().clamp(min=1e-9).log()
    temperatures = torch.linspace(-2, 2, 401, dtype=torch.float64).exp()
    losses = [F.cross_entropy(logits / t, true_class).item() for t in temperatures]
    return float(temperatures[int(np.argmin(losses))])


def logistic_regression(inputs: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Weights ``(F,)`` and bias ``()`` by Newton's method (iteratively reweighted least squares).

    Args:
        inputs: ``(N, F)``.
        truth: ``(N,)`` bool.
    """
    x = torch.cat([inputs.double(), torch.ones(len(inputs), 1, dtype=torch.float64)], dim=1)
    penalty = torch.diag(torch.tensor([RIDGE] * inputs.shape[1] + [0.0], dtype=torch.float64))
    solution = torch.zeros(x.shape[1], dtype=torch.float64)
    for _ in range(MAX_STEPS):
        chance = (x @ solution).sigmoid()
        spread = (chance * (1 - chance)).clamp(min=1e-9)
        gradient = x.T @ (chance - truth.double()) / len(x) + penalty @ solution
        curvature = (x.T * spread) @ x / len(x) + penalty + 1e-9 * torch.eye(x.shape[1])
        step = torch.linalg.solve(curvature, gradient)
        solution = solution - step * min(1.0, 5.0 / float(step.abs().max().clamp(min=1e-12)))
        if float(step.abs().max()) < 1e-8:
            break
    return solution[:-1], solution[-1]


def reliability(scores: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """How far scores can be believed (Guo et al. 2017), in bins of equal width over 0..1.

    Args:
        scores: ``(N,)`` in 0..1.
        right: ``(N,)`` bool.

    Returns:
        ``ece``, the expected calibration error: mean distance of score and share right over the
        bins, weighted by the photos in them; and lists of ``mean_score``, ``share_right`` and
        ``count`` of each bin that holds photos.
    """
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    bins = [place == b for b in range(BINS) if (place == b).any()]
    mean_score = [float(scores[b].mean()) for b in bins]
    share_right = [float(right[b].mean()) for b in bins]
    count = [int(b.sum()) for b in bins]
    gaps = [n * abs(s - r) for n, s, r in zip(count, mean_score, share_right, strict=True)]
    error = sum(gaps) / max(1, len(scores))
    return {"ece": error, "mean_score": mean_score, "share_right": share_right, "count": count}


def cross_validated_scores(values: Tensor, right: Tensor, negatives: Tensor) -> np.ndarray:
    """Scores ``(N,)`` of photos by calibrations that did not see them.

    Fitting and judging on the same photos would flatter the calibration.
    """
    scores = torch.empty(len(values), dtype=torch.float64)
    place = torch.arange(len(values)) % FOLDS
    for fold in range(min(FOLDS, len(values))):
        mine = place == fold
        fitted = fit_calibration(values[~mine], right[~mine], negatives)
        scores[mine] = fitted.score(values[mine].double())
    return scores.numpy()
