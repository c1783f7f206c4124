"""Records what each part of a torchvision pipeline returns while it runs.

The parts are shallow copies, so that the pipeline itself is never changed.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from model.errors import UserError
from model.inspect.compose_boxes import boxes_after, corners_of, kept_rows
from model.inspect.compose_input import Sample, name_of, parts_of
from model.inspect.compose_steps import ORIGINAL, ComposeStep, Picture, TracedBox, canvas_of, copied

MAX_SHOWN = 16  # numbers in a parameter; of larger ones only the shape is kept


class Recorder:
    """Collects a :class:`ComposeStep` for every part of a pipeline that is run."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.within: list[str] = []
        self.steps: list[ComposeStep] = []
        # Output of the previous step: picture, boxes as the pipeline has them, and as TracedBox.
        self.image, raw = sample.image, sample.target
        self.raw = raw if sample.boxes_key is None else raw[sample.boxes_key]
        xyxy, labels = self._xyxy(self.raw), self._labels(sample.target, len(self.raw))
        self.boxes = tuple(TracedBox(i, row, labels[i]) for i, row in enumerate(xyxy))
        self.note(ORIGINAL, True, {}, ())

    def traced(self, transform: Any) -> "_Traced":
        """A copy of a transform that reports to this recorder, and whose parts do."""
        parts = parts_of(transform)
        if not parts:
            return _Traced(self, transform, transform, is_container=False)
        inner = copy.copy(transform)
        inner.__dict__["_modules"] = dict(transform._modules)
        for name, children in parts.items():
            many = not isinstance(getattr(transform, name), v2.Transform)
            traced = [self.traced(child) for child in children]
            if len(traced) > 1:
                for index, child in enumerate(traced, 1):
                    child.place = f"{index} of {len(traced)}"
            inner._modules.pop(name, None)
            inner.__dict__[name] = traced if many else traced[0]
        return _Traced(self, transform, inner, is_container=True)

    def passed(self, transform: Any, params: dict[str, Any] | None, outputs: Any) -> None:
        """Record the output of a step."""
        before, canvas_before = self.boxes, canvas_of(self.image)
        image, raw = self.read(transform, outputs)
        # A transform with probability ``p`` draws parameters only if it is applied.
        is_same = image is self.image and raw is self.raw
        applied = not (is_same and params is None and hasattr(transform, "p"))
        xyxy, canvas_size = self._xyxy(raw), canvas_of(image)
        kept = kept_rows(corners_of(before), xyxy, params)
        after = boxes_after(transform, params, before, canvas_before, xyxy, canvas_size, kept)
        rows = set(range(len(before))) - set(kept or ())
        dropped = tuple(before[i] for i in sorted(rows)) if kept is not None else ()
        if kept is None and len(xyxy) < len(before):
            unknown = replace(before[0], number=None, label="")
            dropped = (unknown,) * (len(before) - len(xyxy))
        self.image, self.raw = image, raw
        self.boxes = tuple(
            replace(old, bbox_xyxy=row, label=label or old.label)
            for old, row, label in zip(after, xyxy, self._labels(outputs[1], len(raw)), strict=True)
        )
        shown = None if params is None and applied else _plain(params or {})
        if isinstance(transform, v2.SanitizeBoundingBoxes) and shown:
            shown = {"valid": shown["valid"]}  # its labels are no parameter
        self.note(name_of(transform), applied, shown, dropped)

    def note(
        self, name: str, applied: bool, params: dict[str, Any] | None, gone: tuple[TracedBox, ...]
    ) -> None:
        """Append a step; see :class:`ComposeStep`."""
        image = copied(self.image)  # later steps may modify it in place
        within = tuple(self.within)
        self.steps.append(ComposeStep(name, within, applied, params, image, self.boxes, gone))

    def read(self, transform: Any, outputs: Any) -> tuple[Picture, Tensor]:
        """Image and boxes in the output of a step."""
        name, key = name_of(transform), self.sample.boxes_key
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
        """Corners ``(N, 4)``; plain tensors have the format of the last ``BoundingBoxes``."""
        if isinstance(raw, tv_tensors.BoundingBoxes):
            self.box_format = raw.format
        plain = raw.as_subclass(Tensor).detach().float().cpu().clone()
        return functional.convert_bounding_box_format(plain, self.box_format, "XYXY")

    def _labels(self, target: Any, count: int) -> list[str]:
        key = self.sample.labels_key
        values = target.get(key) if key is not None and isinstance(target, Mapping) else None
        if values is None or len(values) != count:
            return [""] * count
        plain = values.tolist() if isinstance(values, Tensor) else list(values)
        names = self.sample.names
        return [names[v] if names and v in range(len(names)) else str(v) for v in plain]


class _Traced:
    """A part of a pipeline that reports its output to a recorder."""

    place = ""  # in its container: "2 of 3"

    def __init__(self, recorder: Recorder, original: Any, inner: Any, is_container: bool) -> None:
        self._recorder, self._original, self._inner = recorder, original, inner
        self._is_container = is_container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, *inputs: Any) -> Any:
        within = self._recorder.within
        if not self.place or not within:
            return self._run_part(inputs)
        container = within[-1]
        within[-1] = f"{container}: {self.place}"
        outputs = self._run_part(inputs)
        within[-1] = container
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
            recorder.within.append(name_of(self._original))
        outputs = self._run(self._inner, inputs)
        if is_named:
            recorder.within.pop()
        image, raw = recorder.read(self._original, outputs)
        if image is not recorder.image or raw is not recorder.raw:
            recorder.passed(self._original, None, outputs)  # the container itself changed them
        elif len(recorder.steps) == count:
            recorder.note(name_of(self._original), False, {}, ())  # it ran none of its parts
        return outputs

    def _run(self, step: Any, inputs: tuple[Any, ...]) -> Any:
        try:
            return step(*inputs)
        except UserError:
            raise
        except Exception as error:
            where = " > ".join((*self._recorder.within, name_of(self._original)))
            reason = " ".join(str(error).split()).rstrip(".")[:300]
            raise UserError(
                f"{where} cannot be run on this image and its boxes"
                f" ({type(error).__name__}: {reason})."
            ) from error


def _noting(transform: Any, drawn: list[dict[str, Any]]) -> Any:
    """A copy of a transform that appends its parameters to ``drawn``."""
    if not isinstance(transform, v2.Transform):
        return transform
    step = copy.copy(transform)
    draw, apply = step.make_params, step.transform

    def make_params(flat_inputs: list[Any]) -> dict[str, Any]:
        drawn.append(draw(flat_inputs))
        return drawn[-1]

    def transform_noted(inpt: Any, params: dict[str, Any]) -> Any:
        if not drawn:  # its own forward does not call make_params, as in SanitizeBoundingBoxes
            drawn.append(params)
        return apply(inpt, params)

    step.__dict__["make_params"], step.__dict__["transform"] = make_params, transform_noted
    return step


def _plain(value: Any) -> Any:
    """A parameter as JSON values."""
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
