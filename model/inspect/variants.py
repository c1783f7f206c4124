"""Augmented variants of one photo, with drawn or chosen parameters, and its box in each.

    >>> photo = load_fitted("photo.jpg", working_side(256)).image
    >>> variants = make_variants(photo, (30, 40, 200, 180), AugmentConfig(), 256, seed=7, count=8)
    >>> variants[0].picture.bbox_xyxy, variants[0].canvas.visible

Variant ``k`` of a photo of the data set is exactly what ``train.py --seed SEED`` shows the network
in epoch ``k``, if ``file_name`` and all settings are the same.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.augment import AugmentConfig, Pipeline, Plan, Trace, TracedStep, make_plans, photo_seed
from model.augment.steps import GeometricStep
from model.boxes import clip_boxes
from model.errors import UserError

MAX_VARIANTS = 16
SEEN = 0.02  # least visible movement, as a share of the picture


@dataclass(frozen=True)
class Variant:
    """One draw of the augmentation; ``number`` counts from 1, like the epochs of a run."""

    number: int
    seed: int
    trace: Trace

    @property
    def picture(self) -> TracedStep:
        """See :attr:`model.augment.Trace.picture`."""
        return self.trace.picture

    @property
    def canvas(self) -> TracedStep:
        """The square canvas that the network gets, before normalisation, with the final boxes."""
        return self.trace.steps[-1]


def make_variants(
    photo: Image.Image,
    bbox_xyxy: Sequence[float],
    config: AugmentConfig,
    image_size: int,
    seed: int = 0,
    count: int = 8,
    file_name: str = "",
    *,
    first: int = 1,
    others: Sequence[Sequence[float]] = (),
    **normalisation: Sequence[float],
) -> list[Variant]:
    """``count`` draws for one photo, with a trace of every step.

    Args:
        photo: RGB, shrunk to :func:`model.augment.working_side`.
        bbox_xyxy: the target in pixels of ``photo``.
        image_size: side of the network's canvas.
        count: 1 to 16.
        file_name: of the photo in the data set, see :func:`model.augment.photo_seed`.
        first: number of the first draw.
        others: boxes of other objects, which are moved too.
        normalisation: ``mean`` and ``std`` for :class:`model.augment.Pipeline`.

    Raises:
        UserError: for an invalid count, or a box that is empty or outside the photo.
    """
    if not 1 <= count <= MAX_VARIANTS:
        raise UserError(f"the number of variants must be from 1 to {MAX_VARIANTS}, not {count}.")
    boxes = torch.stack([checked_box(box, photo.size) for box in (bbox_xyxy, *others)])
    pipeline = Pipeline(config, image_size, **normalisation)
    variants = []
    for number in range(first, first + count):
        own_seed = photo_seed(seed, number - 1, file_name)
        variants.append(Variant(number, own_seed, pipeline.trace(photo, boxes, own_seed)))
    return variants


@dataclass(frozen=True)
class Extreme(Variant):
    """A variant with chosen parameters: one setting at its extreme, all others off.

    Attributes:
        number: position in the row, from 1.
        seed: 0; nothing is drawn.
        setting: field of :class:`model.augment.AugmentConfig`.
        caption: short: ``"+30°"``, ``"darkest"``.
        kept: whether training would accept the draw, or draw again (see ``min_visible``).
    """

    setting: str
    caption: str
    kept: bool


def extremes(
    config: AugmentConfig,
    photo: Image.Image,
    bbox_xyxy: Sequence[float],
    image_size: int,
    **normalisation: Sequence[float],
) -> list[Extreme]:
    """Every setting that is on, alone, at each of its extremes; ``[]`` if all are off.

    Arguments are those of :func:`make_variants`.

    Raises:
        UserError: for a box that is empty or outside the photo.
    """
    boxes = checked_box(bbox_xyxy, photo.size).unsqueeze(0)
    pipeline = Pipeline(config, image_size, **normalisation)
    row = []
    for step in config.steps:
        if not step.is_on(config):
            continue
        for chosen in step.limits(config, photo.size, tuple(boxes[0].tolist())):
            plan = pipeline.chosen_plan(photo.size, {step.name: chosen.params})
            trace = pipeline.trace(photo, boxes, plan=plan)
            number, kept = len(row) + 1, pipeline.keeps(plan, boxes)
            row.append(Extreme(number, 0, trace, chosen.setting, chosen.caption, kept))
    return row


def fullest_variant(
    photo_size: tuple[int, int],
    bbox_xyxy: Sequence[float],
    config: AugmentConfig,
    seed: int,
    count: int,
    file_name: str = "",
) -> int:
    """Number of the draw in which the most steps visibly change the photo; the first of several.

    Arguments are those of :func:`make_variants`; no pixels are computed.
    """
    seeds = [photo_seed(seed, number, file_name) for number in range(count)]
    sizes, targets = np.tile(photo_size, (count, 1)), np.tile(bbox_xyxy, (count, 1))
    plans = make_plans(config, sizes, targets, seeds)
    visible = [_visible_steps(config, plans.one(index)) for index in range(count)]
    return 1 + visible.index(max(visible))


def _visible_steps(config: AugmentConfig, plan: Plan) -> int:
    visible = index = 0  # number of visible steps, and of geometric steps so far
    for step in (step for step in config.steps if step.is_on(config)):
        width, height = (int(side) for side in plan.sizes[index])
        has_words = any(step.words(plan.params[step.name], (width, height)))
        is_geometric = isinstance(step, GeometricStep)
        visible += has_words and (not is_geometric or _moves(plan, index))
        index += is_geometric
    return visible


def _moves(plan: Plan, index: int) -> bool:
    """Whether the geometric step at ``index`` visibly moves a corner of the picture."""
    corners = np.array([(0.0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)])
    step = plan.matrices[index + 1] @ np.linalg.inv(plan.matrices[index])
    x, y, w = step @ (corners * np.append(plan.sizes[index], 1)).T
    shares = np.stack([x, y], axis=1) / w[:, None] / plan.sizes[index + 1]
    return bool(np.abs(shares - corners[:, :2]).max() > SEEN)


def checked_box(
    bbox_xyxy: Sequence[float], photo_size: tuple[int, int], least: tuple[float, float] = (1.0, 1.0)
) -> Tensor:
    """The box as float32 ``(4,)``, clipped to a photo of ``(width, height)`` pixels.

    Args:
        bbox_xyxy: left, top, right, bottom in pixels of the photo.
        least: minimum width and height of the box in pixels of the photo: more than 1 if the box
            will be used on a smaller copy.

    Raises:
        UserError: if it is not four finite numbers, lies outside the photo, or is too thin.
    """
    width, height = photo_size
    try:
        box = torch.tensor([float(v) for v in bbox_xyxy], dtype=torch.float32)
    except (TypeError, ValueError, OverflowError):
        box = torch.empty(0)
    if box.shape != (4,) or not box.isfinite().all():
        raise UserError("the box must be four numbers: left, top, right, bottom.")
    box = clip_boxes(box, (height, width))
    x1, y1, x2, y2 = box.tolist()
    if x2 <= x1 or y2 <= y1:
        raise UserError(
            "the box has no area inside the photo: left must be smaller than right, and top"
            f" smaller than bottom, within {width} x {height} pixels."
        )
    if x2 - x1 < least[0] or y2 - y1 < least[1]:
        across, down = math.ceil(least[0]), math.ceil(least[1])
        raise UserError(
            f"the box is too thin: on this photo of {width} x {height} pixels it must be at least"
            f" {across} pixels wide and {down} high."
        )
    return box


def advice(config: AugmentConfig, variants: Sequence[Variant]) -> list[str]:
    """Sentences on settings that harm this photo's box; empty if none does."""
    original = variants[0].trace.steps[0]
    size, box = original.image.size, tuple(original.bbox_xyxy.tolist())
    on_steps = [advice for step in config.steps for advice in step.advice(config, size, box)]
    return [*on_steps, *_box_advice(variants)]


