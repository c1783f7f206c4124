"""Box arithmetic the augmentation and the metrics need and torchvision does not have.

Boxes everywhere in this project are float32 ``(N, 4)`` tensors, ``xyxy`` (left, top, right,
bottom), 0-based and half-open, in pixels of a stated canvas. GIoU comes from ``torchvision.ops``.
"""

import torch
from torch import Tensor

BoxXyxy = tuple[float, float, float, float]
SIZE_EDGES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Sizes by which objects are grouped: shares of the photo that their boxes cover."""


def clip_boxes(bbox_xyxy: Tensor, canvas_size: tuple[int, int]) -> Tensor:
    """Boxes cut at the border of a ``(height, width)`` canvas; one outside gets zero area."""
    height, width = canvas_size
    upper = bbox_xyxy.new_tensor([width, height, width, height])
    return bbox_xyxy.clamp(min=0).minimum(upper)


def box_areas(bbox_xyxy: Tensor) -> Tensor:
    """Areas ``(N,)`` in square pixels; an inverted box counts as empty."""
    sides = (bbox_xyxy[..., 2:] - bbox_xyxy[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def paired_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU ``(N,)`` of row i of one ``(N, 4)`` tensor with row i of the other.

    ``torchvision.ops.box_iou`` returns all ``N x N`` pairs; we need only the diagonal. A pair of
    empty boxes has IoU 0.
    """
    corner_min = torch.maximum(first[..., :2], second[..., :2])
    corner_max = torch.minimum(first[..., 2:], second[..., 2:])
    intersection = box_areas(torch.cat([corner_min, corner_max], dim=-1))
    union = box_areas(first) + box_areas(second) - intersection
    return torch.where(union > 0, intersection / union.clamp(min=1e-9), torch.zeros_like(union))


REFERENCE_SIZE = 224


def l1_px_at_224(bbox_xyxy: Tensor, target_xyxy: Tensor, image_size: int) -> Tensor:
    """Mean absolute error ``(N,)`` of the four coordinates, as if the canvas had 224 pixels."""
    return (bbox_xyxy - target_xyxy).abs().mean(dim=1) * (REFERENCE_SIZE / image_size)
