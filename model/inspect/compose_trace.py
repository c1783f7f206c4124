"""Any pipeline of ``torchvision.transforms.v2``, step by step: what was drawn, what boxes became.

    >>> trace = trace_compose(v2.Compose([...]), photo, [[48, 30, 200, 180]], seed=7)
    >>> for step in trace.steps:
    ...     print(step.title, step.params, step.boxes, step.dropped)
    >>> trace.save("trace.png")  # a notebook shows the trace itself

The pipeline itself is run, on shallow copies of its parts that note what passes through them: so
image and boxes are those of ``compose(image, boxes)``, to the pixel.
"""

import copy
import inspect
import random
import threading
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from model.boxes import box_areas, clip_boxes
from model.data.images import load_image
from model.data.photo_inputs import image_source
from model.errors import UserError

Picture: TypeAlias = Image.Image | Tensor
Boxes: TypeAlias = "Tensor | np.ndarray | Sequence[Sequence[float]] | Mapping[str, Any]"
SAME = 1.0  # pixels by which a box may be off and still be the one that was moved
UPRIGHT = ("XYXY", "XYWH", "CXCYWH")
ORIGINAL = "original"
_ONE_AT_A_TIME = threading.RLock()  # the generators that are seeded are those of all threads


@dataclass(frozen=True)
class TracedBox:
    """A box after a step.

    Attributes:
        number: row of it in the boxes given; ``None`` where a step changed their number in a way
            that does not say which went.
        bbox_xyxy: in pixels of this step's picture, float32 ``(4,)``.
        label: of it, as text; empty without labels.
        visible: share of it that is still in the picture, 0..1, all steps so far together.
        growth: how much larger it is than what was inside it, all steps so far together: 0.6 = 60 %
            larger. Both are ``None`` after a step that moves boxes in a way of its own.
    """

    number: int | None
    bbox_xyxy: Tensor
    label: str = ""
    visible: float | None = 1.0
    growth: float | None = 0.0

    @property
    def name(self) -> str:
        """For people, counted from 1."""
        which = "box" if self.number is None else f"box {self.number + 1}"
        return f"{which} ({self.label})" if self.label else which


@dataclass(frozen=True)
class ComposeStep:
    """Image and boxes after one step.

    Attributes:
        name: class of the transform, or name of the function; ``original`` for what went in.
        within: the transforms it lies in, outermost first: ``("RandomChoice: 2 of 3",)``.
        applied: ``False`` if chance left it out.
        params: what it drew, as plain values; of large tensors the shape. ``None`` if it does not
            draw through ``make_params``, so that nobody can tell.
        image: as the pipeline has it: a PIL image or a tensor.
        boxes: in the order of the pipeline.
        dropped: boxes of the step before that are no longer there.
    """

    name: str
    within: tuple[str, ...]
    applied: bool
    params: dict[str, Any] | None
    image: Picture
    boxes: tuple[TracedBox, ...]
    dropped: tuple[TracedBox, ...] = ()

    @property
    def title(self) -> str:
        """The step and where it lies."""
        return " > ".join((*self.within, self.name))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        height, width = _canvas(self.image)
        return width, height


@dataclass(frozen=True)
class ComposeTrace:
    """What a pipeline did to one photo.

    Attributes:
        steps: ``original`` first, then each step in the order in which it was run.
        image: what the pipeline returned for the image.
        target: and for the boxes: boxes, or the dictionary that holds them.
        seed: see :func:`trace_compose`.
    """

    steps: tuple[ComposeStep, ...]
    image: Picture
    target: Any
    seed: int

    def _repr_html_(self) -> str:
        from model.inspect.compose_pictures import trace_html

        return trace_html(self)

    def picture(self) -> Image.Image:
        """All steps side by side, with their boxes and captions."""
        from model.inspect.compose_pictures import trace_sheet

        return trace_sheet(self)

    def save(self, path: str | Path) -> None:
        """Write :meth:`picture`; raises :class:`UserError` where that cannot be done."""
        from model.inspect.compose_pictures import save_sheet

        save_sheet(self, Path(path))

    def show(self) -> None:
        """In a notebook: what it shows of itself; elsewhere in the system's picture viewer."""
        import sys

        if "IPython" in sys.modules and sys.modules["IPython"].get_ipython():
            sys.modules["IPython"].display.display(self)
        else:
            self.picture().show()


