"""Four photos on one canvas: more small objects, and more rivals to choose among."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LOW, HIGH = 0.3, 0.7  # where a canvas is parted, as a share of its side
MIN_SIDE = 4.0  # pixels; an object that has become smaller is no longer taught


def mosaic(
    images: Tensor, targets: Sequence[dict[str, Tensor]], share: float
) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """Replace some images of a batch by mosaics of four (YOLOv4, Bochkovskiy et al. 2020).

    A canvas is parted by a vertical and a horizontal line at random places, and the image and three
    others of the batch are squeezed into the four parts. The largest object of all four becomes the
    target. Random numbers are PyTorch's own, so that a seeded step repeats them.

    Args:
        images: ``(N, 3, S, S)``; not changed.
        targets: one dict an image, ``boxes`` ``(K, 4)`` in pixels of the canvas and ``labels``
            ``(K,)``.
        share: 0..1, of the images that are replaced: the first ones, since batches are shuffled.

    Returns:
        Images and targets of the new batch, the largest object first.
    """
    count = round(share * len(images))
    mixed, new_targets = images.clone() if count else images, list(targets)
    for index in range(count):
        others = torch.randperm(len(images))[:3].tolist()
        parted = torch.empty(2).uniform_(LOW, HIGH) * images.shape[-1]
        column, row = parted.round().int().tolist()
        mixed[index], new_targets[index] = mosaic_of_four(
            images[[index, *others]], [targets[i] for i in (index, *others)], column, row
        )
    return mixed, new_targets


def mosaic_of_four(
    images: Tensor, targets: Sequence[dict[str, Tensor]], column: int, row: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """One canvas of four, parted at pixel ``column`` and ``row``: two above, two below.

    Args:
        images: ``(4, 3, S, S)``.
        targets: as for :func:`mosaic`, four of them.
        column: x where the left images end, 0 < x < S.
        row: y where the upper images end, 0 < y < S.

    Returns:
        Image ``(3, S, S)`` and its target.
    """
    side = images.shape[-1]
    canvas, boxes = torch.empty_like(images[0]), []
    corners = ((0, 0), (column, 0), (0, row), (column, row))
    for image, target, (left, top) in zip(images, targets, corners, strict=True):
        width, height = (side - column if left else column), (side - row if top else row)
        canvas[:, top : top + height, left : left + width] = F.interpolate(
            image[None], (height, width), mode="bilinear", antialias=True
        )[0]
        scale = target["boxes"].new_tensor([width, height, width, height]) / side
        boxes.append(target["boxes"] * scale + scale.new_tensor([left, top, left, top]))
    return canvas, largest_first(torch.cat(boxes), torch.cat([t["labels"] for t in targets]))


def largest_first(boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """A target sorted by pixel area, without what is smaller than :data:`MIN_SIDE`."""
    sides = boxes[:, 2:] - boxes[:, :2]
    order = sides.prod(dim=1).argsort(descending=True, stable=True)
    order = order[sides[order].amin(dim=1) >= MIN_SIDE]
    return {"boxes": boxes[order], "labels": labels[order]}
