"""Teach a checkpoint what its scores are worth.

    python -m model.calibrate --checkpoint runs/mine/last.safetensors --data data
    python -m model.calibrate --checkpoint runs/all.safetensors --like runs/mine/last.safetensors

The split must be one the weights have not learned from: on photos it knows by heart, a network is
right more often than it will ever be again. Weights that were trained on everything take the
calibration of the same recipe trained on ``train`` alone (``--like``).
"""

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from accelerate import Accelerator

from model.calibration import cross_validated_scores, fit_calibration, reliability
from model.checkpoint import load_checkpoint, read_info, save_checkpoint
from model.dataset import DetectionDataset
from model.errors import UserError, run_cli
from model.negatives import NegativeWindows
from model.precision import build_accelerator
from model.scoring import LoaderOptions, predict_dataset
from model.voc import read_split


@dataclass
class CalibrateConfig:
    """Teach a checkpoint what its scores are worth."""

    checkpoint: Path  # is written anew, with the same weights
    data: str = "data"  # the folder above VOCdevkit, VOCdevkit, or VOC2007
    split: str = "val"
    like: Path | None = None  # take the calibration of this checkpoint instead
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    cache_dir: str = ""
    debug: bool = False  # tracebacks instead of one-line errors


def calibrate_checkpoint(
    path: Path, dataset: DetectionDataset, accelerator: Accelerator, progress: bool = True
) -> None:
    """Fit the calibration on photos and on windows without any object, and store it.

    Args:
        path: of the checkpoint.
        dataset: photos that its weights have not learned from, not augmented.
        accelerator: decides on device and precision; all its processes must call.
        progress: show a bar.
    """
    model, info = load_checkpoint(path)
    model = model.to(accelerator.device, memory_format=torch.channels_last)
    options = LoaderOptions(progress=progress)
    predictions = predict_dataset(model, dataset, accelerator, options)
    negatives = predictions.evidence[:0]
    windows = NegativeWindows(dataset)
    if len(windows):
        negatives = predict_dataset(model, windows, accelerator, options).evidence
    if not accelerator.is_main_process:
        return
    right = torch.from_numpy(predictions.scores().joint)
    calibration = fit_calibration(predictions.evidence, right, negatives)
    save_checkpoint(path, model, dataclasses.replace(info, calibration=calibration))
    judged = cross_validated_scores(predictions.evidence, right, negatives)
    error = reliability(judged, right.numpy()).ece
    text = f"{path}: calibration error {error:.3f}, threshold {calibration.threshold:.3f}"
    if len(negatives):
        refused = calibration.score(negatives.double()) < calibration.threshold
        text += f", refuses {refused.double().mean():.1%} of {len(negatives)} windows of nothing"
    print(text, flush=True)


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
    dataset = DetectionDataset(
        read_split(config.data, config.split, info.class_names),
        info.image_size,
        cache_dir=Path(config.cache_dir) if config.cache_dir else None,
    )
    calibrate_checkpoint(config.checkpoint, dataset, build_accelerator(config.precision))


if __name__ == "__main__":
    arguments = tyro.cli(CalibrateConfig, prog="python -m model.calibrate", description=__doc__)
    sys.exit(run_cli(lambda: main(arguments), arguments.debug))