def trace_compose(
    compose: Callable[..., Any],
    image: Any,
    boxes: Boxes,
    seed: int = 0,
    labels: Sequence[Any] | None = None,
) -> ComposeTrace:
    """Run a pipeline of torchvision and keep every step.

    The result is that of ``torch.manual_seed(seed); compose(image, boxes)``, to the pixel, with
    Python's and NumPy's generators seeded alike. Their states, the pipeline, and what is given are
    left as they were. What a pipeline draws on a GPU is not seeded.

    Args:
        compose: a transform of ``torchvision.transforms.v2``, mostly a ``Compose``. Its parts may
            be nested, of classes of one's own, and any function of image and boxes.
        image: a PIL image or a ``(C, H, W)`` tensor, which are passed on as they are; else anything
            that :func:`model.data.photo_inputs.image_source` takes.
        boxes: ``(N, 4)`` ``xyxy`` in pixels of ``image``, or ``tv_tensors.BoundingBoxes``, or the
            target of a detection data set: a dictionary that holds such boxes, and labels.
        seed: of all that is drawn.
        labels: one for each box, names or numbers, where ``boxes`` holds none. The pipeline is then
            given ``{"boxes": ..., "labels": ...}``, as it is where a ``SanitizeBoundingBoxes`` asks
            for labels; without them it is given the boxes alone.

    Raises:
        UserError: if ``compose`` is not of v2, a step takes or returns no boxes or fails, or the
            boxes given are no upright boxes; the text names the step.
    """
    _check_pipeline(compose, ())
    picture = image if isinstance(image, Image.Image | Tensor) else load_image(image_source(image))
    if isinstance(picture, Tensor) and picture.ndim != 3:
        raise UserError(f"a tensor to trace must be (C, H, W), not {tuple(picture.shape)}.")
    picture = (
        picture.copy() if isinstance(picture, Image.Image) else _like(picture.clone(), picture)
    )
    sample = _sample_of(picture, boxes, labels, _asks_for_labels(compose))
    recorder = _Recorder(sample)
    with _ONE_AT_A_TIME, _generators_kept():
        _seed_all(seed)
        outputs = recorder.traced(compose)(picture, sample.target)
    return ComposeTrace(tuple(recorder.steps), outputs[0], outputs[1], seed)


def _seed_all(seed: int) -> None:
    # Not torch.manual_seed, which would seed the generators of all GPUs too.
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


@contextmanager
def _generators_kept() -> Generator[None]:
    """The global generators are afterwards as they were."""
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])


# --- what goes in ---


@dataclass
class _Sample:
    """What the pipeline is given, and how its answers are to be read.

    Attributes:
        image: a copy.
        target: boxes, or a dictionary.
        boxes_key, labels_key: of the dictionary; ``None`` if ``target`` is the boxes, or there are
            no labels.
        names: of the labels given as text: those in ``target`` are then their places here.
    """

    image: Picture
    target: Any
    boxes_key: Any = None
    labels_key: Any = None
    names: tuple[str, ...] = ()


def _sample_of(
    image: Picture, boxes: Boxes, labels: Sequence[Any] | None, labels_needed: bool
) -> _Sample:
    target: dict[Any, Any]
    if isinstance(boxes, Mapping):
        target = {k: _like(v.clone(), v) if isinstance(v, Tensor) else v for k, v in boxes.items()}
        found = (k for k, v in boxes.items() if isinstance(v, tv_tensors.BoundingBoxes))
        key = next(found, "boxes")
        if key not in boxes:
            raise UserError('the target to trace holds no boxes: name them "boxes".')
    elif labels is not None or labels_needed:
        target, key = {"boxes": boxes}, "boxes"
    else:
        return _Sample(image, _bounding_boxes(boxes, _canvas(image)))
    target[key] = given = _bounding_boxes(target[key], _canvas(image))
    labels_key = next((k for k in target if str(k).lower() == "labels"), None)
    if labels is not None:
        if labels_key is not None:
            raise UserError("the target holds labels already: leave out labels=.")
        target["labels"], names = _labels(labels, len(given))
        return _Sample(image, target, key, "labels", names)
    if not isinstance(boxes, Mapping):  # asked for, and nobody knows them
        target["labels"] = torch.zeros(len(given), dtype=torch.int64)
    return _Sample(image, target, key, labels_key)


