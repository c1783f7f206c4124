"""Input of a trace of a torchvision pipeline: the pipeline, and boxes with their labels.

Command lines name a pipeline as ``my_file.py:transforms``.
"""

import inspect
import runpy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from model.errors import UserError
from model.inspect.compose_steps import Picture, canvas_of, copied

Boxes: TypeAlias = "Tensor | np.ndarray | Sequence[Sequence[float]] | Mapping[str, Any]"
UPRIGHT = ("XYXY", "XYWH", "CXCYWH")


def load_pipeline(name: str) -> Callable[..., Any]:
    """Run a Python file and return the pipeline it defines.

    The file runs with all rights of this program: never call this with input of a visitor.

    Args:
        name: ``FILE:NAME``; ``NAME`` is ``transforms`` if left out.

    Raises:
        UserError: if the file is missing, fails, or does not define that name.
    """
    file, colon, attribute = name.rpartition(":")
    if not colon or "/" in attribute or "\\" in attribute or attribute.endswith(".py"):
        file, attribute = name, "transforms"
    path = Path(file).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file {path}: name a pipeline as my_file.py:transforms.")
    try:
        variables = runpy.run_path(str(path), run_name=path.stem)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path} cannot be run ({type(error).__name__}: {reason}).") from error
    if attribute not in variables:
        raise UserError(f"{path} has nothing called {attribute!r}: name it as {path}:NAME.")
    return variables[attribute]


def parts_of(transform: Any) -> dict[str, list[Any]]:
    """The transforms inside a container: name of an attribute -> its transforms."""
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


def check_pipeline(transform: Any, within: tuple[str, ...]) -> None:
    """Check, without running it, that every part of a pipeline takes boxes.

    Raises:
        UserError: naming the part that does not.
    """
    name = name_of(transform)
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
        for parts in parts_of(transform).values():
            for part in parts:
                check_pipeline(part, (*within, name))
        return
    if not callable(transform):
        raise UserError(f"{where} is no transform: it cannot be called.")
    called = transform.forward if isinstance(transform, nn.Module) else transform
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):
        return  # unknown for functions written in C
    try:
        signature.bind(None, None)
    except TypeError:
        raise UserError(
            f"{where} takes no boxes: it must be a transform of torchvision.transforms.v2, or take"
            " and return both image and boxes."
        ) from None


def needs_labels(transform: Any) -> bool:
    """Whether the pipeline has a ``SanitizeBoundingBoxes`` that needs labels, as by default."""
    if isinstance(transform, v2.SanitizeBoundingBoxes):
        return transform.labels_getter == "default"
    return any(needs_labels(part) for parts in parts_of(transform).values() for part in parts)


def name_of(transform: Any) -> str:
    """Name of a transform: its class, or its own name if it is a function."""
    own = getattr(transform, "__name__", "")
    return own if own and not isinstance(transform, nn.Module) else type(transform).__name__


@dataclass
class Sample:
    """Input of the pipeline, and how to read boxes and labels from its output.

    Attributes:
        image: a copy.
        target: boxes, or a dictionary.
        boxes_key, labels_key: keys of the dictionary; ``None`` if ``target`` is the boxes, or there
            are no labels.
        names: of labels that were text; labels in ``target`` are then indices into it.
    """

    image: Picture
    target: Any
    boxes_key: Any = None
    labels_key: Any = None
    names: tuple[str, ...] = ()


def sample_of(
    image: Picture, boxes: Boxes, labels: Sequence[Any] | None, labels_needed: bool
) -> Sample:
    """Input of the pipeline from the arguments of ``trace_compose``.

    Raises:
        UserError: for boxes that are not upright or of another image, or labels that do not fit.
    """
    target: dict[Any, Any]
    if isinstance(boxes, Mapping):
        target = {k: copied(v) if isinstance(v, Tensor) else v for k, v in boxes.items()}
        keys = (k for k, v in boxes.items() if isinstance(v, tv_tensors.BoundingBoxes))
        key = next(keys, "boxes")
        if key not in boxes:
            raise UserError('the target to trace holds no boxes: name them "boxes".')
    elif labels is not None or labels_needed:
        target, key = {"boxes": boxes}, "boxes"
    else:
        return Sample(image, _bounding_boxes(boxes, canvas_of(image)))
    target[key] = given = _bounding_boxes(target[key], canvas_of(image))
    labels_key = next((k for k in target if str(k).lower() == "labels"), None)
    if labels is not None:
        if labels_key is not None:
            raise UserError("the target holds labels already: leave out labels=.")
        target["labels"], names = _labels(labels, len(given))
        return Sample(image, target, key, "labels", names)
    if not isinstance(boxes, Mapping):  # labels are needed, but unknown
        target["labels"] = torch.zeros(len(given), dtype=torch.int64)
    return Sample(image, target, key, labels_key)


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
        return copied(boxes)
    try:
        plain = boxes if isinstance(boxes, Tensor) else np.asarray(boxes, dtype=np.float32)
        values = torch.as_tensor(plain).clone()
    except (TypeError, ValueError):
        values = torch.empty(1)
    values = values.reshape(0, 4) if not values.numel() else values
    if values.ndim != 2 or values.shape[1] != 4 or not values.isfinite().all():
        raise UserError("boxes to trace must be rows of four numbers: left, top, right, bottom.")
    return tv_tensors.BoundingBoxes(values, format="XYXY", canvas_size=canvas_size)


def _labels(labels: Sequence[Any], count: int) -> tuple[Tensor, tuple[str, ...]]:
    """Labels as numbers, and the names that these index if they were text."""
    if len(labels) != count:
        raise UserError(f"there are {len(labels)} labels for {count} boxes.")
    if all(isinstance(label, str) for label in labels) and count:
        names = tuple(dict.fromkeys(labels))
        return torch.tensor([names.index(label) for label in labels]), names
    return torch.as_tensor(labels), ()
