"""The pipeline: one implementation, which training runs and the trace shows.

Horizontal flip, rotation, zoom, colour jitter, resize to the square canvas, float in 0..1, ImageNet
normalisation. The boxes follow the geometric steps.

    >>> pipeline = Pipeline(AugmentConfig(rotation_degrees=10), image_size=224)
    >>> sample = pipeline(photo, boxes, seed=7)            # what training does
    >>> for step in pipeline.trace(photo, boxes, seed=7).steps:  # the same, step by step
    ...     print(step.name, step.params, step.bbox_xyxy)
"""

import dataclasses
import threading
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from model.augment.config import AugmentConfig
from model.augment.transforms import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    RandomHorizontalFlip,
    RandomRotation,
    RandomZoom,
)
from model.boxes import box_areas, clip_boxes, paired_iou, rotate_boxes

MAX_DRAWS = 10

_RANDOM_LOCK = threading.Lock()


@contextmanager
def _seeded(seed: int) -> Generator[None]:
    """Seed what v2 draws from - PyTorch's global CPU generator - and put it back after.

    One thread at a time. ``torch.manual_seed`` would touch every device, which costs more than the
    drawing itself.
    """
    with _RANDOM_LOCK:
        before = torch.default_generator.get_state()
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            torch.default_generator.set_state(before)


def photo_seed(seed: int, epoch: int, file_name: str) -> int:
    """Seed of what is drawn for one photo in one epoch (counted from 0) of a run.

    It depends on the name, not on the place in a split, so that whoever knows ``--seed`` and the
    photo sees what the network saw, without reading the data set.
    """
    mixed = (seed * 1_000_003 + epoch) * 4_294_967_311 + zlib.crc32(file_name.encode())
    return mixed % (2**63 - 1)


@dataclass(frozen=True)
class Step:
    """One step of a trace.

    Attributes:
        name: ``original``, ``flip``, ``rotation``, ``zoom``, ``jitter``, ``resize``, ``network``.
        params: what was actually drawn, plain numbers.
        image: the picture after the step. For ``network`` it is float32 ``(3, S, S)``, normalised.
        bbox_xyxy: float32 ``(4,)``, the target in pixels of this step's image, clipped to it.
        visible: share of the object's box still inside the picture, 0..1, since the original.
        hull_ellipse_iou: IoU of the corner hull with the ellipse estimate; 1 = they agree, 0.54 for
            a square box turned by 30 degrees.
        others: float32 ``(N - 1, 4)``, the other boxes, as ``bbox_xyxy``; they have no say in what
            is drawn.
    """

    name: str
    params: dict[str, Any]
    image: Image.Image | Tensor
    bbox_xyxy: Tensor
    visible: float
    hull_ellipse_iou: float
    others: Tensor = field(default_factory=lambda: torch.empty(0, 4))

    @property
    def photo(self) -> Image.Image:
        """:attr:`image` of any step but ``network``."""
        assert isinstance(self.image, Image.Image)
        return self.image

    @property
    def tensor(self) -> Tensor:
        """:attr:`image` of ``network``."""
        assert isinstance(self.image, Tensor)
        return self.image


@dataclass(frozen=True)
class Trace:
    """What the pipeline did to one photo: every step, and how often the target got lost.

    Attributes:
        steps: in order, from ``original`` to ``network``.
        redraws, gave_up: see :class:`Plan`.
    """

    steps: list[Step]
    redraws: int
    gave_up: bool


class _Geometry(NamedTuple):
    """Parameters, boxes and visible shares after the geometric steps, by the names of the steps."""

    params: dict[str, dict[str, Any]]
    boxes: dict[str, tv_tensors.BoundingBoxes]
    visible: dict[str, Tensor]


@dataclass(frozen=True)
class Plan:
    """Everything drawn for one photo: replaying it needs no random numbers.

    Attributes:
        params: step name -> drawn parameters.
        boxes: step name -> ``(N, 4)`` boxes after the step, clipped; row 0 is the target.
        visible: step name -> ``(N,)`` share of each box still inside, since the original.
        redraws: how often the target got lost and the geometry was drawn again.
        gave_up: whether the last try failed too, so that the geometry was left out.
    """

    params: dict[str, dict[str, Any]]
    boxes: dict[str, tv_tensors.BoundingBoxes]
    visible: dict[str, Tensor]
    redraws: int
    gave_up: bool

    @property
    def hull_ellipse_iou(self) -> float:
        """See :class:`Step`; that of the rotation, and of all steps after it."""
        # Worked out when asked for: training never does, and it is a tenth of a sample's cost.
        return _hull_ellipse_iou(self.boxes["flip"][:1], self.params["rotation"]["angle"])


@dataclass(frozen=True)
class Sample:
    """What the network gets: ``image`` float32 ``(3, S, S)`` normalised, ``bbox_xyxy`` ``(N, 4)``
    float32 pixels of the S canvas with the target in row 0, ``visible`` ``(N,)`` shares."""

    image: Tensor
    bbox_xyxy: Tensor
    visible: Tensor
    redraws: int
    gave_up: bool