def _bounding_boxes(boxes: Any, canvas_size: tuple[int, int]) -> tv_tensors.BoundingBoxes:
    if isinstance(boxes, tv_tensors.BoundingBoxes):
        if boxes.format.value not in UPRIGHT:
            raise UserError(
                f"boxes to trace must be upright, not {boxes.format.value}: give them as xyxy."
            )
        if tuple(boxes.canvas_size) != tuple(canvas_size):
            raise UserError(
                f"the boxes are of a canvas of {tuple(boxes.canvas_size)}, the image is"
                f" {tuple(canvas_size)} (height, width)."
            )
        return _like(boxes.clone(), boxes)
    try:
        values = torch.as_tensor(
            np.asarray(boxes, dtype=np.float32) if not isinstance(boxes, Tensor) else boxes
        ).clone()
    except (TypeError, ValueError):
        values = torch.empty(1)
    values = values.reshape(0, 4) if not values.numel() else values
    if values.ndim != 2 or values.shape[1] != 4 or not values.isfinite().all():
        raise UserError("boxes to trace must be rows of four numbers: left, top, right, bottom.")
    return tv_tensors.BoundingBoxes(values, format="XYXY", canvas_size=canvas_size)


def _labels(labels: Sequence[Any], count: int) -> tuple[Tensor, tuple[str, ...]]:
    """As numbers, and the names that these number, if they were names."""
    if len(labels) != count:
        raise UserError(f"there are {len(labels)} labels for {count} boxes.")
    if all(isinstance(label, str) for label in labels) and count:
        names = tuple(dict.fromkeys(labels))
        return torch.tensor([names.index(label) for label in labels]), names
    return torch.as_tensor(labels), ()


def _like(values: Tensor, like: Tensor) -> Any:
    return tv_tensors.wrap(values, like=like) if isinstance(like, tv_tensors.TVTensor) else values


# --- the pipeline ---


def _parts(transform: Any) -> dict[str, list[Any]]:
    """The transforms that a transform holds: attribute -> them."""
    if not isinstance(transform, nn.Module):
        return {}
    parts: dict[str, list[Any]] = {}
    for name, value in {**vars(transform), **transform._modules}.items():
        if isinstance(value, list | tuple | nn.ModuleList) and value:
            if name == "transforms" or any(isinstance(v, v2.Transform) for v in value):
                parts[name] = list(value)
        elif isinstance(value, v2.Transform):
            parts[name] = [value]
    return parts


def _check_pipeline(transform: Any, within: tuple[str, ...]) -> None:
    """Refuse what cannot take boxes along, before anything is run."""
    name = _name(transform)
    where = f"{' > '.join(within)} > {name}" if within else name
    module = type(transform).__module__
    if module.startswith("torchvision.transforms") and ".v2" not in module:
        raise UserError(
            f"{where} is one of torchvision's old transforms, which take no boxes along. Take"
            f" {name} from torchvision.transforms.v2."
        )
    if not within and not isinstance(transform, v2.Transform):
        raise UserError(
            f"a pipeline to trace must be a torchvision.transforms.v2.Compose, not {where}."
        )
    if isinstance(transform, v2.Transform):
        for parts in _parts(transform).values():
            for part in parts:
                _check_pipeline(part, (*within, name))
        return
    if not callable(transform):
        raise UserError(f"{where} is no transform: it cannot be called.")
    called = transform.forward if isinstance(transform, nn.Module) else transform
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):
        return  # of functions written in C nobody knows
    try:
        signature.bind(None, None)
    except TypeError:
        raise UserError(
            f"{where} takes no boxes: it must be a transform of torchvision.transforms.v2, or take"
            " and return both image and boxes."
        ) from None


def _asks_for_labels(transform: Any) -> bool:
    """Whether a ``SanitizeBoundingBoxes`` looks for labels in a dictionary, as it does unasked."""
    if isinstance(transform, v2.SanitizeBoundingBoxes):
        return transform.labels_getter == "default"
    return any(_asks_for_labels(part) for parts in _parts(transform).values() for part in parts)


def _name(transform: Any) -> str:
    own = getattr(transform, "__name__", "")
    return own if own and not isinstance(transform, nn.Module) else type(transform).__name__


# --- the recording ---