def _box_advice(variants: Sequence[Variant]) -> Iterator[str]:
    if redrawn := sum(v.trace.redraws > 0 and not v.trace.gave_up for v in variants):
        yield (
            f"{_of(redrawn, variants)} lost too much of the box at first and had to be drawn again:"
            " training sees milder settings than these."
        )
    if gave_up := sum(v.trace.gave_up for v in variants):
        yield (
            f"{_of(gave_up, variants)} lost the box in every try, so nothing was moved there. Turn"
            " the geometry down, or lower the minimum visible share."
        )
    if cut := sum(v.canvas.visible < 0.5 for v in variants):
        yield (
            f"{_of(cut, variants)} show less than half of the box: the network would be asked for"
            " what it cannot see. Raise the minimum visible share."
        )


def _of(count: int, variants: Sequence[Variant]) -> str:
    return f"{count} of {len(variants)} variants"


def to_dict(variant: Variant) -> dict:
    """A variant as JSON values: every step's name, parameters and boxes, without pixels."""
    steps = [
        {
            "name": step.name,
            "params": step.params,
            "image_size": list(step.image.size),
            "bbox_xyxy": [round(v, 3) for v in step.bbox_xyxy.tolist()],
            "visible": round(step.visible, 4),
            "hull_ellipse_iou": round(step.hull_ellipse_iou, 4),
            "others": [
                {"bbox_xyxy": [round(v, 3) for v in box], "visible": round(share, 4)}
                for box, share in zip(
                    step.others.tolist(), step.others_visible.tolist(), strict=True
                )
            ],
        }
        for step in variant.trace.steps
    ]
    trace, growth = variant.trace, round(variant.canvas.growth, 4)
    return {
        "number": variant.number, "seed": variant.seed, "redraws": trace.redraws,
        "gave_up": trace.gave_up, "growth": growth, "steps": steps,
    }  # fmt: skip
