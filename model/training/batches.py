"""Augmentation of whole batches: a smaller canvas, and mosaics of four photos."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from model.boxes import box_areas
from model.loading.targets import Targets

Target = dict[str, Tensor]  # of one image, as torchvision's detection models take it

CROSS = (0.3, 0.7)  # where the photos of a mosaic meet, as a share of the canvas
MIN_AREA = 100.0  # square pixels: smaller objects in a mosaic can no longer be recognised


def shrink(images: Tensor, targets: Targets, side: int) -> tuple[Tensor, Targets]:
    """The images and boxes of a batch, resized to a smaller canvas.

    Args:
        images: ``(N, 3, S, S)``.
        targets: boxes in pixels of the S canvas.
        side: of the new canvas in pixels.
    """
    scale = side / images.shape[-1]
    smaller = F.interpolate(images, (side, side), mode="bilinear", antialias=True)
    return smaller, targets._replace(boxes=targets.boxes * scale)


def add_mosaics(
    images: Tensor, targets: Sequence[Target], share: float, generator: torch.Generator
) -> tuple[Tensor, list[Target]]:
    """Replace the first images of a batch by mosaics of four of its photos.

    A mosaic (YOLOv4, Bochkovskiy et al. 2020) shows objects smaller, in new surroundings, and next
    to other candidates for the largest object. Each photo is resized to its quarter as a whole, so
    that no object is cut.

    Args:
        images: ``(N, 3, S, S)`` in random order; not changed.
        targets: one per image, ``boxes`` ``(K, 4)`` in pixels of the S canvas and ``labels``
            ``(K,)``.
        share: of the batch, 0..1.
        generator: draws the four photos and the point where they meet.

    Returns:
        Images and targets, as many as before; the largest object of a mosaic comes first.
    """
    mixed, mixed_targets = images.clone(), list(targets)
    low, high = (round(limit * images.shape[-1]) for limit in CROSS)
    count = round(share * len(images))
    crosses = torch.randint(low, high + 1, (count, 2), generator=generator).tolist()
    for index, (x, y) in enumerate(crosses):
        # Four different photos, if the batch has that many.
        order = torch.randperm(max(4, len(images)), generator=generator)[:4] % len(images)
        parts = [(images[i], targets[i]) for i in order.tolist()]
        mixed[index], mixed_targets[index] = mosaic(parts, x, y)
    return mixed, mixed_targets


def mosaic(parts: Sequence[tuple[Tensor, Target]], x: int, y: int) -> tuple[Tensor, Target]:
    """Four images, each resized to its quarter of one canvas of the same size.

    Args:
        parts: image ``(3, S, S)`` and target of the top left, top right, bottom left and bottom
            right quarter.
        x, y: where the quarters meet, in pixels of the canvas.
    """
    side = parts[0][0].shape[-1]
    canvas, boxes, labels = torch.empty_like(parts[0][0]), [], []
    corners = ((0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side))
    for (image, target), (x1, y1, x2, y2) in zip(parts, corners, strict=True):
        width, height = x2 - x1, y2 - y1
        canvas[:, y1:y2, x1:x2] = F.interpolate(
            image[None], (height, width), mode="bilinear", antialias=True
        )[0]
        scale = target["boxes"].new_tensor([width, height, width, height]) / side
        boxes.append(target["boxes"] * scale + scale.new_tensor([x1, y1, x1, y1]))
        labels.append(target["labels"])
    areas = box_areas(torch.cat(boxes))
    order = areas.argsort(descending=True)  # the largest first
    order = order[areas[order] >= MIN_AREA]
    return canvas, {"boxes": torch.cat(boxes)[order], "labels": torch.cat(labels)[order]}
