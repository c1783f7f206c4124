"""Fit the calibration of a checkpoint and store it there."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from model.checkpoint import CheckpointInfo, load_checkpoint, read_info, save_checkpoint
from model.evaluation.calibration import (
    cross_validated_scores,
    fit_calibration,
    fit_temperature,
    reliability,
)
from model.evaluation.predict_dataset import (
    LoaderOptions,
    Predictions,
    look_again,
    predict_dataset,
    predict_negatives,
)
from model.evaluation.report import refused_sentence, score_report
from model.files import atomic_write
from model.loading.dataset import DetectionDataset
from model.precision import broadcast_from_main
from model.score import UNCALIBRATED_THRESHOLD, Calibration
from model.second_look import SecondLook

# Least photos, and right predictions among them, for a new calibration to beat an inherited one.
MIN_PHOTOS, MIN_RIGHT = 50, 10
# An inherited calibration with a larger error is worse than one fitted on few photos (about 0.2).
MISLEADING = 0.25


def calibrate_run(
    folder: Path,
    dataset: DetectionDataset,
    accelerator: Accelerator,
    predictions: Mapping[str, Predictions],
    progress: bool = True,
) -> None:
    """Calibrate ``best.safetensors`` and ``last.safetensors`` of a run folder.

    Often the last epoch is the best one. Both files then get the same calibration. ``predictions``
    are those already made with ``best`` and ``last``; for other arguments see
    :func:`calibrate_checkpoint`.
    """
    best, last = folder / "best.safetensors", folder / "last.safetensors"
    # Different epochs have histories of different lengths.
    is_same = broadcast_from_main(accelerator, lambda: read_info(best) == read_info(last))
    calibrate_checkpoint(best, dataset, accelerator, progress, predictions.get("best"))
    if not is_same:
        calibrate_checkpoint(last, dataset, accelerator, progress, predictions.get("last"))
    elif accelerator.is_main_process:
        with atomic_write(last) as temporary:
            shutil.copyfile(best, temporary)
        print(f"{last}: the same epoch, the same calibration", flush=True)


def calibrate_checkpoint(
    path: Path,
    dataset: DetectionDataset,
    accelerator: Accelerator,
    progress: bool = True,
    predictions: Predictions | None = None,
) -> None:
    """Fit the calibration on photos, backgrounds and windows without any object, and store it.

    The second look is switched on if it makes more of these photos right.

    With fewer than :data:`MIN_PHOTOS` photos the checkpoint keeps the calibration it has, unless
    that is :data:`MISLEADING` here; with fewer than :data:`MIN_RIGHT` right predictions it always
    keeps it. A printed line says so.

    Args:
        dataset: photos that the weights were not trained on, not augmented.
        accelerator: decides on device and precision; all its processes must call this.
        predictions: of these weights for ``dataset``, if already made.
    """
    model, info = broadcast_from_main(accelerator, lambda: load_checkpoint(path))
    model = model.to(accelerator.device).to(memory_format=torch.channels_last)
    options = LoaderOptions(progress=progress)
    predictions = predictions or predict_dataset(model, dataset, accelerator, options)
    right = torch.from_numpy(predictions.scores().joint)
    is_misleading = _error(info.calibration, predictions, right) > MISLEADING
    if right.sum() < MIN_RIGHT or (len(right) < MIN_PHOTOS and not is_misleading):
        accelerator.print(f"{path}: {_too_few(right, info)}", flush=True)
        return
    twice = replace(options, second_look=SecondLook())
    closer = look_again(model, dataset, predictions, accelerator, twice)
    gain = closer.scores().joint.mean() - right.float().mean().item()
    looks = f"{closer.n_looks:.2f} looks a photo"
    outcome = "kept" if gain > 0 else "one look is as good"
    accelerator.print(f"{path}: {looks}, joint accuracy {gain:+.3f}: {outcome}", flush=True)
    if gain > 0:
        options, predictions = twice, closer
        right = torch.from_numpy(predictions.scores().joint)
    negatives = predict_negatives(model, dataset, accelerator, options)
    if not accelerator.is_main_process:
        return
    calibration = replace(
        fit_calibration(predictions.evidence, right, negatives.all),
        temperature=fit_temperature(predictions.probabilities, predictions.true_class),
        second_look=options.second_look,
    )
    save_checkpoint(path, model, replace(info, calibration=calibration))
    scores = cross_validated_scores(predictions.evidence, right, negatives.all)
    error = reliability(scores, right.numpy())["ece"]
    text = f"{path}: calibration error {error:.3f}, threshold {calibration.threshold:.3f}"
    refused = refused_sentence(score_report(predictions, calibration, negatives))
    print(f"{text}, {refused}" if refused else text, flush=True)


def _error(calibration: Calibration | None, predictions: Predictions, right: Tensor) -> float:
    """Expected calibration error of a calibration on these photos; 0 without one."""
    if calibration is None or not len(right):
        return 0.0
    score = calibration.score(predictions.evidence.double()).numpy()
    return reliability(score, right.numpy())["ece"]


def _too_few(right: Tensor, info: CheckpointInfo) -> str:
    kept = info.calibration
    what = (
        f"keeps the calibration of the checkpoint it went on from, threshold {kept.threshold:.3f}"
        if kept
        else f"the score stays the probability of the class, threshold {UNCALIBRATED_THRESHOLD}"
    )
    return (
        f"not calibrated, {what}. Calibrating needs {MIN_PHOTOS} photos, {MIN_RIGHT} of them with a"
        f" right answer; here are {len(right)}, {int(right.sum())} of them right. Train longer, or"
        " hold out more photos: until then the score may refuse everything"
    )
