"""The tutorial's loss, and the one optional term that ``val`` rewarded.

``loss = L1 + 25 x cross-entropy``: L1 is the mean over the four coordinates in pixels of a 224
canvas; the 25 multiplies the cross-entropy.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from model.detector import cell_centers, split_outputs

CLASS_WEIGHT = 25.0
REFERENCE_SIZE = 224


@dataclass(frozen=True)
class LossTerms:
    """``total`` to minimise, and its parts: ``l1_px`` in pixels @224, ``cross_entropy``, extras."""

    total: Tensor
    l1_px: Tensor
    cross_entropy: Tensor
    extra: Tensor


def l1_px_at_224(bbox_xyxy: Tensor, target_xyxy: Tensor, image_size: int) -> Tensor:
    """Mean absolute error ``(N,)`` of the four coordinates, as if the canvas had 224 pixels."""
    return (bbox_xyxy - target_xyxy).abs().mean(dim=1) * (REFERENCE_SIZE / image_size)


def detection_loss(
    outputs: Tensor,
    target_xyxy: Tensor,
    target_class: Tensor,
    image_size: int,
    giou_weight: float = 0.0,
    label_smoothing: float = 0.0,
) -> LossTerms:
    """``l1_px + 25 * ce`` (plus ``giou_weight * (1 - GIoU)``, off by default).

    Args:
        outputs: ``(N, C + 4)`` from the detector in ``train()`` mode.
        target_xyxy: ``(N, 4)`` float32, pixels of the ``image_size`` canvas.
        target_class: ``(N,)`` int64.
        image_size: side of the canvas.
        giou_weight: weight of the generalised IoU loss (Rezatofighi et al. 2019).
        label_smoothing: of the cross-entropy.
    """
    logits, bbox_xyxy = split_outputs(outputs)
    l1_px = l1_px_at_224(bbox_xyxy, target_xyxy, image_size).mean()
    cross_entropy = F.cross_entropy(logits, target_class, label_smoothing=label_smoothing)
    extra = torch.zeros_like(l1_px)
    if giou_weight:
        extra = giou_weight * generalized_box_iou_loss(bbox_xyxy, target_xyxy, reduction="mean")
    return LossTerms(l1_px + CLASS_WEIGHT * cross_entropy + extra, l1_px, cross_entropy, extra)


def all_objects_loss(cells: dict[str, Tensor], objects: Tensor, image_size: int) -> Tensor:
    """Every cell inside *any* annotated object must answer for that object.

    The largest object alone says nothing of VOC's other boxes. A cell whose centre lies in several
    of them belongs to the smallest (as in FCOS). Same balance as the main loss, averaged over the
    cells in use: ``l1_px + 25 * (ce + (1 - GIoU) + choice)``, where ``choice`` is minus the log of
    how much of the softmax that chooses among cells lies inside the largest object.

    Args:
        cells: from ``detector(images, return_cells=True)``.
        objects: ``(N, K, 5)``: class id and ``xyxy`` in pixels of the canvas, the target in row 0;
            class -1 pads.
        image_size: side of the canvas.
    """
    grid = math.isqrt(cells["logits"].shape[-1])
    centers = cell_centers(grid, grid, objects.device) * image_size  # (2, P)
    class_ids, boxes = objects[..., 0], objects[..., 1:]
    x1, y1, x2, y2 = (boxes[..., i : i + 1] for i in range(4))  # each (N, K, 1)
    inside = (centers[0] > x1) & (centers[0] < x2) & (centers[1] > y1) & (centers[1] < y2)
    inside &= (class_ids >= 0).unsqueeze(-1)
    area = ((x2 - x1) * (y2 - y1)).expand_as(inside).masked_fill(~inside, float("inf"))
    smallest, owner = area.min(dim=1)  # (N, P)
    image_index, cell_index = torch.nonzero(torch.isfinite(smallest), as_tuple=True)
    if not len(image_index):
        return cells["logits"].sum() * 0
    owner = owner[image_index, cell_index]
    logits = cells["logits"][image_index, :, cell_index]
    predicted = cells["boxes"][image_index, :, cell_index] * image_size
    target = boxes[image_index, owner]
    cross_entropy = F.cross_entropy(logits, class_ids[image_index, owner].long())
    l1_px = l1_px_at_224(predicted, target, image_size).mean()
    giou = generalized_box_iou_loss(predicted, target, reduction="mean")
    heard = (cells["attention"] * inside[:, 0]).sum(-1)
    choice = -heard.clamp(min=1e-4).log().mean()
    return l1_px + CLASS_WEIGHT * (cross_entropy + giou + choice)
