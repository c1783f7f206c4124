"""Metrics of largest-object detection."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from model.boxes import MATCH_IOU, SIZE_EDGES, SIZE_NAMES, l1_px_at_224, paired_iou

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
    """Metrics of N images, arrays of length N.

    Attributes:
        true_class, predicted_class: class ids.
        l1_px: mean absolute error of the four corners in pixels of a 224 canvas.
        iou: of the predicted with the true box.
    """

    true_class: np.ndarray
    predicted_class: np.ndarray
    l1_px: np.ndarray
    iou: np.ndarray

    def of(self, chosen: np.ndarray) -> "PerImage":
        """The metrics of some images, chosen by indices or bool ``(N,)``."""
        return PerImage(*(values[chosen] for values in vars(self).values()))

    @property
    def right(self) -> np.ndarray:
        """Whether the class is right."""
        return self.true_class == self.predicted_class

    @property
    def joint(self) -> np.ndarray:
        """Whether the class is right *and* the IoU at least 0.5."""
        return self.right & (self.iou >= MATCH_IOU)


def per_image_scores(
    predicted_class: Tensor,
    bbox_xyxy: Tensor,
    true_class: Tensor,
    true_xyxy: Tensor,
    image_size: int,
) -> PerImage:
    """Compare predictions with the truth; boxes ``(N, 4)`` in pixels of the canvas."""
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
        "iou_50": float((scores.iou >= MATCH_IOU).mean()),
        "joint": float(scores.joint.mean()),
    }


def bootstrap_intervals(
    scores: PerImage, n_resamples: int = 1000
) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap intervals over images (Efron 1979) of :func:`summarize`."""
    generator = np.random.default_rng(0)
    n = len(scores.iou)
    draws = [summarize(scores.of(generator.integers(0, n, n))) for _ in range(n_resamples)]
    intervals = {}
    for key in draws[0]:
        low, high = np.percentile([draw[key] for draw in draws], [2.5, 97.5])
        intervals[key] = (float(low), float(high))
    return intervals


def group_scores(scores: PerImage, groups: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """One row per group that is not empty: its name, number of images, and mean metrics.

    ``groups`` is name -> bool ``(N,)``; groups may overlap.
    """
    rows = []
    for name, members in groups.items():
        if members.any():
            means = summarize(scores.of(members))
            del means["macro_accuracy"]  # for one class the same as class_accuracy
            rows.append({"group": name, "n_images": int(members.sum()), **means})
    return rows


def size_groups(area_share: np.ndarray) -> dict[str, np.ndarray]:
    """Images grouped by the share ``(N,)`` of them that the largest object's box covers."""
    group_of = np.digitize(area_share, SIZE_EDGES[1:-1])
    return {name: group_of == i for i, name in enumerate(SIZE_NAMES)}


def crowd_groups(facts: pd.DataFrame) -> dict[str, np.ndarray]:
    """Images grouped by the number of objects, and those with a large second object.

    For ``facts`` see :func:`model.evaluation.report.photo_facts`.
    """
    count, second = facts.n_objects.to_numpy(), facts.second_share.to_numpy()
    return {
        "one object": count == 1,
        "two or three objects": (count == 2) | (count == 3),
        "four and more objects": count >= 4,
        "second more than half as large": second > 0.5,
    }


def confusion_matrix(scores: PerImage, n_classes: int) -> np.ndarray:
    """``(C, C)`` counts: row = true class, column = predicted class."""
    matrix = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(matrix, (scores.true_class, scores.predicted_class), 1)
    return matrix
