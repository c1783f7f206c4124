"""What a step of a torchvision pipeline did to boxes: which are left, and how loose they are."""

import copy
import random
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from model.boxes import box_areas, clip_boxes
from model.inspect.compose_steps import TracedBox

SAME = 1.0  # tolerance in pixels between the box a step returned and the box it should


def corners_of(boxes: Sequence[TracedBox]) -> Tensor:
    """Corners ``(N, 4)`` of the boxes, float32 xyxy."""
    return torch.stack([box.bbox_xyxy for box in boxes]) if boxes else torch.zeros(0, 4)


def kept_rows(before: Tensor, after: Tensor, params: dict[str, Any] | None) -> list[int] | None:
    """For each box after a step, its row before it; ``None`` if unknown."""
    if len(before) == len(after):
        return list(range(len(after)))
    for value in (params or {}).values():
        is_mask = isinstance(value, Tensor) and value.dtype == torch.bool
        if is_mask and value.shape == (len(before),) and int(value.sum()) == len(after):
            return value.nonzero().flatten().tolist()
    rows, row = [], 0  # assume that the remaining boxes are unchanged and in the same order
    for box in after:
        while row < len(before) and not torch.equal(before[row], box):
            row += 1
        rows.append(row)
        row += 1
    return rows if row <= len(before) else None


def boxes_after(
    transform: Any, params: dict[str, Any] | None,
    before: Sequence[TracedBox], canvas_before: tuple[int, int],
    xyxy: Tensor, canvas_size: tuple[int, int], kept: list[int] | None,
) -> list[TracedBox]:  # fmt: skip
    """The boxes after a step, with new ``visible`` and ``growth``, but old corners and labels.

    Args:
        transform, params: the step, and its drawn parameters.
        before, canvas_before: the boxes, and ``(height, width)`` of the picture, before the step.
        xyxy, canvas_size: corners ``(M, 4)``, and ``(height, width)``, after the step.
        kept: see :func:`kept_rows`.
    """
    if kept is None:
        return [TracedBox(None, row, "", None, None) for row in xyxy]
    olds, start = [before[i] for i in kept], corners_of(before)[kept]
    if torch.equal(start, xyxy) and canvas_size == canvas_before:
        return olds
    moved = _moved_freely(transform, params, start, canvas_before)
    if moved is None:
        return [replace(old, visible=None, growth=None) for old in olds]
    free, inside = moved
    clipped = clip_boxes(xyxy, canvas_size)
    agree = ((clip_boxes(free, canvas_size) - clipped).abs() <= SAME).all(dim=1).tolist()
    shares = (box_areas(clipped) / box_areas(free).clamp(min=1e-9)).clamp(max=1).tolist()
    growths = (box_areas(free) / inside.clamp(min=1e-9)).tolist()
    boxes = []
    for old, is_known, share, larger in zip(olds, agree, shares, growths, strict=True):
        visible = old.visible * share if is_known and old.visible is not None else None
        growth = (1 + old.growth) * larger - 1 if is_known and old.growth is not None else None
        boxes.append(replace(old, visible=visible, growth=growth if visible else None))
    return boxes


def _moved_freely(
    transform: Any, params: dict[str, Any] | None, xyxy: Tensor, canvas_size: tuple[int, int]
) -> tuple[Tensor, Tensor] | None:
    """Boxes ``(N, 4)`` moved by a step without clipping, and areas ``(N,)`` of their moved content;
    ``None`` if the step cannot be repeated on boxes alone.

    The content is the quadrilateral of the moved corners; each corner is moved as an empty box.
    """
    if params is None or not isinstance(transform, v2.Transform):
        return None
    left, top, right, bottom = xyxy.unbind(dim=1)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    rows = [xyxy, *(torch.stack([x, y, x, y], dim=1) for x, y in corners)]
    kind: Any = {"format": "XYXY", "canvas_size": canvas_size, "clamping_mode": None}
    inputs = [tv_tensors.BoundingBoxes(values, **kind) for values in rows]
    step = copy.copy(transform)
    try:
        with preserved_generators(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the step has already warned when it was run
            moved = [step.transform(values, params) for values in inputs]
    except Exception:  # a user's transform that needs more than boxes
        return None
    if not all(isinstance(m, tv_tensors.BoundingBoxes) and len(m) == len(xyxy) for m in moved):
        return None
    free, *points = [
        functional.convert_bounding_box_format(m, new_format="XYXY").as_subclass(Tensor).float()
        for m in moved
    ]
    x, y = torch.stack([point[:, :2] for point in points], dim=1).unbind(dim=2)
    inside = (x * y.roll(-1, dims=1) - y * x.roll(-1, dims=1)).sum(dim=1).abs() / 2
    return free, inside


@contextmanager
def preserved_generators() -> Generator[None]:
    """Restore the global random generators after the block."""
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])
