"""What the Training tab shows: how a checkpoint was trained, and its scores."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from demo.backend import Backend
from demo.views import markup, robustness
from demo.views.confusion import show_matrix
from demo.views.curves import Curve, line_chart
from demo.web_files import render
from model.checkpoint import CheckpointInfo, read_info
from model.errors import UserError
from model.evaluation.metrics import MEASURES
from model.evaluation.report import score_sentence
from model.words import percent

# Title of a chart -> column of a run's history -> label of its curve.
LOSS, L1, SHARES = "Loss", "L1 of the box, pixels of a 224 canvas", "Shares of photos, and IoU"
CHARTS = {
    LOSS: {"loss": "training loss"},
    L1: {"l1_px": "in training", "val_l1_px_224": "on val"},
    SHARES: {
        "accuracy": "class right in training",
        "val_class_accuracy": "class right on val",
        "val_joint": "class and box right on val",
        "val_mean_iou": "mean IoU on val",
    },
}
DOWNLOADED = "VOCdevkit"  # name of the folder of VOC
EARLIER = "last.safetensors"  # checkpoints keep only the file name of ``start_from``
SETTINGS = (
    "train_split", "head", "image_size", "epochs", "small_epochs", "mosaics", "plain_epochs",
    "batch_size", "lr", "negatives", "seed", "backbone_weights", "start_from",
)  # fmt: skip
GROUPS = {
    "by_size": "by size of the largest object",
    "by_objects": "by number of objects",
    "per_class": "by class",
}


@dataclass(frozen=True)
class RunShown:
    """A training run.

    Attributes:
        name: its label; empty if it is the only run.
        config: its settings.
        history: one dict per epoch.
        first: number of its first epoch: a run may continue from the weights of another.
        dashed: whether its curves are dashed.
    """

    name: str
    config: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    first: int = 1
    dashed: bool = False


@dataclass(frozen=True)
class TrainingView:
    """The parts of the tab, as HTML; ``model_card`` is Markdown."""

    charts: Markup
    results: Markup
    matrix: Markup
    model_card: str


def show(backend: Backend, name: str) -> TrainingView:
    """The view of a checkpoint, from its header and the report and model card in its folder.

    Raises:
        UserError: for a name or a report that cannot be used.
    """
    path = backend.checkpoint_file(name)
    info = read_info(path)
    report = report_beside(path)
    card = path.parent / "README.md"
    text = card.read_text() if card.is_file() else ""
    runs = runs_of(info, report)
    drawn = [part for run in runs for part in parts_of(run)]
    charts = [line_chart(title, curves(drawn, wanted)) for title, wanted in CHARTS.items()]
    return TrainingView(
        Markup('<div class="all-curves">{}</div>').format(markup.join(charts)) + went_on(drawn),
        results(info, runs, report) + robustness.beside(path), show_matrix(backend, report, name),
        without_front_matter(text),
    )  # fmt: skip


def report_beside(checkpoint: Path) -> dict[str, Any] | None:
    """The report of ``python -m model.evaluate`` on a checkpoint; ``None`` if there is none.

    Raises:
        UserError: if the file is not JSON.
    """
    path = checkpoint.with_suffix(".metrics.json")
    try:
        return json.loads(path.read_text()) if path.is_file() else None
    except ValueError as error:
        raise UserError(f"{path.name} is no report of model.evaluate ({error}).") from None


def runs_of(info: CheckpointInfo, report: Mapping[str, Any] | None) -> list[RunShown]:
    """The run of the report, if that is of another run, and the run of the checkpoint."""
    own = RunShown("", info.config, info.history)
    theirs = (report or {}).get("history")
    if not theirs or theirs == info.history:
        return [own]
    config = (report or {}).get("config", {})
    validated = RunShown(f"run on {config.get('train_split', 'another split')}", config, theirs)
    split = info.config.get("train_split", "other photos")
    name = f"these weights, on {split}"
    return [validated, RunShown(name, info.config, info.history, dashed=True)]


def parts_of(run: RunShown) -> list[RunShown]:
    """The runs in a history: a run that continues from another one has the epochs of both.

    They may have used different photos, so each has its own curves. Earlier runs get numbers,
    because their names are folders on the machine that trained them.
    """
    # Only rows of earlier runs have a ``run``.
    grouped = [
        list(rows)
        for _, rows in groupby(run.history, lambda row: ("run" in row, str(row.get("run"))))
    ]
    if len(grouped) < 2:
        return [run]
    parts, first = [], 1
    for i, rows in enumerate(grouped, 1):
        is_last = i == len(grouped)
        if is_last:
            name = "this run"
        elif i == len(grouped) - 1 and run.config.get("start_from") == "shipped":
            name = "shipped weights"
        else:
            name = "earlier run" if len(grouped) == 2 else f"earlier run {i}"
        words = ", ".join(filter(None, (run.name, name)))
        parts.append(RunShown(words, run.config, rows, first, run.dashed or not is_last))
        first += len(rows)
    return parts


def curves(runs: Sequence[RunShown], wanted: Mapping[str, str]) -> list[Curve]:
    """A curve for each run and column of its history, coloured by column."""
    found = []
    for place, (column, label) in enumerate(wanted.items()):
        for run in runs:
            rows = [(n, row) for n, row in enumerate(run.history, run.first) if column in row]
            points = [(n, float(row[column])) for n, row in rows if _is_number(row[column])]
            words = f"{label}, {run.name}" if run.name else label
            dotted = column.startswith("val_")
            found.append(Curve(words, points, place, run.dashed, dotted))
    return found


def went_on(parts: Sequence[RunShown]) -> Markup:
    """A note if a run continued from the weights of another; else empty."""
    if all(part.first == 1 for part in parts):
        return Markup()
    return markup.note(
        "A run that went on from the weights of an earlier one counts on from its epochs. The"
        " earlier run may have learned from other photos, and its scores may be of others."
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _setting(value: object) -> str:
    return "an earlier run" if value == EARLIER else str(value) or "-"


def settings(runs: Sequence[RunShown]) -> Markup:
    """A table of the main settings, one column per run."""
    rows = [
        (key.replace("_", " "), [_setting(run.config.get(key, "")) for run in runs])
        for key in SETTINGS
        if any(str(run.config.get(key, "")) for run in runs)
    ]
    if not rows:
        return Markup()
    names = [run.name for run in runs] if len(runs) > 1 else []
    return render("settings.html", names=names, rows=rows)


def measured_while_training(metrics: Mapping[str, Any]) -> Markup:
    """A table of the scores stored in the checkpoint."""
    rows = [
        (label, _number(key, metrics[key])) for key, label in MEASURES.items() if key in metrics
    ]
    if not rows:
        return markup.note("This checkpoint holds no scores.")
    table = markup.table(rows, f"Scores on {metrics.get('split', 'the validation split')}")
    return table + Markup('<p class="plain-legend">{}</p>').format(markup.IOU_EXPLAINED)


def results(
    info: CheckpointInfo, runs: Sequence[RunShown], report: Mapping[str, Any] | None
) -> Markup:
    """Settings, scores with intervals, the commands that reproduce them, scores by group."""
    if not report:
        return settings(runs) + measured_while_training(info.metrics)
    baseline = (report.get("majority_baseline") or {}).get("metrics", {})
    rows = []
    for key, label in MEASURES.items():
        interval = " to ".join(_number(key, v) for v in report["intervals_95"][key])
        other = _number(key, baseline[key]) if key in baseline else "-"
        rows.append((label, _number(key, report["metrics"][key]), interval, other))
    trained_on = info.config.get("train_split")
    split = report["split"]
    return render(
        "results.html", settings=settings(runs), rows=rows, split=split,
        explained=markup.IOU_EXPLAINED,
        n_images=report["n_images"], command=commands(report),
        trained_on=trained_on if split in str(trained_on) else "",
        score=score_sentence(report["score"]) if report.get("score") else "",
        groups=[(title, _group_rows(key, report[key])) for key, title in GROUPS.items()
                if report.get(key)],
    )  # fmt: skip


def commands(report: Mapping[str, Any]) -> str:
    """The commands that reproduce a report: training with its settings, then evaluation."""
    config = report.get("config", {})
    folders = str(config.get("data") or DOWNLOADED).split(", ")
    # `model.dataset download --data data` puts it there.
    data = " ".join(f"--data {'data' if name == DOWNLOADED else name}" for name in folders)
    given = {key: str(config.get(key, "")) for key in SETTINGS}
    given["start_from"] = given["start_from"].replace(EARLIER, f"runs/first/{EARLIER}")
    flags = " ".join(f"--{key.replace('_', '-')} {text}" for key, text in given.items() if text)
    return (
        f"python train.py {data} --out runs/mine {flags}".rstrip()
        + f"\npython -m model.evaluate --checkpoint runs/mine/{report['checkpoint']} {data}"
        f" --split {report['split']}"
    )


def _number(key: str, value: float) -> str:
    if key == "l1_px_224":
        return f"{value:.2f}"
    return f"{value:.3f}" if key == "mean_iou" else percent(value, 1)


def _group_rows(key: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One row per group; classes as coloured chips, the best joint accuracy first."""
    if key != "per_class":
        return list(rows)
    best_first = sorted(rows, key=lambda row: -row["joint"])
    return [{**row, "group": markup.chip(row["group"])} for row in best_first]


def without_front_matter(text: str) -> str:
    """Markdown without its YAML front matter, which is for the Hugging Face Hub."""
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
