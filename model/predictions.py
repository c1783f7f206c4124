"""Run a detector over images or a loader and keep what it predicts beside what is true."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from model.assignment import pad_targets
from model.boxes import paired_iou
from model.calibration import EVIDENCE, evidence
from model.data.dataset import LargestObjectDataset, eval_loader
from model.data.negatives import NegativeWindows
from model.detector import LargestObjectDetector
from model.grouping import AGREES
from model.metrics import PerImage, per_image_scores
from model.outputs import DetectorOutput

if TYPE_CHECKING:  # predicting must not pay for importing what only evaluation uses
    from accelerate import Accelerator


class BatchPrediction(NamedTuple):
    """What a detector predicts for N images.

    Attributes:
        probabilities: ``(N, C)``.
        bbox_xyxy: ``(N, 4)`` in pixels of the canvas.
        evidence: ``(N, F)``, what the score is computed from; see :mod:`model.calibration`.
        attention: ``(N, rows, columns)``, where the boxes were read from; ``None`` without cells.
    """

    probabilities: Tensor
    bbox_xyxy: Tensor
    evidence: Tensor
    attention: Tensor | None

    @classmethod
    def of(cls, output: "DetectorOutput | BatchPrediction") -> "BatchPrediction":
        """From the network's output; networks of ONNX files predict by themselves."""
        if isinstance(output, BatchPrediction):
            return output
        attention = output.cells.attention_map() if output.cells else None
        return cls(output.logits.softmax(dim=1), output.boxes, evidence(output), attention)


@dataclass(frozen=True)
class Predictions:
    """One row an image: predictions beside the truth, boxes ``(N, 4)`` in pixels of the canvas.

    Photos that show no object have the class -1 and an empty true box.
    """

    probabilities: Tensor
    bbox_xyxy: Tensor
    evidence: Tensor
    true_class: Tensor
    true_xyxy: Tensor
    image_size: int

    def scores(self) -> PerImage:
        """Compare with the truth."""
        predicted = self.probabilities.argmax(dim=1)
        return per_image_scores(
            predicted, self.bbox_xyxy, self.true_class, self.true_xyxy, self.image_size
        )


@torch.inference_mode()
def predict_batch(model: nn.Module, images: Tensor, flip: bool = False) -> BatchPrediction:
    """Predict for ``(N, 3, S, S)`` normalised images.

    With ``flip`` the mirrored images are predicted too. Probabilities and evidence are averaged;
    so are boxes that are of the same object. Of two objects the one with more evidence is kept. The
    attention is that of the images as they are.
    """
    plain = BatchPrediction.of(model(images))
    if not flip:
        return plain
    mirrored = BatchPrediction.of(model(images.flip(-1)))
    x1, y1, x2, y2 = mirrored.bbox_xyxy.unbind(1)
    width = images.shape[-1]
    other = torch.stack([width - x2, y1, width - x1, y2], dim=1)
    agree = (paired_iou(plain.bbox_xyxy, other) > AGREES).unsqueeze(1)
    first = (plain.evidence.sum(1) >= mirrored.evidence.sum(1)).unsqueeze(1)
    boxes = torch.where(
        agree, (plain.bbox_xyxy + other) / 2, torch.where(first, plain.bbox_xyxy, other)
    )
    return BatchPrediction(
        (plain.probabilities + mirrored.probabilities) / 2,
        boxes,
        (plain.evidence + mirrored.evidence) / 2,
        plain.attention,
    )


def per_image(batch: BatchPrediction) -> list[BatchPrediction]:
    """One prediction an image, float32 on the CPU, without the first dimension."""
    probabilities, boxes, evidences = (t.float().cpu() for t in batch[:3])
    attention = None if batch.attention is None else batch.attention.float().cpu()
    return [
        BatchPrediction(
            probabilities[i], boxes[i], evidences[i], None if attention is None else attention[i]
        )
        for i in range(len(probabilities))
    ]


@dataclass(frozen=True)
class LoaderOptions:
    """How a data set is read and predicted; none of it changes a result by more than rounding."""

    batch_size: int = 64
    num_workers: int = 0
    flip: bool = False
    progress: bool = True


def predict_dataset(
    model: LargestObjectDetector,
    dataset: Dataset,
    accelerator: "Accelerator",
    options: LoaderOptions = LoaderOptions(),
) -> Predictions:
    """Predict every image of a data set once, in order, across all processes.

    Args:
        model: on the accelerator's device.
        dataset: items as :class:`model.data.dataset.DetectionDataset` has them.
        accelerator: decides on device, precision and processes.
        options: see there.
    """
    model.eval()
    loader = accelerator.prepare(eval_loader(dataset, options.batch_size, options.num_workers))
    hidden = not (options.progress and accelerator.is_main_process)
    parts = []
    for images, targets in tqdm(loader, "evaluating", leave=False, unit="batch", disable=hidden):
        with accelerator.autocast():
            predicted = predict_batch(model, images, options.flip)
        true = pad_targets(targets)
        tensors = (predicted.probabilities, predicted.bbox_xyxy, predicted.evidence)
        rows = (*(t.float() for t in tensors), true.labels[:, 0], true.boxes[:, 0])
        parts.append([t.cpu() for t in accelerator.gather_for_metrics(rows)])
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    return Predictions(*columns, image_size=model.image_size)


def predict_negatives(
    model: LargestObjectDetector,
    dataset: LargestObjectDataset,
    accelerator: "Accelerator",
    options: LoaderOptions = LoaderOptions(),
) -> Tensor:
    """``(M, F)`` evidence of the windows of ``dataset`` that show no object; see there."""
    windows = NegativeWindows(dataset)
    if not len(windows):
        return torch.empty(0, len(EVIDENCE))
    return predict_dataset(model, windows, accelerator, options).evidence