class Pipeline:
    """Photo and boxes -> normalised tensor and boxes; the same seed gives the same answer.

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
        self.geometry: dict[str, v2.Transform] = {
            "flip": RandomHorizontalFlip(config.flip_probability),
            "rotation": RandomRotation(config.rotation_degrees, config.box_rule),
            "zoom": RandomZoom(config.zoom),
        }
        if config.zoom == 1:
            del self.geometry["zoom"]
        self.jitter = v2.ColorJitter(
            config.brightness, config.contrast, config.saturation, config.hue
        )
        self.resize = v2.Resize((image_size, image_size), antialias=True)
        self.to_network = v2.Compose(
            [
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(mean, std, inplace=True),  # of the copy ToDtype has just made
            ]
        )

    def __call__(self, image: Image.Image, bbox_xyxy: Tensor, seed: int = 0) -> Sample:
        """Augment one photo.

        Args:
            image: RGB.
            bbox_xyxy: ``(N, 4)`` pixels of ``image``, N >= 1; row 0 is the target.
            seed: of all that is drawn. PyTorch's global random state is left as it was.

        Raises:
            ValueError: if there is no box or ``bbox_xyxy`` has another shape.
        """
        plan = self.plan((image.height, image.width), bbox_xyxy, seed)
        for step in self._pixel_steps(plan):
            image = step[1].transform(image, step[2])
        boxes = plan.boxes["resize"].as_subclass(Tensor)
        pixels = self.to_network(image).as_subclass(Tensor)
        return Sample(pixels, boxes, plan.visible["resize"], plan.redraws, plan.gave_up)

    def trace(self, image: Image.Image, bbox_xyxy: Tensor, seed: int = 0) -> Trace:
        """The same as calling the pipeline, with every step kept."""
        return self._follow(image, self.plan((image.height, image.width), bbox_xyxy, seed))

    def trace_chosen(
        self, image: Image.Image, bbox_xyxy: Tensor, chosen: dict[str, dict[str, Any]]
    ) -> Trace:
        """:meth:`trace` with parameters chosen instead of drawn; nothing is drawn again.

        Args:
            image, bbox_xyxy: see :meth:`__call__`.
            chosen: step name -> all its parameters (of ``jitter`` those wanted), as in
                :attr:`Plan.params`. A step that is not named leaves the photo as it is.
        """
        start = _checked_boxes(bbox_xyxy, (image.height, image.width))
        geometry = self._geometry_of(start, chosen)
        geometry.params["jitter"] = {**_idle_jitter(), **chosen.get("jitter", {})}
        return self._follow(image, self._plan_of(geometry, redraws=0, gave_up=False))

    def _follow(self, image: Image.Image, plan: Plan) -> Trace:
        overlap = 1.0
        steps = [self._step("original", {}, image, plan, overlap)]
        for name, transform, params in self._pixel_steps(plan):
            image = transform.transform(image, params)
            overlap = plan.hull_ellipse_iou if name == "rotation" else overlap
            steps.append(self._step(name, params, image, plan, overlap))
        network = self.to_network(image).as_subclass(Tensor)
        last = dataclasses.replace(steps[-1], name="network", params={}, image=network)
        return Trace([*steps, last], plan.redraws, plan.gave_up)

    def plan(self, canvas_size: tuple[int, int], bbox_xyxy: Tensor, seed: int = 0) -> Plan:
        """Draw everything for a photo of ``(height, width)`` pixels without touching pixels."""
        start = _checked_boxes(bbox_xyxy, canvas_size)
        with _seeded(seed):
            geometry, redraws = self._draw_geometry(start)
            geometry.params["jitter"] = self.jitter.make_params([start])
        return self._plan_of(geometry, redraws, gave_up=redraws == MAX_DRAWS)

    def _draw_geometry(self, start: tv_tensors.BoundingBoxes) -> tuple[_Geometry, int]:
        """The first draw that keeps the target, and how many did not.

        After ``MAX_DRAWS`` of those, steps that leave the photo as it is.
        """
        for redraws in range(MAX_DRAWS):
            drawn = self._geometry_of(start, None)
            if self._target_is_kept(drawn):
                return drawn, redraws
        return self._geometry_of(start, {}), MAX_DRAWS

    def _plan_of(self, geometry: _Geometry, redraws: int, gave_up: bool) -> Plan:
        params, boxes, visible = geometry
        last = list(boxes)[-1]
        boxes["jitter"], visible["jitter"] = boxes[last], visible[last]
        boxes["resize"] = self.resize.transform(boxes[last], {})
        visible["resize"] = visible[last]
        return Plan(params, boxes, visible, redraws, gave_up)

    def _geometry_of(
        self, boxes: tv_tensors.BoundingBoxes, chosen: dict[str, dict] | None
    ) -> _Geometry:
        """What the geometric steps do; ``None`` for ``chosen`` draws."""
        params: dict[str, dict] = {}
        inside = torch.ones(len(boxes))
        kept_boxes, visible = {"original": boxes}, {"original": inside}
        for name, step in self.geometry.items():
            if chosen is None:
                params[name] = step.make_params([boxes])
            else:
                params[name] = chosen.get(name) or self._idle(name, boxes)
            moved = step.transform(boxes, params[name])
            clipped = clip_boxes(moved.as_subclass(Tensor), moved.canvas_size)
            whole = box_areas(moved.as_subclass(Tensor)).clamp(min=1e-9)
            inside = inside * (box_areas(clipped) / whole).clamp(max=1)
            boxes = tv_tensors.wrap(clipped, like=moved)
            kept_boxes[name], visible[name] = boxes, inside
        return _Geometry(params, kept_boxes, visible)

    @staticmethod
    def _idle(name: str, boxes: tv_tensors.BoundingBoxes) -> dict[str, Any]:
        height, width = boxes.canvas_size
        return {
            "flip": {"flipped": False},
            "rotation": {"angle": 0.0},
            "zoom": {"left": 0, "top": 0, "width": width, "height": height},
        }[name]

    def _target_is_kept(self, geometry: _Geometry) -> bool:
        last = list(geometry.boxes)[-1]
        return self._is_kept(geometry.boxes[last][0], float(geometry.visible[last][0]))

    def _is_kept(self, bbox_xyxy: Tensor, visible: float) -> bool:
        x1, y1, x2, y2 = bbox_xyxy.tolist()
        has_size = x2 - x1 >= 1 and y2 - y1 >= 1
        return has_size and visible >= self.config.min_visible

    def keeps(self, trace: Trace) -> bool:
        """Whether enough of the target is left in ``trace``; if not, training draws again."""
        step = next(s for s in trace.steps if s.name == "jitter")  # the geometry is done by then
        return self._is_kept(step.bbox_xyxy, step.visible)

    def _pixel_steps(self, plan: Plan) -> list[tuple[str, v2.Transform, dict[str, Any]]]:
        steps = [(name, step, plan.params[name]) for name, step in self.geometry.items()]
        return [*steps, ("jitter", self.jitter, plan.params["jitter"]), ("resize", self.resize, {})]

    @staticmethod
    def _step(
        name: str, params: dict[str, Any], image: Image.Image, plan: Plan, overlap: float
    ) -> Step:
        boxes = plan.boxes[name].as_subclass(Tensor)
        plain = {k: v.tolist() if isinstance(v, Tensor) else v for k, v in params.items()}
        return Step(
            name, plain, image, boxes[0], float(plan.visible[name][0]), overlap, boxes[1:]
        )  # fmt: skip


def _hull_ellipse_iou(bbox_xyxy: Tensor, angle: float) -> float:
    """IoU of the hull rule's box with the ellipse rule's, both unclipped; 1 without rotation."""
    plain = bbox_xyxy.as_subclass(Tensor)
    far = (1, 1)  # the centre of rotation moves both boxes alike and cancels
    hull, ellipse = (rotate_boxes(plain, angle, far, rule) for rule in ("hull", "ellipse"))
    return float(paired_iou(hull, ellipse)[0])


def describe(step: Step) -> str:
    """One short line for people: ``"rotation -7.3°"``, ``"flip: no"``."""
    params = step.params
    if step.name == "flip":
        return "flip: mirrored" if params["flipped"] else "flip: no"
    if step.name == "rotation":
        return f"rotation {params['angle']:+.1f}°"
    if step.name == "zoom":
        return (
            f"zoom to {params['width']} x {params['height']} at ({params['left']}, {params['top']})"
        )
    if step.name == "jitter":
        names = ("brightness", "contrast", "saturation", "hue")
        drawn = {n: params[f"{n}_factor"] for n in names if params[f"{n}_factor"] is not None}
        return "jitter " + (", ".join(f"{n} {v:.2f}" for n, v in drawn.items()) or "off")
    if step.name == "resize":
        return f"resize to {step.photo.width} x {step.photo.height}"
    return step.name


def _checked_boxes(bbox_xyxy: Tensor, canvas_size: tuple[int, int]) -> tv_tensors.BoundingBoxes:
    if bbox_xyxy.ndim != 2 or bbox_xyxy.shape[0] < 1 or bbox_xyxy.shape[1] != 4:
        raise ValueError(f"bbox_xyxy must be (N >= 1, 4), not {tuple(bbox_xyxy.shape)}")
    boxes = bbox_xyxy.to(torch.float32).clone()
    return tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=canvas_size)


def _idle_jitter() -> dict[str, Any]:
    factors = ("brightness", "contrast", "saturation", "hue")
    return {"fn_idx": torch.arange(4), **{f"{name}_factor": None for name in factors}}
