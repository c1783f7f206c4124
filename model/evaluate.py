"""Score a checkpoint on a VOC split.

python -m model.evaluate --checkpoint C --data ROOT --split val --json out.json --plots DIR
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
import tyro
from accelerate import Accelerator

from model.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from model.dataset import LargestObjectDataset, eval_loader
from model.errors import run_cli
from model.files import atomic_write
from model.metrics import (
    MEASURES,
    PerImage,
    bootstrap_intervals,
    confusion_matrix,
    constant_answer,
    per_class_scores,
    summarize,
)
from model.precision import best_device, has_native_bf16
from model.scoring import Answers, collect_answers
from model.voc import list_splits, read_split


@dataclass
class EvaluateConfig:
    """Score a checkpoint on a VOC split."""

    checkpoint: Path = DEFAULT_CHECKPOINT
    data: str = "data"  # the folder above VOCdevkit, VOCdevkit, or VOC2007
    split: str = "val"
    json: Path | None = None  # write everything as JSON
    plots: Path | None = None  # folder for the confusion matrix and picture sheets
    flip: bool = False  # ask the mirrored photo too and average
    fit_split: str = "train"  # where the constant answer is fitted
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    batch_size: int = 64
    num_workers: int = 0
    bootstrap: int = 1000  # resamples of the 95 % intervals
    cache_dir: str = ""
    progress: bool = True
    debug: bool = False  # tracebacks instead of one-line errors


def main(config: EvaluateConfig) -> None:
    """Load, ask, score, print, write."""
    model, info = load_checkpoint(config.checkpoint)
    dataset = _dataset(config, config.split, info)
    device = best_device()
    bf16 = config.precision == "bf16" or (config.precision == "auto" and has_native_bf16(device))
    accelerator = Accelerator(mixed_precision="bf16" if bf16 else "no", cpu=device.type == "cpu")
    model = model.to(accelerator.device, memory_format=torch.channels_last)
    loader = accelerator.prepare(eval_loader(dataset, config.batch_size, config.num_workers))
    answers = collect_answers(
        model, loader, accelerator, info.image_size, config.flip, config.progress
    )
    if not accelerator.is_main_process:
        return
    scores = answers.scores()
    report = {
        "checkpoint": config.checkpoint.name, "split": config.split, "n_images": len(scores.iou),
        "flip": config.flip, "precision": "bf16" if bf16 else "fp32", "metrics": summarize(scores),
        "intervals_95": bootstrap_intervals(scores, config.bootstrap),
        "constant_answer": _constant(config, dataset, answers),
        "per_class": per_class_scores(scores, info.class_names),
        "confusion": confusion_matrix(scores, len(info.class_names)).tolist(),
        "class_names": list(info.class_names),
    }  # fmt: skip
    print(format_report(report))
    if config.json:
        with atomic_write(config.json) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n")
        print(f"wrote {config.json}")
    if config.plots:
        _draw(config.plots, dataset, answers, scores)
        print(f"wrote {config.plots}/: confusion.png, spread.png, worst.png, confused.png")


def _dataset(config: EvaluateConfig, split: str, info) -> LargestObjectDataset:
    return LargestObjectDataset(
        read_split(config.data, split, info.class_names),
        info.image_size,
        cache_dir=Path(config.cache_dir) if config.cache_dir else None,
        progress=config.progress,
    )


def _constant(
    config: EvaluateConfig, dataset: LargestObjectDataset, answers: Answers
) -> dict[str, Any] | None:
    """Majority class and median box of ``fit_split``, scored on the split; None if not there."""
    if config.fit_split not in list_splits(config.data):
        return None
    fit = read_split(config.data, config.fit_split, dataset.class_names).frame
    size = answers.image_size
    corners = torch.tensor(fit[["xmin", "ymin", "xmax", "ymax"]].to_numpy(dtype="float32"))
    extent = torch.tensor(fit[["width", "height"]].to_numpy(dtype="float32")).repeat(1, 2)
    classes = torch.tensor([dataset.class_names.index(name) for name in fit.class_name])
    scores = constant_answer(
        answers.true_class, answers.true_xyxy, classes, corners / extent * size, size
    )
    return {"fitted_on": config.fit_split, "metrics": summarize(scores)}


def format_report(report: dict[str, Any]) -> str:
    """The report as text: measures with intervals, the constant answer, one row a class."""
    extra = ", mirrored photo averaged in" if report["flip"] else ""
    head = (
        f"{report['checkpoint']} on {report['split']}: {report['n_images']} photos,"
        f" {report['precision']}{extra}"
    )
    constant = report["constant_answer"]
    lines = [head, "", f"{'measure':32} {'value':>8}   95 % interval      constant answer"]
    for key, label in MEASURES.items():
        low, high = report["intervals_95"][key]
        other = f"{constant['metrics'][key]:8.3f}" if constant else "       -"
        lines.append(
            f"{label:32} {report['metrics'][key]:8.3f}   {low:7.3f} - {high:<7.3f}   {other}"
        )
    table = pd.DataFrame(report["per_class"]).sort_values("joint", ascending=False)
    return "\n".join([*lines, "", table.round(3).to_string(index=False)])


def _draw(folder: Path, dataset: LargestObjectDataset, answers: Answers, scores: PerImage) -> None:
    from model.plots import picture_sheet, plot_confusion, sheet_entry, spread_indices

    matrix = confusion_matrix(scores, len(dataset.class_names))
    plot_confusion(matrix, dataset.class_names, folder / "confusion.png")
    confidence = answers.probabilities.max(dim=1).values.numpy()
    orders = {
        "spread": spread_indices(len(scores.iou)),
        "worst": scores.iou.argsort()[:16].tolist(),
        "confused": (confidence * ~scores.right).argsort()[::-1][:16].tolist(),
    }
    for name, chosen in orders.items():
        picture_sheet([sheet_entry(dataset, i, answers, i) for i in chosen], folder / f"{name}.png")


if __name__ == "__main__":
    arguments = tyro.cli(EvaluateConfig, prog="python -m model.evaluate", description=__doc__)
    sys.exit(run_cli(lambda: main(arguments), arguments.debug))
