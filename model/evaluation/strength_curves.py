"""Metrics of a detector against the strength of each setting of the augmentation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from model.augment import AugmentConfig, Pipeline
from model.augment.steps import Step
from model.augment.steps.base import Setting
from model.checkpoint import CheckpointInfo
from model.data.names import share_of
from model.data.records import DatasetSplit
from model.errors import UserError
from model.evaluation.metrics import (
    SIZE_EDGES,
    PerImage,
    bootstrap_intervals,
    per_image_scores,
    summarize,
)
from model.inference import Detector
from model.loading.dataset import LargestObjectDataset, PhotoWithBoxes

LEVELS = 7  # including the unchanged photos
SHOWN = ("class_accuracy", "mean_iou", "joint")  # metrics
FALL = 0.1  # least fall of the joint accuracy that is mentioned


Change = tuple[Step, Setting, float]
"""How photos are changed: a step, one of its settings, and its value."""


def representative_photos(split: DatasetSplit, count: int) -> pd.DataFrame:
    """At most ``count`` photos, with the same shares of classes and sizes as the split.

    They are evenly spaced in the order of class, size and a hash of the name: always the same ones.
    """
    frame = split.frame
    size = np.digitize(frame.area_fraction, SIZE_EDGES[1:-1])
    hashes = [share_of(name) for name in frame.file_name]
    order = np.lexsort((np.array(hashes), size, frame.class_name.to_numpy()))
    indices = np.linspace(0, len(frame) - 1, min(count, len(frame))).round().astype(int)
    return frame.iloc[np.sort(order[indices])].reset_index(drop=True)


def levels_of(setting: Setting) -> list[float]:
    """Strengths from weak to the strongest allowed; weak ones are closer together.

    A probability has only one: 1.
    """
    if setting.name.endswith("_probability"):
        return [1.0]
    reach = setting.high - setting.off
    return [round(setting.off + reach * (i / (LEVELS - 1)) ** 2, 4) for i in range(1, LEVELS)]


def measure(
    detectors: Mapping[str, Detector],
    dataset: LargestObjectDataset,
    batch_size: int,
    n_resamples: int,
    progress: bool,
) -> dict[str, Any]:
    """All curves as JSON values.

    Each photo is changed by one of the extremes of a setting in turn: the first photo is rotated to
    the left, the second to the right. A photo that would lose so much of its object that training
    would draw again is left out of that level.

    Args:
        detectors: by name; with the same classes.
        dataset: made for the largest canvas of the detectors.
        n_resamples: of the 95 % bootstrap intervals.
    """
    curves = [(step, s, levels_of(s)) for step in AugmentConfig.steps for s in step.settings]
    total = len(dataset) * (1 + sum(len(values) for *_, values in curves))
    settings = []
    with tqdm(total=total, unit="photo", disable=not progress, leave=False) as bar:

        def level(change: Change | None) -> dict[str, Any]:
            by_name = _scores(detectors, dataset, batch_size, change, bar)
            scores = {name: _summary(p, n_resamples) for name, p in by_name.items() if p}
            n_photos = sum(len(part.iou) for part in next(iter(by_name.values())))
            return {"n_photos": n_photos, "scores": scores}

        start = level(None)
        for step, s, values in curves:
            levels = [{"value": s.off, **start}]
            for value in values:
                bar.set_description(f"{s.label} {value:g}")
                levels.append({"value": value, **level((step, s, value))})
            trained = {name: trained_up_to(d.info, s) for name, d in detectors.items()}
            settings.append({
                "setting": s.name, "label": s.label, "group": step.group,
                "trained_up_to": trained, "levels": levels,
            })  # fmt: skip
    sentences = [first_fall_sentence(settings, name) for name in detectors]
    return {"n_photos": len(dataset), "settings": settings, "sentences": sentences}


def trained_up_to(info: CheckpointInfo, setting: Setting) -> float | None:
    """The value of a setting in training, from a checkpoint; ``None`` if unknown."""
    augment = info.config.get("augment")
    return float(augment.get(setting.name, setting.off)) if isinstance(augment, dict) else None


def first_fall_sentence(settings: Sequence[dict[str, Any]], name: str) -> str:
    """A sentence on the setting that costs :data:`FALL` of joint accuracy at the least strength."""
    falls: list[tuple[int, float, str]] = []
    for setting in settings:
        start, *later = [level["scores"].get(name) for level in setting["levels"]]
        for index, scores in enumerate(later):
            # A level may have no photos left, and with few of them a fall may be chance.
            if scores is None or not start:
                continue
            joint, high = scores["joint"], scores["intervals_95"]["joint"][1]
            if start["joint"] - joint >= FALL and high < start["joint"]:
                value = setting["levels"][index + 1]["value"]
                trained = setting["trained_up_to"][name]
                limit = "" if trained is None else f" (trained up to {trained:g})"
                fell = f"from {start['joint']:.3f} to {joint:.3f}"
                words = f"{setting['label'].lower()} {value:g}{limit}: {fell}"
                # A probability has no weak levels: it comes after all other settings.
                falls.append((index + (LEVELS if len(later) == 1 else 0), joint, words))
                break
    if not falls:
        return f"{name}: class and box stay right everywhere, to within {FALL * 100:.0f} points."
    return f"{name}: class and box are right less often first at {min(falls)[2]}."


def _scores(
    detectors: Mapping[str, Detector], dataset: LargestObjectDataset, batch_size: int,
    change: Change | None, bar: tqdm,
) -> dict[str, list[PerImage]]:  # fmt: skip
    """Metrics of each detector, batch by batch, on the photos that training would accept."""
    by_name: dict[str, list[PerImage]] = {name: [] for name in detectors}
    for start in range(0, len(dataset), batch_size):
        indices = range(start, min(start + batch_size, len(dataset)))
        photos = [dataset.photo(index) for index in indices]
        for name, detector in detectors.items():
            info = detector.info
            if kept := [c for c in _changed(info, photos, indices, change) if c]:
                images, boxes, labels = zip(*kept, strict=True)
                batch = detector.predict_inputs(images)
                predicted = batch.probabilities.argmax(dim=1), batch.bbox_xyxy
                truth = torch.stack(labels), torch.stack(boxes)
                by_name[name].append(per_image_scores(*predicted, *truth, info.image_size))
        bar.update(len(indices))
    return by_name


def _changed(
    info: CheckpointInfo, photos: Sequence[PhotoWithBoxes], indices: range, change: Change | None
) -> Iterator[tuple[Tensor, Tensor, Tensor] | None]:
    """Input of the network, true box ``(4,)`` on its canvas, and class id, for each photo.

    ``None`` for a photo that training would not accept.
    """
    config = AugmentConfig.none()
    if change:
        config = AugmentConfig.from_dict({**vars(config), change[1].name: change[2]})
    pipeline = Pipeline(config, info.image_size, info.mean, info.std)
    for index, (image, boxes, labels) in zip(indices, photos, strict=True):
        target, chosen = boxes[:1], {}
        if change:
            step, setting, _ = change
            limits = step.limits(config, image.size, tuple(boxes[0].tolist()))
            extremes = [each.params for each in limits if each.setting == setting.name]
            chosen = {step.name: extremes[index % len(extremes)]} if extremes else {}
        plan = pipeline.chosen_plan(image.size, chosen)
        if change and not pipeline.keeps(plan, target):
            yield None
            continue
        sample = pipeline(image, target, plan=plan)
        yield sample.image, sample.bbox_xyxy[0], labels[0]


def _summary(parts: Sequence[PerImage], n_resamples: int) -> dict[str, Any]:
    scores = PerImage(*map(np.concatenate, zip(*(vars(p).values() for p in parts), strict=True)))
    intervals, means = bootstrap_intervals(scores, n_resamples), summarize(scores)
    rounded = {key: round(means[key], 4) for key in SHOWN}
    return {**rounded, "intervals_95": {k: [round(v, 4) for v in intervals[k]] for k in SHOWN}}


def check_alike(named: Sequence[tuple[str, CheckpointInfo]]) -> None:
    """Raise UserError if named checkpoints have different classes, or the same name."""
    (first, info), *others = named
    for name, other in others:
        if other.class_names != info.class_names:
            raise UserError(f"{name} knows other classes than {first}: measure them one by one.")
        if name == first:
            raise UserError(f"both checkpoints are called {first}: rename one of the files.")


def table(report: dict[str, Any]) -> pd.DataFrame:
    """A row for each setting, level and detector."""
    rows = []
    for setting in report["settings"]:
        for level in setting["levels"]:
            for name, scores in level["scores"].items():
                trained = setting["trained_up_to"][name]
                row = {"setting": setting["setting"], "value": level["value"], "checkpoint": name}
                row |= {"n_photos": level["n_photos"], "trained_up_to": trained}
                for key in SHOWN:
                    low, high = scores["intervals_95"][key]
                    row |= {key: scores[key], f"{key}_low": low, f"{key}_high": high}
                rows.append(row)
    return pd.DataFrame(rows)
