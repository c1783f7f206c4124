"""The augmentation pipeline: one implementation for training and for the trace.

The steps of :mod:`model.augment.steps` run in their order: geometry, colour, quality. All geometric
steps and the resize to the network's square canvas are one matrix, so a photo is resampled once.
The boxes are moved by the same matrix. The result is normalised.

    >>> pipeline = Pipeline(AugmentConfig(rotation_degrees=10), image_size=224)
    >>> sample = pipeline(photo, boxes, seed=7)            # what training does
    >>> for step in pipeline.trace(photo, boxes, seed=7).steps:  # the same, step by step
    ...     print(step.name, step.params, step.bbox_xyxy)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.augment import geometry
from model.augment.config import AugmentConfig
from model.augment.normalisation import IMAGENET_MEAN, IMAGENET_STD, Normalise
from model.augment.plan import Plan, geometry_plans, is_kept, make_plans
from model.augment.steps import GeometricStep, PixelStep, Step
from model.augment.steps.base import Params
from model.augment.trace import Trace, TracedStep


@dataclass(frozen=True)
class Sample:
    """What the network gets: ``image`` float32 ``(3, S, S)`` normalised, ``bbox_xyxy`` ``(N, 4)``
    float32 pixels of the S canvas with the target in row 0, ``visible`` ``(N,)`` shares."""

    image: Tensor
    bbox_xyxy: Tensor
    visible: Tensor
    redraws: int
    gave_up: bool


@dataclass(frozen=True)
class Picture:
    """An augmented RGB ``image``, ``bbox_xyxy`` float32 ``(N, 4)`` in its pixels with the target
    in row 0, and ``visible`` ``(N,)``: the share of each box that is left."""

    image: Image.Image
    bbox_xyxy: Tensor
    visible: Tensor


class Pipeline:
    """Photo and boxes -> normalised tensor and boxes; the same seed gives the same result.

    Args:
        config: what to draw from. ``AugmentConfig.none()`` is the evaluation pipeline.
        image_size: side S of the square canvas in pixels.
        mean, std: normalisation of RGB in 0..1.
    """

    def __init__(
        self,
        config: AugmentConfig,
        image_size: int = 224,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        self.config = config
        self.image_size = image_size
        self._canvas = (image_size, image_size)
        self.normalise = Normalise(image_size, mean, std)

    def __call__(
        self, image: Image.Image, bbox_xyxy: Tensor, seed: int = 0, plan: Plan | None = None
    ) -> Sample:
        """Augment one photo.

        Args:
            image: RGB.
            bbox_xyxy: ``(N, 4)`` pixels of ``image``, N >= 1; row 0 is the target.
            seed: of all random numbers, see :func:`model.augment.photo_seed`.
            plan: parameters that were drawn before or chosen; nothing is drawn then.

        Raises:
            ValueError: if there is no box or ``bbox_xyxy`` has another shape.
        """
        plan = plan or self.plan(image.size, bbox_xyxy, seed)
        boxes, visible = self._moved_boxes(plan, bbox_xyxy, self._canvas)
        pixels = self.normalise(self._rendered(image, plan, self._canvas))
        return Sample(pixels, boxes, visible, plan.redraws, plan.gave_up)

    def plan(self, size: tuple[int, int], bbox_xyxy: Tensor, seed: int = 0) -> Plan:
        """Draw everything for a photo of ``(width, height)`` pixels without touching pixels."""
        targets = _checked(bbox_xyxy)[:1]
        return make_plans(self.config, np.array([size]), targets, [seed]).one(0)

    def picture(
        self,
        photo: Image.Image,
        copy_size: tuple[int, int],
        bbox_xyxy: Tensor,
        seed: int = 0,
        longest_side: int = 2048,
        plan: Plan | None = None,
    ) -> Picture:
        """The augmented photo in its own shape, at up to full resolution.

        Args:
            photo: RGB, of any size.
            copy_size: width and height of the smaller copy that training would use: the drawn
                parameters depend on it (:func:`model.augment.working_side`).
            bbox_xyxy: ``(N, 4)`` in pixels of that copy; row 0 is the target.
            seed, plan: see :meth:`__call__`.
            longest_side: largest allowed side of the result in pixels.
        """
        plan = plan or self.plan(copy_size, bbox_xyxy, seed)
        width, height = plan.sizes[-1] * np.divide(photo.size, copy_size)
        scale = min(1.0, longest_side / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        boxes, visible = self._moved_boxes(plan, bbox_xyxy, size)
        return Picture(self._rendered(photo, plan, size), boxes, visible)

    def trace(
        self, image: Image.Image, bbox_xyxy: Tensor, seed: int = 0, plan: Plan | None = None
    ) -> Trace:
        """The same as calling the pipeline, with the photo and boxes after every step."""
        boxes, plan = _checked(bbox_xyxy), plan or self.plan(image.size, bbox_xyxy, seed)
        steps = [self._traced(image, boxes, plan.matrices[0], plan.sizes[0])]
        # The original target is not clipped, even where it reaches beyond the photo.
        steps[0].all_boxes[0], steps[0].all_visible[0] = bbox_xyxy[0], 1.0
        planned = [step for step in self.config.steps if step.name in plan.params]
        geometric = [step for step in planned if isinstance(step, GeometricStep)]
        for step, matrix, size in zip(geometric, plan.matrices[1:], plan.sizes[1:], strict=True):
            picture = geometry.warp(image, matrix, (int(size[0]), int(size[1])))
            after = self._traced(picture, boxes, matrix, size)
            steps.append(_of_step(after, step, plan, steps[-1].image.size))
        picture = steps[-1].image
        scale = picture.width / self.image_size, picture.height / self.image_size
        for step in self._pixel_steps(plan):
            params = plan.params[step.name]
            before, picture = steps[-1], step.apply(picture, params, scale)
            hidden = step.hidden(params, before.all_boxes.numpy() / (picture.size * 2))
            visible = before.all_visible * _float32(1 - hidden)
            after = replace(before, image=picture, all_visible=visible)
            steps.append(_of_step(after, step, plan, picture.size))
        return self._whole_trace(image, boxes, plan, steps)

    def keeps(self, plan: Plan, bbox_xyxy: Tensor) -> bool:
        """Whether a plan leaves enough of the target visible; if not, training draws again."""
        target = _checked(bbox_xyxy)[:1]
        return bool(is_kept(self.config, target, plan.matrices[-1:], plan.sizes[-1:])[0])

    def chosen_plan(self, size: tuple[int, int], chosen: Mapping[str, Params]) -> Plan:
        """A plan for a photo of ``(width, height)`` pixels with chosen instead of drawn parameters.

        Args:
            chosen: step name -> some of its parameters, as in :attr:`Plan.params`. Parameters and
                steps that are not named leave the photo as it is.
        """

        def params_of(step: Step, before: np.ndarray) -> Params:
            width, height = (int(side) for side in before[0])
            params = step.idle((width, height)) | dict(chosen.get(step.name, {}))
            return {name: np.array([value]) for name, value in params.items()}

        steps = [s for s in self.config.steps if s.is_on(self.config) or s.name in chosen]
        geometric = [step for step in steps if isinstance(step, GeometricStep)]
        plans = geometry_plans(geometric, np.array([size]), params_of)
        for step in steps:
            if step.name not in plans.params:
                plans.params[step.name] = params_of(step, plans.sizes[:, -1])
        return plans.one(0)

    def _pixel_steps(self, plan: Plan) -> list[PixelStep]:
        steps = self.config.steps
        return [s for s in steps if isinstance(s, PixelStep) and s.name in plan.params]

    def _rendered(self, image: Image.Image, plan: Plan, size: tuple[int, int]) -> Image.Image:
        """The photo after all steps, resized to ``size``; it may be larger than ``plan`` has it."""
        to_copy = geometry.scaling(*(plan.sizes[0] / image.size))
        picture = geometry.warp(image, _matrix_to(plan, size) @ to_copy, size)
        scale = size[0] / self.image_size, size[1] / self.image_size
        for step in self._pixel_steps(plan):
            picture = step.apply(picture, plan.params[step.name], scale)
        return picture

    def _moved_boxes(
        self, plan: Plan, bbox_xyxy: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Boxes ``(N, 4)`` clipped to a picture of ``size``, and their visible shares ``(N,)``."""
        sides = np.array(size, dtype=np.float64)
        boxes = _checked(bbox_xyxy)
        moved = geometry.move_boxes(boxes, _matrix_to(plan, size), self.config.box_rule)
        visible, clipped = geometry.visible_share(moved, sides), geometry.clip(moved, sides)
        for step in self._pixel_steps(plan):
            shares = clipped / np.tile(sides, 2)
            visible = visible * (1 - step.hidden(plan.params[step.name], shares))
        return _float32(clipped), _float32(visible)

    def _whole_trace(
        self, image: Image.Image, boxes: np.ndarray, plan: Plan, steps: list[TracedStep]
    ) -> Trace:
        """The trace with its last two steps, the resized and the normalised canvas."""
        size, side = self._canvas, np.array(self._canvas, dtype=np.float64)
        canvas = self._rendered(image, plan, size)
        moved, visible = self._moved_boxes(plan, torch.from_numpy(boxes), size)
        after = self._traced(canvas, boxes, _matrix_to(plan, size), side)
        words = (f"resized to {self.image_size} x {self.image_size}",)
        resized = replace(
            after, name="resize", title="resize", words=words, all_boxes=moved, all_visible=visible
        )
        title = "what the network sees"
        network = replace(resized, name="network", title=title, words=("normalised",))
        tensor = self.normalise(canvas)
        return Trace([*steps, resized, network], tensor, plan.redraws, plan.gave_up)

    def _traced(
        self, image: Image.Image, boxes: np.ndarray, matrix: np.ndarray, size: np.ndarray
    ) -> TracedStep:
        rule = self.config.box_rule
        estimates = {name: geometry.move_boxes(boxes, matrix, name) for name in ("hull", "ellipse")}
        moved = estimates[rule]
        clipped, visible = geometry.clip(moved, size), geometry.visible_share(moved, size)
        hull, ellipse = (tuple(geometry.clip(e[0], size).tolist()) for e in estimates.values())
        return TracedStep(
            "original", "original", {}, ("original",), (), image, _float32(clipped),
            _float32(visible), hull, ellipse,
            round(float(geometry.overlap(estimates["hull"][0], estimates["ellipse"][0])), 9),
            round(float(geometry.box_growth(boxes[0], matrix, rule)), 9),
        )  # fmt: skip


def _of_step(after: TracedStep, step: Step, plan: Plan, size: tuple[int, int]) -> TracedStep:
    params: dict[str, Any] = plan.params[step.name]
    return replace(
        after, name=step.name, title=step.title, params=params, step=step,
        words=tuple(step.words(params, size)), spoken=tuple(step.spoken(params, size)),
    )  # fmt: skip


def _matrix_to(plan: Plan, size: tuple[int, int]) -> np.ndarray:
    """The matrix of all steps followed by a resize to ``size`` (width, height)."""
    width, height = plan.sizes[-1]
    return geometry.scaling(size[0] / width, size[1] / height) @ plan.matrices[-1]


def _checked(bbox_xyxy: Tensor) -> np.ndarray:
    if bbox_xyxy.ndim != 2 or bbox_xyxy.shape[0] < 1 or bbox_xyxy.shape[1] != 4:
        raise ValueError(f"bbox_xyxy must be (N >= 1, 4), not {tuple(bbox_xyxy.shape)}")
    return bbox_xyxy.numpy().astype(np.float64)


def _float32(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