@dataclass
class _State:
    """Image and boxes between two steps."""

    image: Picture
    boxes: tuple[TracedBox, ...]
    canvas_size: tuple[int, int]
    box_format: str
    raw: Tensor = field(repr=False)  # the boxes as the pipeline has them

    @property
    def xyxy(self) -> Tensor:
        """``(N, 4)`` float32."""
        rows = [box.bbox_xyxy for box in self.boxes]
        return torch.stack(rows) if rows else torch.zeros(0, 4)


class _Recorder:
    """Notes what passes through the parts of a pipeline."""

    def __init__(self, sample: _Sample) -> None:
        self.sample = sample
        self.within: list[str] = []
        self.steps: list[ComposeStep] = []
        raw = sample.target if sample.boxes_key is None else sample.target[sample.boxes_key]
        self.state = _State(sample.image, (), tuple(raw.canvas_size), raw.format.value, raw)
        xyxy, labels = self._xyxy(raw), self._labels(sample.target, len(raw))
        boxes = tuple(TracedBox(i, row, labels[i]) for i, row in enumerate(xyxy))
        self.state = self._state(sample.image, raw, boxes)
        self._note(ORIGINAL, True, {}, ())

    def traced(self, transform: Any) -> "_Traced":
        """A part, and all within it, that notes what passes through."""
        parts = _parts(transform)
        if not parts:
            return _Traced(self, transform, transform, is_container=False)
        # A copy, so that the owner's pipeline stays as it is, whatever happens.
        inner = copy.copy(transform)
        inner.__dict__["_modules"] = dict(transform._modules)
        for name, children in parts.items():
            many = not isinstance(getattr(transform, name), v2.Transform)
            traced = [self.traced(child) for child in children]
            if len(traced) > 1:
                for place, child in enumerate(traced, 1):
                    child.place = f"{place} of {len(traced)}"
            inner._modules.pop(name, None)
            inner.__dict__[name] = traced if many else traced[0]
        return _Traced(self, transform, inner, is_container=True)

    def passed(self, transform: Any, params: dict[str, Any] | None, outputs: Any) -> None:
        """Note what a step returned."""
        before = self.state
        image, raw = self.read(transform, outputs)
        # A transform with a coin asks for parameters only where it falls that way.
        is_same = image is before.image and raw is before.raw
        applied = not (is_same and params is None and hasattr(transform, "p"))
        xyxy = self._xyxy(raw)
        kept = _kept_rows(before.xyxy, xyxy, params)
        labels = self._labels(outputs[1], len(raw))
        measured = _measured(transform, params, before, (xyxy, _canvas(image)), kept)
        boxes = tuple(
            replace(old, bbox_xyxy=row, label=label or old.label)
            for old, row, label in zip(measured, xyxy, labels, strict=True)
        )
        gone = set(range(len(before.boxes))) - set(kept or ())
        dropped = tuple(before.boxes[i] for i in sorted(gone)) if kept is not None else ()
        if kept is None and len(xyxy) < len(before.boxes):
            unknown = replace(before.boxes[0], number=None, label="")
            dropped = (unknown,) * (len(before.boxes) - len(xyxy))
        self.state = self._state(image, raw, boxes)
        shown = None if params is None and applied else _plain(params or {})
        if isinstance(transform, v2.SanitizeBoundingBoxes) and shown:
            shown = {"valid": shown["valid"]}  # the labels are no parameter
        self._note(_name(transform), applied, shown, dropped)

    def left_out(self, transform: Any) -> None:
        """Note a container none of whose parts was run."""
        self._note(_name(transform), False, {}, ())

    def _note(
        self, name: str, applied: bool, params: dict[str, Any] | None,
        dropped: tuple[TracedBox, ...],
    ) -> None:  # fmt: skip
        image = self.state.image
        # Later steps may write into what this one returned.
        kept = image.copy() if isinstance(image, Image.Image) else _like(image.clone(), image)
        within = tuple(self.within)
        self.steps.append(
            ComposeStep(name, within, applied, params, kept, self.state.boxes, dropped)
        )

    def read(self, transform: Any, outputs: Any) -> tuple[Picture, Tensor]:
        """Image and boxes of what a step returned."""
        name, key = _name(transform), self.sample.boxes_key
        if not isinstance(outputs, tuple | list) or len(outputs) != 2:
            raise UserError(f"{name} does not return both image and boxes.")
        image, target = outputs
        raw = target if key is None else target.get(key) if isinstance(target, Mapping) else None
        if not isinstance(image, Image.Image | Tensor):
            raise UserError(f"{name} returns no image but {type(image).__name__}.")
        if not isinstance(raw, Tensor) or raw.ndim != 2 or raw.shape[1] != 4:
            raise UserError(f"{name} returns no boxes of four numbers.")
        return image, raw

    def _xyxy(self, raw: Tensor) -> Tensor:
        """``(N, 4)``; of pure tensors the format is the last known one."""
        old = raw.format.value if isinstance(raw, tv_tensors.BoundingBoxes) else (
            self.state.box_format)  # fmt: skip
        return functional.convert_bounding_box_format(
            raw.as_subclass(Tensor).detach().float().cpu().clone(),
            tv_tensors.BoundingBoxFormat[old], tv_tensors.BoundingBoxFormat.XYXY,
        )  # fmt: skip

    def _labels(self, target: Any, count: int) -> list[str]:
        key = self.sample.labels_key
        values = target.get(key) if key is not None and isinstance(target, Mapping) else None
        if values is None or len(values) != count:
            return [""] * count
        plain = values.tolist() if isinstance(values, Tensor) else list(values)
        names = self.sample.names
        return [names[v] if names and v in range(len(names)) else str(v) for v in plain]

    def _state(self, image: Picture, raw: Tensor, boxes: tuple[TracedBox, ...]) -> _State:
        known = isinstance(raw, tv_tensors.BoundingBoxes)
        box_format = raw.format.value if known else self.state.box_format
        return _State(image, boxes, _canvas(image), box_format, raw)


