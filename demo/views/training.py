"""What the Training tab shows: how a checkpoint came about and how it scores."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from demo.backend import Backend, in_words
from demo.views import markup
from model.checkpoint import read_info
from model.metrics import MEASURES

LOSSES = {
    "loss": "loss (L1 + 25 x cross-entropy)",
    "l1_px": "L1 of training",
    "val_l1_px_224": "L1 on val",
}
SHARES = {
    "accuracy": "class accuracy of training",
    "val_class_accuracy": "class accuracy on val",
    "val_mean_iou": "mean IoU on val",
    "val_joint": "joint accuracy on val",
}
NO_HISTORY = pd.DataFrame({"epoch": [], "value": [], "curve": []})


def long_form(history: Sequence[dict[str, Any]], curves: dict[str, str]) -> pd.DataFrame:
    """One row an epoch and curve, as ``gr.LinePlot`` wants it."""
    rows = [
        {"epoch": row["epoch"], "value": float(row[column]), "curve": label}
        for column, label in curves.items()
        for row in history
        if row.get(column) is not None
    ]
    return pd.DataFrame(rows) if rows else NO_HISTORY


def show(backend: Backend, name: str) -> tuple[pd.DataFrame, pd.DataFrame, str, str]:
    """Loss curves, curves of shares, results as HTML, and the model card."""
    try:
        path = backend.checkpoint_file(name)
        info = read_info(path)
        beside = path.with_suffix(".metrics.json")
        report = json.loads(beside.read_text()) if beside.is_file() else None
        card = path.parent / "README.md"
        text = card.read_text() if card.is_file() else ""
        result = results(report) if report else measured_while_training(info.metrics)
        return (
            long_form(info.history, LOSSES), long_form(info.history, SHARES),
            settings(info.config) + result, without_front_matter(text),
        )  # fmt: skip
    except Exception as error:
        return NO_HISTORY, NO_HISTORY, markup.problem(in_words(error)), ""


def settings(config: dict[str, Any]) -> Markup:
    """The few settings people ask for first."""
    wanted = ("train_split", "image_size", "epochs", "small_epochs", "batch_size", "optimizer",
              "lr", "seed")  # fmt: skip
    rows = [(key.replace("_", " "), str(config[key])) for key in wanted if key in config]
    if config.get("backbone_weights"):
        rows.append(("backbone from", str(config["backbone_weights"])))
    return markup.table(rows, "Trained with") if rows else Markup()


def measured_while_training(metrics: dict[str, Any]) -> Markup:
    """What the checkpoint itself knows of its scores."""
    rows = [
        (label, _number(key, metrics[key])) for key, label in MEASURES.items() if key in metrics
    ]
    if not rows:
        return markup.note("This checkpoint holds no scores.")
    return markup.table(rows, f"Scores on {metrics.get('split', 'the validation split')}")


def results(report: dict[str, Any]) -> Markup:
    """Scores with their intervals, the command, the per-class table, the confusion matrix."""
    rows = []
    for key, label in MEASURES.items():
        low, high = report["intervals_95"][key]
        text = Markup("<b>{}</b> ({} to {})").format(
            _number(key, report["metrics"][key]), _number(key, low), _number(key, high)
        )
        rows.append((label, text))
    command = (
        "python train.py --data data --out runs/mine\n"
        f"python -m model.evaluate --checkpoint runs/mine/{report['checkpoint']} --data data"
        f" --split {report['split']}"
    )
    title = f"On {report['n_images']} photos of {report['split']}, with 95 % intervals"
    return markup.render(
        "results.html", table=markup.table(rows, title), command=command,
        classes=per_class(report["per_class"]), confusion=confusion(report),
    )  # fmt: skip


def _number(key: str, value: float) -> str:
    if key == "l1_px_224":
        return f"{value:.2f} px"
    return f"{value:.3f}" if key == "mean_iou" else f"{value:.1%}"


def per_class(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a class, best joint accuracy first."""
    return [
        {
            "chip": markup.chip(r["group"]), "photos": r["n_images"],
            "accuracy": f"{r['class_accuracy']:.0%}", "l1": f"{r['l1_px_224']:.1f}",
            "iou": f"{r['mean_iou']:.2f}", "joint": f"{r['joint']:.0%}",
        }
        for r in sorted(rows, key=lambda r: -r["joint"])
    ]  # fmt: skip


def confusion(report: dict[str, Any]) -> dict[str, Any] | None:
    """Rows: the true class; columns: the predicted one; darker = a larger share of the row."""
    matrix, names = report.get("confusion"), report.get("class_names")
    if not matrix or not names:
        return None
    rows = []
    for name, row in zip(names, matrix, strict=True):
        total = max(1, sum(row))
        # Light colours in both themes, dark letters on all of them.
        cells = [
            {"count": count, "light": f"{96 - 60 * count / total:.0f}"} if count else None
            for count in row
        ]
        rows.append({"name": name, "cells": cells})
    return {"names": names, "rows": rows}


def without_front_matter(text: str) -> str:
    """A Markdown file without the YAML block the Hub reads."""
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
