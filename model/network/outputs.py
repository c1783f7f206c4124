"""Output of the network: one prediction per image, and the predictions of its cells."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Cells(NamedTuple):
    """Predictions of the P cells of the feature pyramid for N images.

    Attributes:
        logits: ``(N, P, C)``; their sigmoid scores the class *and* how good the cell's box is.
        boxes: ``(N, P, 4)`` ``xyxy`` in pixels of the canvas.
        choice: ``(N, P)``, summing to 1: how likely a cell is to show the largest object.
        attention: ``(N, P)``, summing to 1: the weight of each cell in the predicted box.
        centers: ``(P, 2)``, x and y in pixels of the canvas.
        level_shapes: rows and columns of each level of the pyramid, finest first; P cells in all.
    """

    logits: Tensor
    boxes: Tensor
    choice: Tensor
    attention: Tensor
    centers: Tensor
    level_shapes: tuple[tuple[int, int], ...]

    def attention_map(self) -> Tensor:
        """The attention as a map ``(N, rows, columns)`` of the finest level.

        The attention of a coarse cell is spread evenly over the area it covers; the sum stays 1.
        """
        finest = self.level_shapes[0]
        counts = [rows * columns for rows, columns in self.level_shapes]
        maps = []
        for part, shape in zip(self.attention.split(counts, dim=1), self.level_shapes, strict=True):
            covered = (finest[0] * finest[1]) / (shape[0] * shape[1])
            level = part.unflatten(1, (1, *shape)) / covered
            maps.append(F.interpolate(level, size=finest, mode="nearest").squeeze(1))
        return torch.stack(maps).sum(dim=0)


class DetectorOutput(NamedTuple):
    """The 20 + 4 numbers, and the cells they were computed from.

    Attributes:
        logits: ``(N, C)`` float32; their softmax is the probability of each class.
        boxes: ``(N, 4)`` float32 ``xyxy`` of the largest object in pixels of the canvas.
        cells: see :class:`Cells`; ``None`` for heads without cells.
    """

    logits: Tensor
    boxes: Tensor
    cells: Cells | None
