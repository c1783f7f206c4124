"""Plots: loss curves, prediction sheets, confusion matrix, reliability, data set statistics."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image

from model.draw import TRUTH_COLOUR, LabelledBox, class_colour, contact_sheet, draw_boxes
from model.evaluation.predict_dataset import Predictions
from model.files import atomic_write
from model.loading.dataset import DetectionDataset, LargestObjectDataset, collate
from model.loading.targets import pad_targets
from model.predictions import on_cpu, predict_batch
from model.words import percent

SHEET_PHOTOS, TILE_SIDE = 16, 300  # photos on a contact sheet, and side of each in pixels


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110)


def plot_history(history: pd.DataFrame, path: Path) -> None:
    """Plot loss, L1 and accuracy of training; L1, accuracy, joint accuracy and IoU of validation.

    Args:
        history: a row per epoch; those of earlier runs come first, with their names as ``run``, and
            are separated by lines.
    """
    history = history.assign(number=range(1, len(history) + 1))
    names = history.get("run", history.number * 0).fillna("")
    begins = history.number[names.ne(names.shift())].iloc[1:]
    figure = Figure(figsize=(12, 3.6))
    axes = figure.subplots(1, 3)
    panels = [
        ("loss = L1 + 25 x cross-entropy", ["loss"]),
        ("L1, pixels @224", ["l1_px", "val_l1_px_224"]),
        ("share of photos", ["accuracy", "val_class_accuracy", "val_joint", "val_mean_iou"]),
    ]
    for axis, (title, columns) in zip(axes, panels, strict=True):
        for column in columns:
            if column in history and history[column].notna().any():
                values = history[["number", column]].dropna()
                label = column.removeprefix("val_").replace("_", " ")
                label = f"val {label}" if column.startswith("val_") else f"train {label}"
                axis.plot(values["number"], values[column], marker="o", markersize=3, label=label)
        for number in begins:
            axis.axvline(number - 0.5, color="0.5", linewidth=1)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    _save(figure, path)


def picture_sheet(tiles: Sequence[Image.Image], path: Path) -> None:
    """Write a contact sheet of :func:`prediction_tile` pictures as PNG."""
    with atomic_write(path) as temporary:
        contact_sheet(tiles, TILE_SIDE).save(temporary)


def plot_confusion(matrix: np.ndarray, class_names: Sequence[str], path: Path) -> None:
    """Plot a confusion matrix: row = true, column = predicted class, colour = share of the row."""
    share = matrix / matrix.sum(axis=1, keepdims=True).clip(min=1)
    side = 2.5 + 0.4 * len(class_names)
    figure = Figure(figsize=(side, side))
    axis = figure.subplots()
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(class_names))
    axis.set_xticks(ticks, class_names, rotation=90, fontsize=8)
    axis.set_yticks(ticks, class_names, fontsize=8)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    for row, column in np.argwhere(matrix):
        text, colour = str(matrix[row, column]), "w" if share[row, column] > 0.5 else "k"
        axis.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    _save(figure, path)


def plot_statistics(frame: pd.DataFrame, path: Path) -> None:
    """Plot the photos per class, and the sizes of the largest boxes as shares of the photo."""
    figure = Figure(figsize=(12, 4.5))
    left, right = figure.subplots(1, 2)
    counts = frame["class_name"].value_counts().sort_values()
    left.barh(counts.index, counts.to_numpy(), color="#4c78a8")
    left.set_title("photos by class of the largest object", fontsize=10)
    left.tick_params(axis="y", labelsize=8)
    width = (frame["xmax"] - frame["xmin"]) / frame["width"]
    height = (frame["ymax"] - frame["ymin"]) / frame["height"]
    right.scatter(width, height, s=4, alpha=0.3, color="#e45756")
    right.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="box width / photo width")
    right.set_ylabel("box height / photo height")
    right.set_title("size of the largest box", fontsize=10)
    _save(figure, path)


def prediction_tile(
    dataset: LargestObjectDataset, index: int, predictions: Predictions, row: int
) -> Image.Image:
    """Photo ``index``, not squeezed, with the prediction of ``row``, and the true box in white."""
    photo = dataset.photo(index).image
    scale = (TILE_SIDE - 8) / max(photo.size)
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    to_tile = torch.tensor(size).repeat(2) / predictions.image_size
    score, class_id = predictions.probabilities[row].max(dim=0)
    name = dataset.class_names[int(class_id)]
    true_xyxy, xyxy = predictions.true_xyxy[row] * to_tile, predictions.bbox_xyxy[row] * to_tile
    label = f"{name} {percent(float(score), 0)}"
    truth = LabelledBox(true_xyxy.tolist(), TRUTH_COLOUR)
    predicted = LabelledBox(xyxy.tolist(), class_colour(name), label)
    return draw_boxes(photo.resize(size, Image.Resampling.BILINEAR), [truth, predicted])


def spread_indices(length: int) -> list[int]:
    """Up to :data:`SHEET_PHOTOS` different positions spread evenly over a data set."""
    n_photos = min(SHEET_PHOTOS, length)
    return [round(i * (length - 1) / max(1, n_photos - 1)) for i in range(n_photos)]


def spread_tiles(
    model: torch.nn.Module,
    dataset: DetectionDataset,
    device: torch.device,
    predictions: Predictions | None = None,
) -> list[Image.Image]:
    """Tiles of photos spread over an unaugmented data set, predicted here if they were not."""
    chosen = spread_indices(len(dataset))
    if predictions:
        return [prediction_tile(dataset, index, predictions, index) for index in chosen]
    images, targets = collate([dataset[i] for i in chosen])
    predicted = on_cpu(predict_batch(model.eval(), images.to(device)))
    true = pad_targets(targets)
    truth = true.labels[:, 0], true.boxes[:, 0]
    predictions = Predictions(*predicted[:3], *truth, images.shape[-1])
    return [prediction_tile(dataset, index, predictions, i) for i, index in enumerate(chosen)]


def plot_evaluation(
    folder: Path, dataset: LargestObjectDataset, predictions: Predictions, report: dict[str, Any]
) -> list[str]:
    """Write all pictures of an evaluation; return their file names."""
    scores = predictions.scores()
    plot_confusion(np.array(report["confusion"]), dataset.class_names, folder / "confusion.png")
    written = ["confusion.png"]
    if report.get("score"):
        plot_reliability(report["score"], folder / "reliability.png")
        written.append("reliability.png")
    probability = predictions.probabilities.max(dim=1).values.numpy()
    orders = {
        "spread": spread_indices(len(scores.iou)),
        "worst": list(map(int, scores.iou.argsort()[:SHEET_PHOTOS])),
        "confused": list(map(int, (probability * ~scores.right).argsort()[::-1][:SHEET_PHOTOS])),
    }
    for name, chosen in orders.items():
        tiles = [prediction_tile(dataset, i, predictions, i) for i in chosen]
        picture_sheet(tiles, folder / f"{name}.png")
        written.append(f"{name}.png")
    return written


def plot_reliability(score: dict[str, Any], path: Path) -> None:
    """Plot the share right against score and class probability (Guo et al. 2017).

    The area of a dot is its number of photos; for ``score`` see
    :func:`model.evaluation.report.score_report`.
    """
    figure = Figure(figsize=(4.5, 4.5))
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    for key, name, colour in (
        ("reliability", "score: class and box", "#4c78a8"),
        ("class_reliability", "probability of the class", "#f58518"),
    ):
        bins = score[key]
        sizes = 400 * np.array(bins["count"]) / max(bins["count"])
        axis.scatter(bins["mean_score"], bins["share_right"], s=sizes, alpha=0.5, color=colour)
        label = f"{name}, error {bins['ece']:.3f}"
        axis.plot(bins["mean_score"], bins["share_right"], color=colour, label=label)
    axis.set(xlim=(0, 1), ylim=(0, 1), xlabel="score or probability", ylabel="share that is right")
    axis.legend(fontsize=8, loc="upper left")
    axis.grid(alpha=0.3)
    _save(figure, path)


def plot_strength(report: dict[str, Any], path: Path) -> None:
    """Plot a report of :func:`model.evaluation.strength_curves.measure`, a panel per setting."""
    settings = report["settings"]
    columns = 4
    rows = -(-len(settings) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, setting in zip(axes, settings, strict=False):
        _draw_strength(axis, setting)
        axis.set_ylim(0, 1)
    axes[0].legend(fontsize=7)
    for axis in axes[len(settings) :]:
        axis.axis("off")
    _save(figure, path)


def _draw_strength(axis: Any, setting: dict[str, Any]) -> None:
    lines, colours = ("-", "--", ":"), ("tab:blue", "tab:orange", "tab:green")
    for style, (name, trained) in zip(lines, setting["trained_up_to"].items(), strict=False):
        levels = [level for level in setting["levels"] if name in level["scores"]]
        values = [level["value"] for level in levels]
        for colour, key in zip(colours, ("class_accuracy", "mean_iou", "joint"), strict=True):
            scores = [level["scores"][name] for level in levels]
            low, high = zip(*(s["intervals_95"][key] for s in scores), strict=True)
            axis.fill_between(values, low, high, color=colour, alpha=0.15, linewidth=0)
            label = f"{key.replace('_', ' ')}, {name}"
            axis.plot(values, [s[key] for s in scores], style, color=colour, label=label)
        if trained is not None:
            axis.axvline(trained, color="0.5", linestyle=style, linewidth=1)
    axis.set_title(f"{setting['label']} (grey: trained up to here)", fontsize=9)
    axis.grid(alpha=0.3)
