"""Calibrate a checkpoint's confidence scores.

    python -m model.calibrate --checkpoint runs/mine/last.safetensors --data data
    python -m model.calibrate --checkpoint runs/all.safetensors --like runs/mine/last.safetensors

The split must be one the weights have not learned from: on photos it knows by heart, a network is
right more often than it will ever be again. Weights that were trained on everything take the
calibration of the same recipe trained on ``train`` alone (``--like``).
"""

import dataclasses
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import tyro

from model.checkpoint import load_checkpoint, read_info, save_checkpoint
from model.commands.dataset import Folders
from model.data.dataset import read_split
from model.data.formats import FormatName
from model.errors import UserError, run_cli
from model.evaluation.calibrate_checkpoint import calibrate_checkpoint
from model.loading.dataset import DetectionDataset
from model.precision import build_accelerator


@dataclass
class CalibrateConfig:
    """Calibrate a checkpoint's confidence scores."""

    checkpoint: Path  # is written anew, with the same weights
    data: Folders = ()  # of the data set; again for another; without any it is "data"
    format: FormatName = "auto"
    split: str = "val"
    like: Path | None = None  # take the calibration of this checkpoint instead
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    cache_dir: str = ""
    debug: bool = False  # tracebacks instead of one-line errors


def main(config: CalibrateConfig) -> None:
    """Fit or copy the calibration, and write the checkpoint anew."""
    model, info = load_checkpoint(config.checkpoint)
    if config.like:
        calibration = read_info(config.like).calibration
        if not calibration:
            raise UserError(f"{config.like} has no calibration. Calibrate it first.")
        save_checkpoint(
            config.checkpoint, model, dataclasses.replace(info, calibration=calibration)
        )
        return
    accelerator = build_accelerator(config.precision)
    with accelerator.local_main_process_first():  # it decodes the photos
        dataset = DetectionDataset(
            read_split(config.data, config.split, info.class_names, config.format),
            info.image_size,
            cache_dir=Path(config.cache_dir) if config.cache_dir else None,
        )
    if left_out := dataset.left_out():
        accelerator.print(left_out)
    calibrate_checkpoint(config.checkpoint, dataset, accelerator)


if __name__ == "__main__":
    parse = partial(
        tyro.cli, CalibrateConfig, prog="python -m model.calibrate", description=__doc__
    )
    sys.exit(run_cli(lambda: main(parse()), debug="--debug" in sys.argv))
