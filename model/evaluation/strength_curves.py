"""How well a detector does on photos changed by one setting of the augmentation, stronger and
stronger, with all others off."""

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

LEVELS = 7  # with the photos as they are
SHOWN = ("class_accuracy", "mean_iou", "joint")  # measures
FALL = 0.1  # of joint, that is worth a sentence


Given = tuple[Step, Setting, float]
"""What photos are changed by: a step, one of its settings, and the value of that."""


def some_rows(split: DatasetSplit, count: int) -> pd.DataFrame:
    """At most ``count`` photos, with the shares of the classes and sizes that the split has.

    Sorted by class, size and a hash of the name, every so many-th is taken: always the same ones.
    """
    frame = split.frame
    size = np.digitize(frame.area_fraction, SIZE_EDGES[1:-1])
    drawn = [share_of(name) for name in frame.file_name]
    order = np.lexsort((np.array(drawn), size, frame.class_name.to_numpy()))
    places = np.linspace(0, len(frame) - 1, min(count, len(frame))).round().astype(int)
    return frame.iloc[np.sort(order[places])].reset_index(drop=True)


def levels_of(setting: Setting) -> list[float]:
    """Strengths from weak to the strongest allowed, closer together where they are weak.

    A chance has one: always.
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
    """All curves, as JSON has them.

    Each photo is decoded once (the data set's cache), and changed by the extremes of a setting in
    turn: the first photo turned to the left, the second to the right. A photo that would lose so
    much of its object that training would draw again is left out of that level.

    Args:
        detectors: by name; they know the same classes.
        dataset: of the photos, made for the largest canvas among the detectors.
        n_resamples: of the 95 % bootstrap intervals.
    """
    chosen = [(step, s, levels_of(s)) for step in AugmentConfig.steps for s in step.settings]
    total = len(dataset) * (1 + sum(len(values) for *_, values in chosen))
    settings = []
    with tqdm(total=total, unit="photo", disable=not progress, leave=False) as bar:

        def level(given: Given | None) -> dict[str, Any]:
            found = _scores(detectors, dataset, batch_size, given, bar)
            scores = {name: _summary(parts, n_resamples) for name, parts in found.items() if parts}
            n_photos = sum(len(part.iou) for part in next(iter(found.values())))
            return {"n_photos": n_photos, "scores": scores}

        start = level(None)
        for step, s, values in chosen:
            levels = [{"value": s.off, **start}]
            for value in values:
                bar.set_description(f"{s.label} {value:g}")
                levels.append({"value": value, **level((step, s, value))})
            trained = {name: trained_up_to(one.info, s) for name, one in detectors.items()}
            settings.append({
                "setting": s.name, "label": s.label, "group": step.group,
                "trained_up_to": trained, "levels": levels,
            })  # fmt: skip
    sentences = [falls_first(settings, name) for name in detectors]
    return {"n_photos": len(dataset), "settings": settings, "sentences": sentences}


def trained_up_to(info: CheckpointInfo, setting: Setting) -> float | None:
    """The value in training, by a checkpoint's header; ``None`` where that is not known."""
    known = info.config.get("augment")
    return float(known.get(setting.name, setting.off)) if isinstance(known, dict) else None


def falls_first(settings: Sequence[dict[str, Any]], name: str) -> str:
    """Which setting costs a detector :data:`FALL` of its joint accuracy at the least strength."""
    found: list[tuple[int, float, str]] = []
    for one in settings:
        start, *later = [level["scores"].get(name) for level in one["levels"]]
        for place, scores in enumerate(later):
            # A level may have no photos left; a few photos fall by chance.
            if scores is None or not start:
                continue
            joint, high = scores["joint"], scores["intervals_95"]["joint"][1]
            if start["joint"] - joint >= FALL and high < start["joint"]:
                value, trained = one["levels"][place + 1]["value"], one["trained_up_to"][name]
                known = "" if trained is None else f" (trained up to {trained:g})"
                fell = f"from {start['joint']:.3f} to {joint:.3f}"
                words = f"{one['label'].lower()} {value:g}{known}: {fell}"
                # A chance has no weak levels: it comes after all others.
                found.append((place + (LEVELS if len(later) == 1 else 0), joint, words))
                break
    if not found:
        return f"{name}: class and box stay right everywhere, to within {FALL * 100:.0f} points."
    first = min(found)[2]
    return f"{name}: class and box are right less often first at {first}."


def _scores(
    detectors: Mapping[str, Detector], dataset: LargestObjectDataset, batch_size: int,
    given: Given | None, bar: tqdm,
) -> dict[str, list[PerImage]]:  # fmt: skip
    """Of each detector, in parts, on the photos that training would take."""
    found: dict[str, list[PerImage]] = {name: [] for name in detectors}
    for start in range(0, len(dataset), batch_size):
        places = range(start, min(start + batch_size, len(dataset)))
        photos = [dataset.photo(place) for place in places]
        for name, one in detectors.items():
            if good := [c for c in _changed(one.info, photos, places, given) if c]:
                images, boxes, labels = zip(*good, strict=True)
                predicted = one.predict_inputs(images)
                answer = predicted.probabilities.argmax(dim=1), predicted.bbox_xyxy
                truth = torch.stack(labels), torch.stack(boxes)
                found[name].append(per_image_scores(*answer, *truth, one.info.image_size))
        bar.update(len(places))
    return found


def _changed(
    info: CheckpointInfo, photos: Sequence[PhotoWithBoxes], places: range, given: Given | None
) -> Iterator[tuple[Tensor, Tensor, Tensor] | None]:
    """What the network gets, the true box on its canvas and its class.

    ``None`` for a photo that training would not take.
    """
    config = AugmentConfig.none()
    if given:
        config = AugmentConfig.from_dict({**vars(config), given[1].name: given[2]})
    pipeline = Pipeline(config, info.image_size, info.mean, info.std)
    for place, (image, boxes, labels) in zip(places, photos, strict=True):
        target, chosen = boxes[:1], {}
        if given:
            step, setting, _ = given
            limits = step.limits(config, image.size, tuple(boxes[0].tolist()))
            own = [each.params for each in limits if each.setting == setting.name]
            chosen = {step.name: own[place % len(own)]} if own else {}
        plan = pipeline.chosen_plan(image.size, chosen)
        if given and not pipeline.keeps(plan, target):
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
    """Raise UserError if two checkpoints, each with its name, know other classes or have one."""
    (first, info), *others = named
    for name, other in others:
        if other.class_names != info.class_names:
            raise UserError(f"{name} knows other classes than {first}: measure them one by one.")
        if name == first:
            raise UserError(f"both checkpoints are called {first}: rename one of the files.")


def table(report: dict[str, Any]) -> pd.DataFrame:
    """A row for each setting, level and detector."""
    rows = []
    for one in report["settings"]:
        for level in one["levels"]:
            for name, scores in level["scores"].items():
                row = {"setting": one["setting"], "value": level["value"], "checkpoint": name}
                row |= {"n_photos": level["n_photos"], "trained_up_to": one["trained_up_to"][name]}
                for key in SHOWN:
                    low, high = scores["intervals_95"][key]
                    row |= {key: scores[key], f"{key}_low": low, f"{key}_high": high}
                rows.append(row)
    return pd.DataFrame(rows)
