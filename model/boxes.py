"""Box arithmetic the augmentation and the metrics need and torchvision does not have.

Boxes everywhere in this project are float32 ``(N, 4)`` tensors, ``xyxy`` (left, top, right,
bottom), 0-based and half-open, in pixels of a stated canvas. GIoU comes from ``torchvision.ops``.
"""

import math

import torch
from torch import Tensor

BoxXyxy = tuple[float, float, float, float]


def rotate_boxes(
    bbox_xyxy: Tensor, angle: float, canvas_size: tuple[int, int], rule: str = "hull"
) -> Tensor:
    """Upright boxes of objects that were rotated about the centre of their canvas.

    ``hull`` takes all four corners along and returns their upright hull: it always holds the
    object, and is looser the larger the angle (a round object ends at IoU 0.745 with its true box
    at 10 degrees, 0.536 at 30). ``ellipse`` returns the hull of the rotated *inscribed ellipse*:
    exact for round things, too tight for things that fill the corners of their box.

    Args:
        bbox_xyxy: ``(N, 4)`` pixels of the canvas.
        angle: degrees, counter-clockwise, as in ``PIL.Image.rotate`` and ``v2.RandomRotation``.
        canvas_size: ``(height, width)`` in pixels; the canvas keeps its size.
        rule: ``"hull"`` or ``"ellipse"``.

    Returns:
        ``(N, 4)``, not clipped to the canvas.
    """
    height, width = canvas_size
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x1, y1, x2, y2 = bbox_xyxy.unbind(-1)
    # y points down, so a counter-clockwise turn on the screen has this sign pattern.
    dx, dy = (x1 + x2 - width) / 2, (y1 + y2 - height) / 2
    center_x, center_y = width / 2 + dx * cos + dy * sin, height / 2 - dx * sin + dy * cos
    half_w, half_h = (x2 - x1) / 2, (y2 - y1) / 2
    if rule == "hull":
        new_half_w = half_w * abs(cos) + half_h * abs(sin)
        new_half_h = half_w * abs(sin) + half_h * abs(cos)
    elif rule == "ellipse":
        new_half_w = torch.hypot(half_w * cos, half_h * sin)
        new_half_h = torch.hypot(half_w * sin, half_h * cos)
    else:
        raise ValueError(f"box rule must be 'hull' or 'ellipse', not {rule!r}.")
    return torch.stack(
        [
            center_x - new_half_w,
            center_y - new_half_h,
            center_x + new_half_w,
            center_y + new_half_h,
        ],
        dim=-1,
    )


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
