"""Fit the calibration of a checkpoint and store it there."""

import dataclasses
import shutil
from pathlib import Path

import torch
from accelerate import Accelerator

from model.checkpoint import load_checkpoint, read_info, save_checkpoint
from model.evaluation.calibration import cross_validated_scores, fit_calibration, reliability
from model.evaluation.predict_dataset import LoaderOptions, predict_dataset, predict_negatives
from model.files import atomic_write
from model.loading.dataset import DetectionDataset


def calibrate_run(
    folder: Path, dataset: DetectionDataset, accelerator: Accelerator, progress: bool = True
) -> None:
    """Calibrate ``best.safetensors`` and ``last.safetensors`` of a run folder.

    Mostly the last epoch is the best one. Both files are then the same, and so is the calibration.
    Arguments as of :func:`calibrate_checkpoint`.
    """
    best, last = folder / "best.safetensors", folder / "last.safetensors"
    is_same = read_info(best) == read_info(last)  # their histories end in the same epoch
    calibrate_checkpoint(best, dataset, accelerator, progress)
    if not is_same:
        calibrate_checkpoint(last, dataset, accelerator, progress)
    elif accelerator.is_main_process:
        with atomic_write(last) as temporary:
            shutil.copyfile(best, temporary)
        print(f"{last}: the same epoch, the same calibration", flush=True)


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
    model = model.to(accelerator.device).to(memory_format=torch.channels_last)
    options = LoaderOptions(progress=progress)
    predictions = predict_dataset(model, dataset, accelerator, options)
    negatives = predict_negatives(model, dataset, accelerator, options)
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
