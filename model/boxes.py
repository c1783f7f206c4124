"""Box arithmetic that torchvision does not have.

Boxes everywhere in this project are float32 ``(N, 4)`` tensors, ``xyxy`` (left, top, right,
bottom), 0-based and half-open, in pixels of a stated canvas. GIoU comes from ``torchvision.ops``.
"""

from itertools import pairwise

import torch
from torch import Tensor

from model.words import percent

BoxXyxy = tuple[float, float, float, float]
MATCH_IOU = 0.5  # least IoU with the true box of a box that counts as right
SIZE_EDGES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Limits of the size groups of objects: shares of the photo that their boxes cover."""
SIZE_NAMES = tuple(
    f"{percent(low, 0)} to {percent(high, 0)} of the photo" for low, high in pairwise(SIZE_EDGES)
)


def clip_boxes(bbox_xyxy: Tensor, canvas_size: tuple[int, int]) -> Tensor:
    """Boxes clipped to a ``(height, width)`` canvas; one outside gets zero area."""
    height, width = canvas_size
    upper = bbox_xyxy.new_tensor([width, height, width, height])
    return bbox_xyxy.clamp(min=0).minimum(upper)


def box_areas(bbox_xyxy: Tensor) -> Tensor:
    """Areas ``(N,)`` in square pixels; an inverted box counts as empty."""
    return (bbox_xyxy[..., 2:] - bbox_xyxy[..., :2]).clamp(min=0).prod(-1)


def paired_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU ``(...,)`` of ``(..., 4)`` boxes, pair by pair; 0 for empty boxes.

    ``torchvision.ops.box_iou`` returns all ``N x N`` pairs; we need only the diagonal.
    """
    corner_min = torch.maximum(first[..., :2], second[..., :2])
    corner_max = torch.minimum(first[..., 2:], second[..., 2:])
    intersection = (corner_max - corner_min).clamp(min=0).prod(-1)
    union = box_areas(first) + box_areas(second) - intersection
    return intersection / union.clamp(min=1e-6)


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU ``(N, A, B)`` of ``(N, A, 4)`` with ``(N, B, 4)``, image by image.

    ``torchvision.ops.box_iou`` takes no batches.
    """
    return paired_iou(boxes.unsqueeze(-2), others.unsqueeze(-3))


REFERENCE_SIZE = 224


def l1_px_at_224(bbox_xyxy: Tensor, target_xyxy: Tensor, image_size: int) -> Tensor:
    """Mean absolute error ``(N,)`` of the four coordinates, as if the canvas had 224 pixels."""
    return (bbox_xyxy - target_xyxy).abs().mean(dim=1) * (REFERENCE_SIZE / image_size)
