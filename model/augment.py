"""The augmentation pipeline: one implementation, which training runs and the trace shows.

Horizontal flip, rotation, zoom, colour jitter, resize to the square canvas,
float in 0..1, ImageNet normalisation; built from ``torchvision.transforms.v2``, whose public hooks
``make_params`` / ``transform`` let us keep the parameters that were drawn. The boxes follow the
geometric steps.

    >>> pipeline = Pipeline(AugmentConfig(rotation_degrees=10), image_size=224)
    >>> sample = pipeline(photo, boxes, seed=7)            # what training does
    >>> for step in pipeline.trace(photo, boxes, seed=7).steps:  # the same, step by step
    ...     print(step.name, step.params, step.bbox_xyxy)
"""

import dataclasses
import json
import math
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from model.boxes import box_areas, clip_boxes, paired_iou, rotate_boxes
from model.errors import UserError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MEAN_COLOUR = tuple(round(255 * m) for m in IMAGENET_MEAN)  # fills corners: zero once normalised
MAX_DRAWS = 10
WORKING_RATIO = 1.25

_RANDOM_LOCK = threading.Lock()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
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


def working_side(image_size: int) -> int:
    """Longest side, in pixels, of the photo the geometric and colour steps work on.

    Photos are first shrunk to it, keeping their shape: the network never sees more detail than its
    canvas, and every step after that costs the same for a phone photo and a thumbnail.
    """
    return round(image_size * WORKING_RATIO)


def photo_seed(seed: int, epoch: int, file_name: str) -> int:
    """Seed of what is drawn for one photo in one epoch (counted from 0) of a run.

    It depends on the name, not on the place in a split, so that whoever knows ``--seed`` and the
    photo sees what the network saw, without reading the data set.
    """
    mixed = (seed * 1_000_003 + epoch) * 4_294_967_311 + zlib.crc32(file_name.encode())
    return mixed % (2**63 - 1)


def _setting(default: Any, low: float, high: float, text: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "help": text})


@dataclass(frozen=True)
class AugmentConfig:
    """Settings of the augmentation, validated on construction.

    Every field's ``metadata`` holds its allowed range and a one-line explanation.

    Raises:
        UserError: if a value is outside its range; the text names the field and the range.
    """

    flip_probability: float = _setting(0.5, 0, 1, "chance that the photo is mirrored")
    rotation_degrees: float = _setting(
        4.0, 0, 180, "the photo is turned by up to this many degrees, either way"
    )
    zoom: float = _setting(
        1.5, 1, 4, "width and height are zoomed by up to this factor, in or out; 1 = off"
    )
    brightness: float = _setting(0.3, 0, 1, "brightness factor drawn from 1 ± this")
    contrast: float = _setting(0.3, 0, 1, "contrast factor drawn from 1 ± this")
    saturation: float = _setting(0.3, 0, 1, "saturation factor drawn from 1 ± this")
    hue: float = _setting(0.0, 0, 0.5, "hue shifted by up to this share of the colour circle")
    box_rule: Literal["hull", "ellipse"] = field(
        default="ellipse",
        metadata={
            "choices": ("hull", "ellipse"),
            "help": "box of a rotated object: hull of its corners (never cuts it), or of the"
            " ellipse inside (tighter, right for round things)",
        },
    )
    min_visible: float = _setting(
        0.6, 0, 1, "share of the box that must stay in the picture, else draw again"
    )

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            _check_setting(item, getattr(self, item.name))

    @classmethod
    def none(cls) -> "AugmentConfig":
        """No augmentation at all: what evaluation and prediction use."""
        return cls(
            flip_probability=0, rotation_degrees=0, zoom=1,
            brightness=0, contrast=0, saturation=0, hue=0,
        )  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> "AugmentConfig":
        """Read what :meth:`to_json` wrote; fields left out keep their default.

        Raises:
            UserError: if it is not a JSON object, or names an unknown or bad setting.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"the augmentation settings are not JSON: {error}.") from None
        if not isinstance(values, dict):
            raise UserError('the augmentation settings must be a JSON object, like {"hue": 0.1}.')
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "AugmentConfig":
        """From field names and values; fields left out keep their default.

        Raises:
            UserError: for an unknown or bad setting.
        """
        known = [item.name for item in dataclasses.fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise UserError(
                f"unknown augmentation setting {unknown[0]!r:.60}. There is: {', '.join(known)}."
            )
        return cls(**values)

    @classmethod
    def from_file(cls, path: str | Path) -> "AugmentConfig":
        """:meth:`from_json` of a file."""
        try:
            return cls.from_json(Path(path).read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read the augmentation settings {path}: {error}.") from None
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def to_json(self) -> str:
        """All settings as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)


