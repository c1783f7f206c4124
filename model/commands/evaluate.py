"""Score a checkpoint on a split of a data set.

    python -m model.evaluate --checkpoint C --data ROOT --split val --json out.json --plots DIR
    python -m model.evaluate --data ROOT --split val --per-photo photos.csv

The demo's Training tab shows the JSON next to a checkpoint named NAME.metrics.json, and with
`python demo/app.py --per-photo photos.csv` the photos behind each cell of the confusion matrix.
"""

import json
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal

import torch

from model.checked import check_ranges
from model.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from model.commands import run
from model.commands.options import DataOptions
from model.evaluation.predict_dataset import (
    NO_NEGATIVES,
    LoaderOptions,
    Predictions,
    predict_dataset,
    predict_negatives,
)
from model.evaluation.report import (
    accuracy_report,
    baseline_report,
    format_report,
    per_photo_table,
    score_report,
)
from model.files import write_file
from model.loading.dataset import DetectionDataset, LargestObjectDataset
from model.precision import build_accelerator
from model.score import Calibration

RANGES = {"batch_size": (1, inf), "num_workers": (0, inf), "bootstrap": (1, inf)}


@dataclass
class EvaluateConfig(DataOptions):
    """Score a checkpoint on a split of a data set."""

    checkpoint: Path = DEFAULT_CHECKPOINT
    split: str = "val"
    json: Path | None = None  # write everything as JSON, with settings and history of training
    per_photo: Path | None = None  # write a CSV with a row per photo
    plots: Path | None = None  # folder for the confusion matrix and picture sheets
    flip: bool = False  # average with the mirrored photo
    looks: Literal[1, 2] | None = None  # 2: second look at small objects; default: as calibrated
    negatives: bool = True  # also predict backgrounds, and windows without any object
    fit_split: str = "train"  # on which the majority baseline is fitted
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    batch_size: int = 64
    num_workers: int = 0
    bootstrap: int = 1000  # resamples of the 95 % intervals


def main(config: EvaluateConfig) -> None:
    """Load, predict, score, print, write."""
    check_ranges(config, RANGES)
    model, info = load_checkpoint(config.checkpoint)
    accelerator = build_accelerator(config.precision)
    with accelerator.local_main_process_first():  # it decodes the photos
        data = config.dataset(info.class_names)
        split = data.split(config.split)
        dataset = DetectionDataset(
            split, info.image_size, cache_dir=config.cache_dir, progress=config.progress
        )
    if left_out := dataset.left_out():
        accelerator.print(left_out)
    model = model.to(accelerator.device).to(memory_format=torch.channels_last)
    second_look = info.second_look(config.looks)
    options = LoaderOptions(
        config.batch_size, config.num_workers, config.flip, config.progress, second_look
    )
    predictions = predict_dataset(model, dataset, accelerator, options)
    negatives = NO_NEGATIVES
    if config.negatives and info.calibration:
        negatives = predict_negatives(model, dataset, accelerator, options)
    if not accelerator.is_main_process:
        return
    baseline = None
    if (fit := config.fit_split) in data.splits:
        baseline = baseline_report(predictions, data.class_names, data.split(fit).frame, fit)
    report = {
        "checkpoint": config.checkpoint.name, "split": config.split, "flip": config.flip,
        "looks": predictions.n_looks,
        "precision": "bf16" if accelerator.mixed_precision == "bf16" else "fp32",
        **accuracy_report(predictions, dataset, config.bootstrap),
        "majority_baseline": baseline,
        "config": info.config, "history": info.history,
    }  # fmt: skip
    if info.calibration:
        report["score"] = score_report(predictions, info.calibration, negatives)
    print(format_report(report))
    write_files(config, report, dataset, predictions, info.calibration)


def write_files(
    config: EvaluateConfig,
    report: dict[str, Any],
    dataset: LargestObjectDataset,
    predictions: Predictions,
    calibration: Calibration | None,
) -> None:
    """Write the files that ``config`` names."""
    if config.json:
        write_file(config.json, json.dumps(report, indent=1) + "\n")
        print(f"wrote {config.json}")
    if config.per_photo:
        table = per_photo_table(predictions, dataset, calibration)
        write_file(config.per_photo, table.to_csv(index=False))
        print(f"wrote {config.per_photo}")
    if config.plots:
        from model.evaluation.plots import plot_evaluation

        for name in plot_evaluation(config.plots, dataset, predictions, report):
            print(f"wrote {config.plots / name}")


if __name__ == "__main__":
    run(main, EvaluateConfig, __doc__)
