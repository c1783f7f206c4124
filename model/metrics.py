"""Scores of largest-object detection, from predictions kept one row an image."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.boxes import paired_iou
from model.loss import l1_px_at_224

IOU_THRESHOLD = 0.5
MEASURES = {
    "class_accuracy": "class accuracy",
    "macro_accuracy": "macro accuracy",
    "l1_px_224": "L1 px @224",
    "mean_iou": "mean IoU",
    "iou_50": "IoU >= 0.5",
    "joint": "joint (class right, IoU >= 0.5)",
}


@dataclass(frozen=True)
class PerImage:
    """One value an image, numpy arrays of length N.

    Attributes:
        true_class, predicted_class: class ids.
        l1_px: mean absolute error of the four corners in pixels of a 224 canvas.
        iou: with the true box.
    """

    true_class: np.ndarray
    predicted_class: np.ndarray
    l1_px: np.ndarray
    iou: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether the class is right."""
        return self.true_class == self.predicted_class

    @property
    def joint(self) -> np.ndarray:
        """Whether the class is right *and* the IoU at least 0.5."""
        return self.right & (self.iou >= IOU_THRESHOLD)


def per_image_scores(
    predicted_class: Tensor,
    bbox_xyxy: Tensor,
    true_class: Tensor,
    true_xyxy: Tensor,
    image_size: int,
) -> PerImage:
    """Compare predictions with truths; boxes ``(N, 4)`` in pixels of the ``image_size`` canvas."""
    return PerImage(
        true_class.cpu().numpy(),
        predicted_class.cpu().numpy(),
        l1_px_at_224(bbox_xyxy, true_xyxy, image_size).cpu().numpy(),
        paired_iou(bbox_xyxy, true_xyxy).cpu().numpy(),
    )


def summarize(scores: PerImage) -> dict[str, float]:
    """Means over images; ``macro_accuracy`` is the mean over the classes that occur."""
    right = scores.right
    classes = np.unique(scores.true_class)
    return {
        "class_accuracy": float(right.mean()),
        "macro_accuracy": float(np.mean([right[scores.true_class == c].mean() for c in classes])),
        "l1_px_224": float(scores.l1_px.mean()),
        "mean_iou": float(scores.iou.mean()),
        "iou_50": float((scores.iou >= IOU_THRESHOLD).mean()),
        "joint": float(scores.joint.mean()),
    }


def bootstrap_intervals(
    scores: PerImage, n_resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap intervals over images (Efron 1979) of :func:`summarize`."""
    generator = np.random.default_rng(seed)
    n = len(scores.iou)
    draws = []
    for _ in range(n_resamples):
        pick = generator.integers(0, n, n)
        resampled = PerImage(
            scores.true_class[pick], scores.predicted_class[pick],
            scores.l1_px[pick], scores.iou[pick],
        )  # fmt: skip
        draws.append(summarize(resampled))
    return {
        key: tuple(float(q) for q in np.percentile([d[key] for d in draws], [2.5, 97.5]))
        for key in draws[0]
    }


def per_class_scores(scores: PerImage, class_names: tuple[str, ...]) -> list[dict[str, object]]:
    """One row a class that occurs: its images, and their mean scores."""
    rows = []
    for class_id, name in enumerate(class_names):
        mine = scores.true_class == class_id
        if mine.any():
            rows.append({
                "class_name": name, "n_images": int(mine.sum()),
                "class_accuracy": float(scores.right[mine].mean()),
                "l1_px_224": float(scores.l1_px[mine].mean()),
                "mean_iou": float(scores.iou[mine].mean()),
                "joint": float(scores.joint[mine].mean()),
            })  # fmt: skip
    return rows


def confusion_matrix(scores: PerImage, n_classes: int) -> np.ndarray:
    """``(C, C)`` counts: row = true class, column = predicted class."""
    matrix = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(matrix, (scores.true_class, scores.predicted_class), 1)
    return matrix


def constant_answer(
    true_class: Tensor, true_xyxy: Tensor, fit_class: Tensor, fit_xyxy: Tensor, image_size: int
) -> PerImage:
    """What answering every photo with the commonest class and the median box would score.

    Class and box are fitted on ``fit_*`` (the training split), scored on ``true_*``.
    """
    n = len(true_class)
    common = torch.bincount(fit_class).argmax().repeat(n)
    box = fit_xyxy.median(dim=0).values.expand(n, 4)
    return per_image_scores(common, box, true_class, true_xyxy, image_size)