def _check_setting(item: dataclasses.Field, value: Any) -> None:
    if choices := item.metadata.get("choices"):
        if value not in choices:
            raise UserError(f"{item.name} must be one of {', '.join(choices)}, not {value!r:.60}.")
        return
    low, high = item.metadata["low"], item.metadata["high"]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # NaN is not within any range
        shown = f"{value!r:.60}"
        raise UserError(f"{item.name} must be a number from {low:g} to {high:g}, not {shown}.")


class RandomHorizontalFlip(v2.RandomHorizontalFlip):
    """torchvision's, with the coin toss moved into ``make_params`` so that it can be recorded."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """``flipped``: whether this photo is mirrored."""
        return {"flipped": bool(torch.rand(1) < self.p)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Mirror image or boxes if the coin said so."""
        return super().transform(inpt, {}) if params["flipped"] else inpt


class RandomRotation(v2.RandomRotation):
    """torchvision's for pixels; boxes by our rule and unclipped, so that the loss can be seen."""

    def __init__(self, degrees: float, box_rule: str) -> None:
        super().__init__(degrees, interpolation="bilinear", fill=list(MEAN_COLOUR))
        self.box_rule = box_rule

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Turn an image or boxes by ``angle`` degrees counter-clockwise."""
        if params["angle"] == 0:
            return inpt
        if isinstance(inpt, tv_tensors.BoundingBoxes):
            plain = inpt.as_subclass(Tensor)
            rotated = rotate_boxes(plain, params["angle"], inpt.canvas_size, self.box_rule)
            return tv_tensors.wrap(rotated, like=inpt)
        return super().transform(inpt, params)


class RandomZoom(v2.Transform):
    """See the photo through a random window, up to ``zoom`` times smaller or larger than it.

    Width and height are drawn apart, so objects change size *and* shape. Smaller and larger are
    equally likely: with crops alone every object the network learns from has been enlarged.
    """

    def __init__(self, zoom: float) -> None:
        super().__init__()
        self.zoom = zoom

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """``left, top, width, height`` of the window in pixels of the photo."""
        height, width = _canvas_size(flat_inputs)
        limit = math.log(self.zoom)
        share = torch.empty(2).uniform_(-limit, limit).exp().tolist()
        place = torch.rand(2).tolist()
        window_w, window_h = max(1, round(width * share[0])), max(1, round(height * share[1]))
        left, top = round(place[0] * (width - window_w)), round(place[1] * (height - window_h))
        return {"left": left, "top": top, "width": window_w, "height": window_h}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """What a PIL image shows in the window, or boxes in its pixels (unclipped)."""
        left, top, width, height = (params[k] for k in ("left", "top", "width", "height"))
        if isinstance(inpt, tv_tensors.BoundingBoxes):
            moved = inpt.as_subclass(Tensor) - torch.tensor([left, top, left, top])
            return tv_tensors.wrap(moved, like=inpt, canvas_size=(height, width))
        window = Image.new("RGB", (width, height), MEAN_COLOUR)
        window.paste(inpt, (-left, -top))
        return window


def _canvas_size(flat_inputs: list[Any]) -> tuple[int, int]:
    for item in flat_inputs:
        if isinstance(item, tv_tensors.BoundingBoxes):
            return item.canvas_size
    return tuple(v2.functional.get_size(flat_inputs[0]))  # type: ignore[return-value]


@dataclass(frozen=True)
class Step:
    """One step of a trace.

    Attributes:
        name: ``original``, ``flip``, ``rotation``, ``zoom``, ``jitter``, ``resize``, ``network``.
        params: what was actually drawn, plain numbers.
        image: the picture after the step. For ``network`` it is float32 ``(3, S, S)``, normalised.
        bbox_xyxy: float32 ``(4,)``, the target in pixels of this step's image, clipped to it.
        visible: share of the object's box still inside the picture, 0..1, since the original.
        looseness: IoU of the corner hull with the ellipse estimate; 1 = tight, 0.54 at 30 degrees.
    """

    name: str
    params: dict[str, Any]
    image: Image.Image | Tensor
    bbox_xyxy: Tensor
    visible: float
    looseness: float


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
    def looseness(self) -> float:
        """See :class:`Step`; that of the rotation, and of all steps after it."""
        # Worked out when asked for: training never does, and it is a tenth of a sample's cost.
        return _looseness(self.boxes["flip"][:1], self.params["rotation"]["angle"])


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
        plan = self.plan((image.height, image.width), bbox_xyxy, seed)
        looseness = 1.0
        steps = [self._step("original", {}, image, plan, looseness)]
        for name, transform, params in self._pixel_steps(plan):
            image = transform.transform(image, params)
            looseness = plan.looseness if name == "rotation" else looseness
            steps.append(self._step(name, params, image, plan, looseness))
        network = self.to_network(image).as_subclass(Tensor)
        last = dataclasses.replace(steps[-1], name="network", params={}, image=network)
        return Trace([*steps, last], plan.redraws, plan.gave_up)

    def plan(self, canvas_size: tuple[int, int], bbox_xyxy: Tensor, seed: int = 0) -> Plan:
        """Draw everything for a photo of ``(height, width)`` pixels without touching pixels."""
        if bbox_xyxy.ndim != 2 or bbox_xyxy.shape[0] < 1 or bbox_xyxy.shape[1] != 4:
            raise ValueError(f"bbox_xyxy must be (N >= 1, 4), not {tuple(bbox_xyxy.shape)}")
        with _seeded(seed):
            start = tv_tensors.BoundingBoxes(
                bbox_xyxy.to(torch.float32).clone(), format="XYXY", canvas_size=canvas_size
            )
            for draw in range(MAX_DRAWS + 1):
                params, boxes, visible = self._draw_geometry(start, idle=draw == MAX_DRAWS)
                if draw == MAX_DRAWS or self._target_is_kept(boxes, visible):
                    break
            params["jitter"] = self.jitter.make_params([start])
        last = list(boxes)[-1]
        boxes["jitter"], visible["jitter"] = boxes[last], visible[last]
        boxes["resize"] = self.resize.transform(boxes[last], {})
        visible["resize"] = visible[last]
        return Plan(params, boxes, visible, min(draw, MAX_DRAWS), draw == MAX_DRAWS)

    def _draw_geometry(
        self, boxes: tv_tensors.BoundingBoxes, idle: bool
    ) -> tuple[dict, dict, dict]:
        params: dict[str, dict] = {}
        inside = torch.ones(len(boxes))
        kept_boxes, visible = {"original": boxes}, {"original": inside}
        for name, step in self.geometry.items():
            params[name] = self._idle(name, boxes) if idle else step.make_params([boxes])
            moved = step.transform(boxes, params[name])
            clipped = clip_boxes(moved.as_subclass(Tensor), moved.canvas_size)
            whole = box_areas(moved.as_subclass(Tensor)).clamp(min=1e-9)
            inside = inside * (box_areas(clipped) / whole).clamp(max=1)
            boxes = tv_tensors.wrap(clipped, like=moved)
            kept_boxes[name], visible[name] = boxes, inside
        return params, kept_boxes, visible

    @staticmethod
    def _idle(name: str, boxes: tv_tensors.BoundingBoxes) -> dict[str, Any]:
        height, width = boxes.canvas_size
        return {
            "flip": {"flipped": False},
            "rotation": {"angle": 0.0},
            "zoom": {"left": 0, "top": 0, "width": width, "height": height},
        }[name]

    def _target_is_kept(self, boxes: dict, visible: dict) -> bool:
        last = list(boxes)[-1]
        x1, y1, x2, y2 = boxes[last][0].tolist()
        has_size = x2 - x1 >= 1 and y2 - y1 >= 1
        return has_size and float(visible[last][0]) >= self.config.min_visible

    def _pixel_steps(self, plan: Plan) -> list[tuple[str, v2.Transform, dict[str, Any]]]:
        steps = [(name, step, plan.params[name]) for name, step in self.geometry.items()]
        return [*steps, ("jitter", self.jitter, plan.params["jitter"]), ("resize", self.resize, {})]

    @staticmethod
    def _step(
        name: str, params: dict[str, Any], image: Image.Image, plan: Plan, looseness: float
    ) -> Step:
        bbox = plan.boxes[name].as_subclass(Tensor)[0]
        plain = {k: v.tolist() if isinstance(v, Tensor) else v for k, v in params.items()}
        return Step(name, plain, image, bbox, float(plan.visible[name][0]), looseness)


def _looseness(bbox_xyxy: Tensor, angle: float) -> float:
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
        return f"resize to {step.image.width} x {step.image.height}"
    return step.name
