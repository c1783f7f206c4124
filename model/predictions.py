"""Predictions for a batch of images, with or without their mirror images."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.boxes import paired_iou
from model.network.grouping import SAME_OBJECT_IOU
from model.network.outputs import DetectorOutput
from model.score import evidence


class BatchPrediction(NamedTuple):
    """The predictions for N images.

    Attributes:
        probabilities: ``(N, C)``.
        bbox_xyxy: ``(N, 4)`` in pixels of the canvas.
        evidence: ``(N, F)``, from which the score is computed; see :mod:`model.score`.
        attention: ``(N, rows, columns)``, weight of each place in the box; ``None`` without cells.
    """

    probabilities: Tensor
    bbox_xyxy: Tensor
    evidence: Tensor
    attention: Tensor | None

    @classmethod
    def of(cls, output: "DetectorOutput | BatchPrediction") -> "BatchPrediction":
        """From the network's output; that of an ONNX file is returned as it is."""
        if isinstance(output, BatchPrediction):
            return output
        attention = output.cells.attention_map() if output.cells else None
        return cls(output.logits.softmax(dim=1), output.boxes, evidence(output), attention)

    def map(self, change: Callable[[Tensor], Tensor]) -> "BatchPrediction":
        """Apply ``change`` to every tensor."""
        attention = None if self.attention is None else change(self.attention)
        probabilities, bbox_xyxy, evidence = map(change, self[:3])
        return BatchPrediction(probabilities, bbox_xyxy, evidence, attention)

    def with_rows(self, rows: Tensor, other: "BatchPrediction") -> "BatchPrediction":
        """A copy with ``rows`` replaced by those of ``other``; the attention stays.

        Args:
            rows: indices ``(M,)``.
            other: predictions for M images.
        """
        return self._replace(
            probabilities=self.probabilities.index_copy(0, rows, other.probabilities),
            bbox_xyxy=self.bbox_xyxy.index_copy(0, rows, other.bbox_xyxy),
            evidence=self.evidence.index_copy(0, rows, other.evidence),
        )


@torch.inference_mode()
def predict_batch(model: nn.Module, images: Tensor, flip: bool = False) -> BatchPrediction:
    """Predict for ``(N, 3, S, S)`` normalised images.

    With ``flip`` the mirrored images are predicted too. Probabilities and evidence are averaged,
    and boxes too if they overlap enough to show the same object; otherwise the box with more
    evidence is kept. The attention is that of the unmirrored images.
    """
    plain = BatchPrediction.of(model(images))
    if not flip:
        return plain
    mirrored = BatchPrediction.of(model(images.flip(-1)))
    x1, y1, x2, y2 = mirrored.bbox_xyxy.unbind(1)
    width = images.shape[-1]
    other = torch.stack([width - x2, y1, width - x1, y2], dim=1)
    agree = (paired_iou(plain.bbox_xyxy, other) > SAME_OBJECT_IOU).unsqueeze(1)
    first = (plain.evidence.sum(1) >= mirrored.evidence.sum(1)).unsqueeze(1)
    chosen = torch.where(first, plain.bbox_xyxy, other)
    return plain._replace(
        probabilities=(plain.probabilities + mirrored.probabilities) / 2,
        bbox_xyxy=torch.where(agree, (plain.bbox_xyxy + other) / 2, chosen),
        evidence=(plain.evidence + mirrored.evidence) / 2,
    )


def on_cpu(batch: BatchPrediction) -> BatchPrediction:
    """Copy of ``batch``, float32 on the CPU."""
    return batch.map(lambda tensor: tensor.float().cpu())


def per_image(batch: BatchPrediction) -> list[BatchPrediction]:
    """One prediction per image, float32 on the CPU, without the first dimension."""
    batch = on_cpu(batch)
    return [batch.map(lambda tensor, i=i: tensor[i]) for i in range(len(batch.probabilities))]
