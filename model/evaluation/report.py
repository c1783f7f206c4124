"""The report of an evaluation: metrics with intervals, by group, and reliability of the score.

Reports are plain JSON values.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch

from model.boxes import box_areas
from model.csv_cells import without_formulas
from model.evaluation.calibration import reliability
from model.evaluation.metrics import (
    MEASURES,
    bootstrap_intervals,
    confusion_matrix,
    crowd_groups,
    group_scores,
    per_image_scores,
    size_groups,
    summarize,
)
from model.evaluation.per_photo import COLUMNS, FACTS, PREDICTED_BOX, TRUE_BOX
from model.evaluation.predict_dataset import Negatives, Predictions
from model.loading.dataset import LargestObjectDataset
from model.score import Calibration
from model.words import counted, percent


def photo_facts(dataset: LargestObjectDataset) -> pd.DataFrame:
    """A row of annotation facts for each photo, without difficult objects.

    Columns:
        n_objects: how many there are.
        area_share: share of the photo that the largest object's box covers.
        second_share: area of the second largest box over that of the largest; 0 if there is none.
    """
    rows = []
    for photo in dataset.objects:
        areas = box_areas(photo.boxes).tolist()
        second = areas[1] / areas[0] if len(areas) > 1 else 0.0
        rows.append((len(areas), areas[0] / (photo.width * photo.height), second))
    return pd.DataFrame(rows, columns=list(FACTS))


def accuracy_report(
    predictions: Predictions, dataset: LargestObjectDataset, n_resamples: int = 1000
) -> dict[str, Any]:
    """Metrics over all photos, by class, by object size and by number of objects."""
    scores, facts = predictions.scores(), photo_facts(dataset)
    names = dataset.class_names
    by_class = {name: scores.true_class == i for i, name in enumerate(names)}
    return {
        "n_images": len(scores.iou),
        "metrics": summarize(scores),
        "intervals_95": bootstrap_intervals(scores, n_resamples),
        "per_class": group_scores(scores, by_class),
        "by_size": group_scores(scores, size_groups(facts.area_share.to_numpy())),
        "by_objects": group_scores(scores, crowd_groups(facts)),
        "confusion": confusion_matrix(scores, len(names)).tolist(),
        "class_names": list(names),
    }


def score_report(
    predictions: Predictions, calibration: Calibration, negatives: Negatives
) -> dict[str, Any]:
    """Reliability of the score, and the share of images without object below its threshold.

    Args:
        predictions: for photos with an object.
        negatives: of images without; the key ``negatives`` of the report is only the windows.
    """
    joint = predictions.scores().joint
    score = calibration.score(predictions.evidence.double()).numpy()
    probability, predicted = calibration.probabilities(predictions.probabilities).max(dim=1)
    class_right = (predicted == predictions.true_class).numpy()
    report = {
        "threshold": calibration.threshold,
        "right_kept": float((score[joint] >= calibration.threshold).mean()) if joint.any() else 0.0,
        "reliability": reliability(score, joint),
        "class_reliability": reliability(probability.double().numpy(), class_right),
    }
    for key, evidence in (("backgrounds", negatives.backgrounds), ("negatives", negatives.windows)):
        if len(evidence):
            refused = calibration.score(evidence.double()) < calibration.threshold
            report[key] = {"n": len(evidence), "refused": float(refused.double().mean())}
    return report


def baseline_report(
    predictions: Predictions, class_names: Sequence[str], fit: pd.DataFrame, fitted_on: str
) -> dict[str, Any]:
    """Metrics of always predicting the commonest class and the median box of the photos in ``fit``.

    They are compared with the truth in ``predictions``.
    """
    size = predictions.image_size
    corners = torch.tensor(fit[["xmin", "ymin", "xmax", "ymax"]].to_numpy(dtype="float32"))
    extent = torch.tensor(fit[["width", "height"]].to_numpy(dtype="float32")).repeat(1, 2)
    classes = torch.tensor([class_names.index(name) for name in fit.class_name])
    true_class, true_xyxy = predictions.true_class, predictions.true_xyxy
    commonest = torch.bincount(classes).argmax().expand(len(true_class))
    box = (corners / extent * size).median(dim=0).values.expand(len(true_class), 4)
    scores = per_image_scores(commonest, box, true_class, true_xyxy, size)
    return {"fitted_on": fitted_on, "metrics": summarize(scores)}


def per_photo_table(
    predictions: Predictions, dataset: LargestObjectDataset, calibration: Calibration | None
) -> pd.DataFrame:
    """A row per photo, with :data:`model.evaluation.per_photo.COLUMNS`.

    Boxes are in pixels of the original photo. Without a calibration the score is the probability of
    the class.
    """
    scores, facts = predictions.scores(), photo_facts(dataset)
    extent = dataset.frame[["width", "height", "width", "height"]].to_numpy(dtype="float64")
    scale = extent / predictions.image_size
    probability = predictions.probabilities.max(dim=1).values
    score = calibration.score(predictions.evidence.double()) if calibration else probability
    names = [name for (name,) in without_formulas(zip(dataset.frame.file_name))]
    columns: dict[str, Any] = {"file_name": names}
    for prefix, sides, classes, boxes in (
        ("true", TRUE_BOX, scores.true_class, predictions.true_xyxy),
        ("predicted", PREDICTED_BOX, scores.predicted_class, predictions.bbox_xyxy),
    ):
        columns[f"{prefix}_class"] = [dataset.class_names[i] for i in classes]
        corners = (boxes.double().numpy() * scale).round(1)
        columns |= dict(zip(sides, corners.T, strict=True))
    columns |= {"score": score.numpy().round(4), "iou": scores.iou.round(4)}
    columns |= {"l1_px_224": scores.l1_px.round(3)}
    columns |= {fact: facts[fact].round(4) for fact in FACTS}
    return pd.DataFrame(columns, columns=list(COLUMNS))


def format_report(report: dict[str, Any]) -> str:
    """The report as text for a terminal."""
    extra = ", mirrored photo averaged in" if report["flip"] else ""
    if report["looks"] > 1:
        extra += f", {report['looks']:.2f} looks a photo"
    head = (
        f"{report['checkpoint']} on {report['split']}: {counted(report['n_images'], 'photo')},"
        f" {report['precision']}{extra}"
    )
    tables = [pd.DataFrame(report[key]) for key in ("by_size", "by_objects", "per_class")]
    tables[-1] = tables[-1].sort_values("joint", ascending=False)
    groups = [table.round(3).to_string(index=False) for table in tables]
    parts = [head, _measures(report), *groups]
    if report.get("score"):
        parts.append(f"score: {score_sentence(report['score'])}")
    return "\n\n".join(parts)


def _measures(report: dict[str, Any]) -> str:
    baseline = report["majority_baseline"]
    lines = [f"{'measure':32} {'value':>8}   95 % interval      majority baseline"]
    for key, label in MEASURES.items():
        low, high = report["intervals_95"][key]
        other = f"{baseline['metrics'][key]:8.3f}" if baseline else "       -"
        own = f"{report['metrics'][key]:8.3f}"
        lines.append(f"{label:32} {own}   {low:7.3f} - {high:<7.3f}   {other}")
    return "\n".join(lines)


def score_sentence(score: Mapping[str, Any]) -> str:
    """The ``score`` of a report as a sentence."""
    text = (
        f"calibration error (ECE) {score['reliability']['ece']:.3f}; its threshold"
        f" {score['threshold']:.3f} keeps {percent(score['right_kept'], 1)} of the right answers"
    )
    refused = refused_sentence(score)
    return f"{text} and {refused}" if refused else text


def refused_sentence(score: Mapping[str, Any]) -> str:
    """Shares of images without object below the threshold, by kind; empty if there are none."""
    parts = [
        f"{percent(score[key]['refused'], 1)} of {counted(score[key]['n'], name)}"
        for key, name in (("backgrounds", "background"), ("negatives", "empty window"))
        if key in score
    ]
    return f"refuses {' and '.join(parts)}" if parts else ""
