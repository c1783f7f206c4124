"""Fit the score of :mod:`model.score` on annotated photos, and measure its reliability."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.score import Calibration

RIDGE = 1e-3  # L2 penalty, which keeps the weights finite for separable data
MAX_STEPS = 50  # of Newton's method
BINS, FOLDS = 10, 5  # bins of scores for reliability; folds of photos for cross-validation
KEPT = 0.9  # share of the right predictions whose score reaches the threshold


def fit_calibration(
    values: Tensor, right: Tensor, negatives: Tensor | None = None, kept: float = KEPT
) -> Calibration:
    """Fit weights, bias and threshold of the score.

    Negatives help to find the direction that separates right from wrong. Scale and bias are then
    fitted only on photos with an object, so that a score of 0.8 means right four times in five.

    Args:
        values: ``(N, F)`` evidence of photos with an object.
        right: ``(N,)`` bool: class right and IoU at least 0.5.
        negatives: ``(M, F)`` evidence of photos without any.
        kept: share of the right predictions whose score reaches the threshold.
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
    """Temperature that calibrates class probabilities (Guo et al. 2017), by largest likelihood.

    The logarithm of the temperature is searched in steps of 0.01.

    Args:
        probabilities: ``(N, C)``, uncalibrated.
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
        probability = (x @ solution).sigmoid()
        variance = (probability * (1 - probability)).clamp(min=1e-9)
        gradient = x.T @ (probability - truth.double()) / len(x) + penalty @ solution
        hessian = (x.T * variance) @ x / len(x) + penalty + 1e-9 * torch.eye(x.shape[1])
        step = torch.linalg.solve(hessian, gradient)
        solution = solution - step * min(1.0, 5.0 / float(step.abs().max().clamp(min=1e-12)))
        if float(step.abs().max()) < 1e-8:
            break
    return solution[:-1], solution[-1]


def reliability(scores: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Reliability of scores (Guo et al. 2017), in bins of equal width over 0..1.

    Args:
        scores: ``(N,)`` in 0..1.
        right: ``(N,)`` bool.

    Returns:
        ``ece``, the expected calibration error: mean distance of score and share right over the
        bins, weighted by their photos; and lists of ``mean_score``, ``share_right`` and ``count``
        of each bin that is not empty.
    """
    bin_of = np.minimum((scores * BINS).astype(int), BINS - 1)
    bins = [bin_of == b for b in range(BINS) if (bin_of == b).any()]
    mean_score = [float(scores[b].mean()) for b in bins]
    share_right = [float(right[b].mean()) for b in bins]
    count = [int(b.sum()) for b in bins]
    gaps = [n * abs(s - r) for n, s, r in zip(count, mean_score, share_right, strict=True)]
    error = sum(gaps) / max(1, len(scores))
    return {"ece": error, "mean_score": mean_score, "share_right": share_right, "count": count}


def cross_validated_scores(values: Tensor, right: Tensor, negatives: Tensor) -> np.ndarray:
    """Scores ``(N,)`` of photos, each by a calibration that was not fitted on it."""
    scores = torch.empty(len(values), dtype=torch.float64)
    fold_of = torch.arange(len(values)) % FOLDS
    for fold in range(min(FOLDS, len(values))):
        held_out = fold_of == fold
        fitted = fit_calibration(values[~held_out], right[~held_out], negatives)
        scores[held_out] = fitted.score(values[held_out].double())
    return scores.numpy()