class _Traced:
    """A part of a pipeline that tells a recorder what passes through."""

    place = ""  # among the parts of the transform it lies in: "2 of 3"

    def __init__(self, recorder: _Recorder, original: Any, inner: Any, is_container: bool) -> None:
        self._recorder, self._original, self._inner = recorder, original, inner
        self._is_container = is_container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, *inputs: Any) -> Any:
        within = self._recorder.within
        if not self.place or not within:
            return self._run_part(inputs)
        around = within[-1]
        within[-1] = f"{around}: {self.place}"
        outputs = self._run_part(inputs)
        within[-1] = around
        return outputs

    def _run_part(self, inputs: tuple[Any, ...]) -> Any:
        if self._is_container:
            return self._run_container(inputs)
        drawn: list[dict[str, Any]] = []
        outputs = self._run(_noting(self._inner, drawn), inputs)
        self._recorder.passed(self._original, drawn[0] if drawn else None, outputs)
        return outputs

    def _run_container(self, inputs: tuple[Any, ...]) -> Any:
        recorder, count = self._recorder, len(self._recorder.steps)
        is_named = bool(recorder.within) or count > 1 or type(self._original) is not v2.Compose
        if is_named:
            recorder.within.append(_name(self._original))
        outputs = self._run(self._inner, inputs)
        if is_named:
            recorder.within.pop()
        image, raw = recorder.read(self._original, outputs)
        if image is not recorder.state.image or raw is not recorder.state.raw:
            recorder.passed(self._original, None, outputs)  # it did something of its own, too
        elif len(recorder.steps) == count:
            recorder.left_out(self._original)
        return outputs

    def _run(self, step: Any, inputs: tuple[Any, ...]) -> Any:
        try:
            return step(*inputs)
        except UserError:
            raise
        except Exception as error:
            where = " > ".join((*self._recorder.within, _name(self._original)))
            said = " ".join(str(error).split()).rstrip(".")[:300]
            raise UserError(
                f"{where} cannot be run on this image and its boxes"
                f" ({type(error).__name__}: {said})."
            ) from error


def _noting(transform: Any, drawn: list[dict[str, Any]]) -> Any:
    """A copy of a transform that appends to ``drawn`` what it draws."""
    if not isinstance(transform, v2.Transform):
        return transform
    step = copy.copy(transform)
    draw, apply = step.make_params, step.transform

    def make_params(flat_inputs: list[Any]) -> dict[str, Any]:
        drawn.append(draw(flat_inputs))
        return drawn[-1]

    def transform_noted(inpt: Any, params: dict[str, Any]) -> Any:
        if not drawn:  # a forward of its own, as SanitizeBoundingBoxes has
            drawn.append(params)
        return apply(inpt, params)

    step.__dict__["make_params"], step.__dict__["transform"] = make_params, transform_noted
    return step


# --- what became of the boxes ---


