"""Run a detector over a data set and keep what it predicts beside what is true."""

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

if TYPE_CHECKING:  # predicting must not pay for importing what only evaluation uses
    from accelerate import Accelerator


@dataclass(frozen=True)
class Predictions:
    """One row an image: predictions beside the truth, boxes ``(N, 4)`` in pixels of the canvas.

    Photos that show no object have the class -1 and an empty true box. ``n_looks`` is how many
    passes a photo took on average.
    """

    probabilities: Tensor
    bbox_xyxy: Tensor
    evidence: Tensor
    true_class: Tensor
    true_xyxy: Tensor
    image_size: int
    n_looks: float = 1.0

    def scores(self) -> PerImage:
        """Compare with the truth."""
        predicted, truth = self.probabilities.argmax(dim=1), (self.true_class, self.true_xyxy)
        return per_image_scores(predicted, self.bbox_xyxy, *truth, self.image_size)


class Negatives(NamedTuple):
    """``(M, F)`` evidence found in what shows no object: backgrounds, and windows of photos."""

    backgrounds: Tensor
    windows: Tensor

    @property
    def all(self) -> Tensor:
        """Of both."""
        return torch.cat([self.backgrounds, self.windows])


NO_EVIDENCE = torch.empty(0, len(EVIDENCE))
NO_NEGATIVES = Negatives(NO_EVIDENCE, NO_EVIDENCE)


@dataclass(frozen=True)
class LoaderOptions:
    """How a data set is read and predicted.

    Attributes:
        batch_size, num_workers, progress: change no result by more than rounding.
        flip: average the mirrored photo in; see :func:`model.predictions.predict_batch`.
        second_look: at what to look twice; ``None`` for nothing.
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
        dataset: items as :class:`model.loading.dataset.DetectionDataset` has them; for a second
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
    """The predictions after the second look that ``options`` has, ``first`` being the first's.

    Arguments as of :func:`predict_dataset`.
    """
    look, canvas = options.second_look, first.image_size
    assert look is not None
    rows = look.is_wanted(first.bbox_xyxy, canvas).nonzero().flatten()
    if not len(rows):
        return first
    plain = BatchPrediction(first.probabilities, first.bbox_xyxy, first.evidence, None)
    wanted = plain.map(lambda tensor: tensor[rows])
    windows = SecondLooks(dataset, rows, look.windows(wanted.bbox_xyxy, canvas), canvas)
    closer = _predict_once(model, windows, accelerator, options)
    second = BatchPrediction(closer.probabilities, closer.bbox_xyxy, closer.evidence, None)
    both = plain.with_rows(rows, look.merge(wanted, second, closer.true_xyxy, canvas))
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
    """What a detector finds in all backgrounds of a data set, and in windows without any object.

    There are only so many windows that they and the backgrounds are not more than the photos.
    """
    backgrounds = Backgrounds(dataset)
    windows = NegativeWindows(dataset, max(0, len(dataset) - len(backgrounds)))
    evidence = [
        predict_dataset(model, part, accelerator, options).evidence if len(part) else NO_EVIDENCE
        for part in (backgrounds, windows)
    ]
    return Negatives(*evidence)
