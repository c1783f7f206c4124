"""The Training tab: how a checkpoint came about and how it scores."""

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr
import pandas as pd

from demo import markup
from demo.backend import Backend, in_words
from demo.components import PRIVATE
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


def settings(config: dict[str, Any]) -> str:
    """The few settings people ask for first."""
    wanted = ("train_split", "image_size", "epochs", "small_epochs", "batch_size", "optimizer",
              "lr", "seed")  # fmt: skip
    rows = [(key.replace("_", " "), escape(str(config[key]))) for key in wanted if key in config]
    if config.get("backbone_weights"):
        rows.append(("backbone from", escape(str(config["backbone_weights"]))))
    return markup.table(rows, "Trained with") if rows else ""


def measured_while_training(metrics: dict[str, Any]) -> str:
    """What the checkpoint itself knows of its scores."""
    rows = [
        (label, _number(key, metrics[key])) for key, label in MEASURES.items() if key in metrics
    ]
    if not rows:
        return markup.note("This checkpoint holds no scores.")
    return markup.table(rows, f"Scores on {metrics.get('split', 'the validation split')}")


def results(report: dict[str, Any]) -> str:
    """Scores with their intervals, the command, the per-class table, the confusion picture."""
    rows = []
    for key, label in MEASURES.items():
        low, high = report["intervals_95"][key]
        text = (
            f"<b>{_number(key, report['metrics'][key])}</b>"
            f" ({_number(key, low)} to {_number(key, high)})"
        )
        rows.append((label, text))
    command = (
        "python train.py --data data --out runs/mine\n"
        f"python -m model.evaluate --checkpoint runs/mine/{report['checkpoint']} --data data"
        f" --split {report['split']}"
    )
    title = f"On {report['n_images']} photos of {report['split']}, with 95 % intervals"
    about = (
        "<p class='plain-legend'>The shipped weights have learned from train and val together, so"
        " these are the scores of the same recipe trained on train alone.</p>"
    )
    return (
        '<h3 class="part">Results</h3>'
        f"{markup.table(rows, title)}{about}{_commands(command)}"
        f"{per_class(report['per_class'])}{confusion(report)}"
    )


def _commands(text: str) -> str:
    return (
        '<pre class="commands" tabindex="0" role="region" aria-label="Commands">'
        f"{escape(text)}</pre>"
    )


def _number(key: str, value: float) -> str:
    if key == "l1_px_224":
        return f"{value:.2f} px"
    return f"{value:.3f}" if key == "mean_iou" else f"{value:.1%}"


def per_class(rows: Sequence[dict[str, Any]]) -> str:
    """One row a class, best joint accuracy first."""
    head = ("class", "photos", "class right", "L1 px", "mean IoU", "joint")
    body = "".join(
        f"<tr><th scope='row'>{markup.chip(r['group'])}</th><td>{r['n_images']}</td>"
        f"<td>{r['class_accuracy']:.0%}</td><td>{r['l1_px_224']:.1f}</td>"
        f"<td>{r['mean_iou']:.2f}</td><td>{r['joint']:.0%}</td></tr>"
        for r in sorted(rows, key=lambda r: -r["joint"])
    )
    titles = "".join(f"<th scope='col'>{title}</th>" for title in head)
    return (
        '<h3 class="part">Class by class</h3><div class="scroll" tabindex="0" role="region"'
        ' aria-label="Scores of every class"><table class="facts columns">'
        f"<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def confusion(report: dict[str, Any]) -> str:
    """Rows: the true class; columns: the predicted one; darker = a larger share of the row."""
    matrix, names = report.get("confusion"), report.get("class_names")
    if not matrix or not names:
        return ""
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in names)
    body = []
    for name, row in zip(names, matrix, strict=True):
        total = max(1, sum(row))
        cells = "".join(_cell(count, count / total) for count in row)
        body.append(f"<tr><th scope='row'>{escape(name)}</th>{cells}</tr>")
    return (
        '<h3 class="part">What is taken for what</h3><p class="plain-legend">Rows: true class.'
        ' Columns: what the detector said. Numbers: photos.</p><div class="scroll" tabindex="0"'
        ' role="region" aria-label="Confusion matrix"><table class="confusion"><thead><tr><td></td>'
        f"{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(count: int, share: float) -> str:
    if not count:
        return "<td></td>"
    # Light colours in both themes, dark letters on all of them.
    light = 96 - 60 * share
    return f'<td style="background: hsl(175 55% {light:.0f}%); color: #000">{count}</td>'


def without_front_matter(text: str) -> str:
    """A Markdown file without the YAML block the Hub reads."""
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)


def build(backend: Backend, checkpoint: gr.Dropdown) -> None:
    """Lay out the tab."""
    losses, shares, result, card = show(backend, backend.checkpoint)
    kwargs: dict[str, Any] = {"x": "epoch", "y": "value", "color": "curve", "height": 280}
    checkpoint.render()
    with gr.Row():
        first = gr.LinePlot(losses, title="Loss and L1 by epoch", elem_id="loss-plot", **kwargs)
        second = gr.LinePlot(shares, title="Shares by epoch", elem_id="share-plot", **kwargs)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            numbers = gr.HTML(result, elem_id="training-results")
        with gr.Column(scale=1, min_width=300):
            text = gr.Markdown(card, elem_id="model-card")

    checkpoint.input(
        lambda name: show(backend, name), checkpoint, [first, second, numbers, text],
        show_progress="minimal", **PRIVATE,
    )  # fmt: skip