def _kept_rows(before: Tensor, after: Tensor, params: dict[str, Any] | None) -> list[int] | None:
    """For each box after a step, its row before it; ``None`` if nobody can tell."""
    if len(before) == len(after):
        return list(range(len(after)))
    for value in (params or {}).values():
        is_mask = isinstance(value, Tensor) and value.dtype == torch.bool
        if is_mask and value.shape == (len(before),) and int(value.sum()) == len(after):
            return value.nonzero().flatten().tolist()
    rows, place = [], 0  # those left are as they were, and in the same order
    for box in after:
        while place < len(before) and not torch.equal(before[place], box):
            place += 1
        rows.append(place)
        place += 1
    return rows if place <= len(before) else None


def _measured(
    transform: Any, params: dict[str, Any] | None, before: _State,
    after: tuple[Tensor, tuple[int, int]], kept: list[int] | None,
) -> list[TracedBox]:  # fmt: skip
    """The boxes after a step, with what it did to each; corners and labels are still old."""
    xyxy, canvas_size = after
    if kept is None:
        return [TracedBox(None, row, "", None, None) for row in xyxy]
    olds, start = [before.boxes[i] for i in kept], before.xyxy[kept]
    if torch.equal(start, xyxy) and canvas_size == before.canvas_size:
        return olds
    moved = _moved_freely(transform, params, start, before.canvas_size)
    if moved is None:
        return [replace(old, visible=None, growth=None) for old in olds]
    free, inside = moved
    left = clip_boxes(xyxy, canvas_size)
    agree = ((clip_boxes(free, canvas_size) - left).abs() <= SAME).all(dim=1).tolist()
    shares = (box_areas(left) / box_areas(free).clamp(min=1e-9)).clamp(max=1).tolist()
    growths = (box_areas(free) / inside.clamp(min=1e-9)).tolist()
    measured = []
    for old, is_known, share, larger in zip(olds, agree, shares, growths, strict=True):
        visible = old.visible * share if is_known and old.visible is not None else None
        growth = (1 + old.growth) * larger - 1 if is_known and old.growth is not None else None
        measured.append(replace(old, visible=visible, growth=growth if visible else None))
    return measured


def _moved_freely(
    transform: Any, params: dict[str, Any] | None, xyxy: Tensor, canvas_size: tuple[int, int]
) -> tuple[Tensor, Tensor] | None:
    """Boxes ``(N, 4)`` moved by a step but not cut at its border, and the areas ``(N,)`` of what
    was inside them; ``None`` if the step cannot be repeated on boxes alone.

    What was inside is the quadrilateral of the corners, each of which is moved as an empty box.
    """
    if params is None or not isinstance(transform, v2.Transform):
        return None
    left, top, right, bottom = xyxy.unbind(dim=1)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    given = [xyxy, *(torch.stack([x, y, x, y], dim=1) for x, y in corners)]
    step = copy.copy(transform)
    try:
        with _generators_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said already when the step was run
            moved = [step.transform(_free(values, canvas_size), params) for values in given]
    except Exception:  # a transform of the owner's that wants more than boxes: nobody can tell
        return None
    if not all(isinstance(m, tv_tensors.BoundingBoxes) and len(m) == len(xyxy) for m in moved):
        return None
    free, *points = [
        functional.convert_bounding_box_format(m, new_format="XYXY").as_subclass(Tensor).float()
        for m in moved
    ]
    around = torch.stack([point[:, :2] for point in points], dim=1)
    x, y = around.unbind(dim=2)
    inside = (x * y.roll(-1, dims=1) - y * x.roll(-1, dims=1)).sum(dim=1).abs() / 2
    return free, inside


def _free(xyxy: Tensor, canvas_size: tuple[int, int]) -> Any:
    return tv_tensors.BoundingBoxes(
        xyxy, format="XYXY", canvas_size=canvas_size, clamping_mode=None
    )


def _canvas(image: Picture) -> tuple[int, int]:
    height, width = functional.get_size(image)  # type: ignore[bad-argument-type]
    return height, width


MAX_SHOWN = 16  # numbers of a parameter


def _plain(value: Any) -> Any:
    """A parameter as values that JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Tensor | np.ndarray | np.generic):
        if np.prod(value.shape) > MAX_SHOWN:
            return f"{' x '.join(map(str, value.shape))} numbers"
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return getattr(value, "__name__", None) or repr(value)[:80]
