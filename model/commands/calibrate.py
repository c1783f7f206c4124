"""Calibrate a checkpoint's confidence scores.

    python -m model.calibrate --checkpoint runs/mine/last.safetensors --data data
    python -m model.calibrate --checkpoint runs/all.safetensors --like runs/mine/last.safetensors

The weights must not have been trained on the split: on training photos a network is right more
often than on any others. Weights that were trained on everything take the calibration of the same
recipe trained on ``train`` only (``--like``).
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.checkpoint import load_checkpoint, read_info, save_checkpoint
from model.commands import run
from model.commands.options import DataOptions
from model.errors import UserError
from model.evaluation.calibrate_checkpoint import calibrate_checkpoint
from model.loading.dataset import DetectionDataset
from model.precision import build_accelerator


@dataclass
class CalibrateConfig(DataOptions):
    """Calibrate a checkpoint's confidence scores."""

    checkpoint: Path  # is rewritten with the same weights
    split: str = "val"
    like: Path | None = None  # take the calibration of this checkpoint instead
    precision: Literal["auto", "bf16", "fp32"] = "auto"


def main(config: CalibrateConfig) -> None:
    """Fit or copy the calibration, and rewrite the checkpoint."""
    model, info = load_checkpoint(config.checkpoint)
    if config.like:
        calibration = read_info(config.like).calibration
        if not calibration:
            raise UserError(f"{config.like} has no calibration. Calibrate it first.")
        info = dataclasses.replace(info, calibration=calibration)
        save_checkpoint(config.checkpoint, model, info)
        return
    accelerator = build_accelerator(config.precision)
    with accelerator.local_main_process_first():  # it decodes the photos
        split = config.dataset(info.class_names).split(config.split)
        dataset = DetectionDataset(
            split, info.image_size, cache_dir=config.cache_dir, progress=config.progress
        )
    if left_out := dataset.left_out():
        accelerator.print(left_out)
    calibrate_checkpoint(config.checkpoint, dataset, accelerator, config.progress)


if __name__ == "__main__":
    run(main, CalibrateConfig, __doc__)
