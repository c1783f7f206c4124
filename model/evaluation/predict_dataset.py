"""Predict all images of a data set, and keep the predictions with the truth."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from model.evaluation.metrics import PerImage, per_image_scores
from model.loading.dataset import LargestObjectDataset, eval_loader
from model.loading.negatives import Backgrounds, NegativeWindows
from model.loading.second_looks import SecondLooks
from model.loading.targets import pad_targets
from model.network.detector import LargestObjectDetector
from model.predictions import BatchPrediction, predict_batch
from model.score import EVIDENCE
from model.second_look import SecondLook

if TYPE_CHECKING:  # slow to import
    from accelerate import Accelerator


@dataclass(frozen=True)
class Predictions:
    """Predictions and truth of N images, boxes ``(N, 4)`` in pixels of the canvas.

    Images without object have the class -1 and an empty true box. ``n_looks`` is the mean number of
    passes per image.
    """

    probabilities: Tensor
    bbox_xyxy: Tensor
    evidence: Tensor
    true_class: Tensor
    true_xyxy: Tensor
    image_size: int
    n_looks: float = 1.0

    def scores(self) -> PerImage:
        """Metrics of every image."""
        predicted, truth = self.probabilities.argmax(dim=1), (self.true_class, self.true_xyxy)
        return per_image_scores(predicted, self.bbox_xyxy, *truth, self.image_size)


class Negatives(NamedTuple):
    """Evidence ``(M, F)`` of predictions for images without object."""

    backgrounds: Tensor
    windows: Tensor

    @property
    def all(self) -> Tensor:
        """Evidence of both kinds."""
        return torch.cat([self.backgrounds, self.windows])


NO_EVIDENCE = torch.empty(0, len(EVIDENCE))
NO_NEGATIVES = Negatives(NO_EVIDENCE, NO_EVIDENCE)


@dataclass(frozen=True)
class LoaderOptions:
    """How a data set is read and predicted.

    Attributes:
        batch_size, num_workers, progress: change results only by rounding.
        flip: average with the mirrored photo; see :func:`model.predictions.predict_batch`.
        second_look: settings of the second look; ``None`` for no second look.
    """

    batch_size: int = 64
    num_workers: int = 0
    flip: bool = False
    progress: bool = True
    second_look: SecondLook | None = None


def predict_dataset(
    model: LargestObjectDetector,
    dataset: Dataset,
    accelerator: "Accelerator",
    options: LoaderOptions = LoaderOptions(),
) -> Predictions:
    """Predict every image of a data set, in order, across all processes.

    Args:
        model: on the accelerator's device.
        dataset: with items as in :class:`model.loading.dataset.DetectionDataset`; for a second
            look it must be :class:`model.loading.second_looks.Detailed`.
        accelerator: decides on device, precision and processes.
    """
    first = _predict_once(model, dataset, accelerator, options)
    if options.second_look is None:
        return first
    return look_again(model, dataset, first, accelerator, options)


def look_again(
    model: LargestObjectDetector,
    dataset: Any,
    first: Predictions,
    accelerator: "Accelerator",
    options: LoaderOptions,
) -> Predictions:
    """The predictions after the second look of ``options``; ``first`` are those of the first look.

    For other arguments see :func:`predict_dataset`.
    """
    look, canvas = options.second_look, first.image_size
    assert look is not None
    rows = look.is_wanted(first.bbox_xyxy, canvas).nonzero().flatten()
    if not len(rows):
        return first
    plain = BatchPrediction(first.probabilities, first.bbox_xyxy, first.evidence, None)
    selected = plain.map(lambda tensor: tensor[rows])
    windows = SecondLooks(dataset, rows, look.windows(selected.bbox_xyxy, canvas), canvas)
    closer = _predict_once(model, windows, accelerator, options)
    second = BatchPrediction(closer.probabilities, closer.bbox_xyxy, closer.evidence, None)
    both = plain.with_rows(rows, look.merge(selected, second, closer.true_xyxy, canvas))
    n_looks = 1 + len(rows) / len(first.probabilities)
    return Predictions(*both[:3], first.true_class, first.true_xyxy, canvas, n_looks)


def _predict_once(
    model: LargestObjectDetector,
    dataset: Dataset,
    accelerator: "Accelerator",
    options: LoaderOptions,
) -> Predictions:
    model.eval()
    loader = accelerator.prepare(eval_loader(dataset, options.batch_size, options.num_workers))
    hidden = not (options.progress and accelerator.is_main_process)
    parts = []
    for images, targets in tqdm(loader, "evaluating", leave=False, unit="batch", disable=hidden):
        with accelerator.autocast():
            predicted = predict_batch(model, images, options.flip)
        true = pad_targets(targets)
        rows = (*(t.float() for t in predicted[:3]), true.labels[:, 0], true.boxes[:, 0])
        parts.append([t.cpu() for t in accelerator.gather_for_metrics(rows)])
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    return Predictions(*columns, image_size=model.image_size)


def predict_negatives(
    model: LargestObjectDetector,
    dataset: LargestObjectDataset,
    accelerator: "Accelerator",
    options: LoaderOptions = LoaderOptions(),
) -> Negatives:
    """Predict all backgrounds of a data set, and windows without any object.

    Windows are added only up to as many negatives as there are photos.
    """
    backgrounds = Backgrounds(dataset)
    windows = NegativeWindows(dataset, max(0, len(dataset) - len(backgrounds)))
    evidence = [
        predict_dataset(model, part, accelerator, options).evidence if len(part) else NO_EVIDENCE
        for part in (backgrounds, windows)
    ]
    return Negatives(*evidence)
