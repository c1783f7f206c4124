"""Curves of ``python -m model.robustness`` beside a checkpoint."""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from markupsafe import Markup

from demo.web_files import render
from model.errors import UserError

WIDTH, HEIGHT = 200, 90
COLOURS = {"class_accuracy": "#0d9488", "mean_iou": "#d97706", "joint": "#a855f7"}
NAMES = {"class_accuracy": "class right", "mean_iou": "mean IoU", "joint": "class and box right"}


def beside(checkpoint: Path) -> Markup:
    """The curves in ``NAME.robustness.json``; nothing without the file.

    Raises:
        UserError: if it is no report of ``model.robustness``.
    """
    path = checkpoint.with_suffix(".robustness.json")
    if not path.is_file():
        return Markup()
    try:
        report = json.loads(path.read_text())
        charts = [_chart(one) for one in report["settings"]]
        return render(
            "robustness.html", charts=charts, sentences=report["sentences"],
            n_photos=report["n_photos"], split=report["split"], width=WIDTH, height=HEIGHT,
            legend=[(NAMES[key], colour) for key, colour in COLOURS.items()],
            names=list(report["train_splits"]),
            seen=[n for n, trained in report["train_splits"].items() if report["split"] in trained],
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UserError(
            f"{path.name} is no report of model.robustness ({error!r:.80}): write it again."
        ) from None


def _chart(one: dict[str, Any]) -> dict[str, Any]:
    """Lines of one setting in units of the drawing; its strengths are evenly spaced."""
    levels = one["levels"]
    names = list(one["trained_up_to"])
    lines = []
    for which, name in enumerate(names):
        for key, colour in COLOURS.items():
            across = WIDTH / (len(levels) - 1)
            scores = [
                (round(i * across, 1), score[name])
                for i, score in enumerate(level["scores"] for level in levels)
                if name in score
            ]
            intervals = [(x, score["intervals_95"][key]) for x, score in scores]
            there = [(x, low) for x, (low, _) in intervals]
            back = [(x, high) for x, (_, high) in reversed(intervals)]
            words = ", ".join(f"{score[key]:.2f}" for _, score in scores)
            lines.append(
                {"points": _points((x, score[key]) for x, score in scores),
                 "interval": _points([*there, *back]), "colour": colour, "dashed": which > 0,
                 "words": f"{name}, {NAMES[key]}: {words}"}
            )  # fmt: skip
    values = [level["value"] for level in levels]
    marks = [
        {"x": _place(float(trained), values), "dashed": which > 0}
        for which, trained in enumerate(one["trained_up_to"].values())
        if trained is not None
    ]
    first, last = f"{values[0]:g}", f"{values[-1]:g}"
    return {"label": one["label"], "lines": lines, "first": first, "last": last, "marks": marks}


def _points(scores: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x},{round(HEIGHT * (1 - score), 1)}" for x, score in scores)


def _place(value: float, values: list[float]) -> float:
    """The x of a strength between the evenly spaced ones."""
    for i, (low, high) in enumerate(pairwise(values)):
        if low <= value <= high and high > low:
            return round((i + (value - low) / (high - low)) * WIDTH / (len(values) - 1), 1)
    return float(WIDTH if value > values[-1] else 0)
