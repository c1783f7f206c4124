"""What a trace of a torchvision pipeline is given: the pipeline, and boxes with their labels.

A pipeline can be named as ``my_file.py:transforms``.
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
    """Run a Python file and take the pipeline out of it.

    It is the code of whoever starts the program: never call this with what a visitor sent.

    Args:
        name: ``FILE:NAME``; without ``:NAME`` it is ``transforms``.

    Raises:
        UserError: if the file is missing, fails, or has nothing of that name.
    """
    file, colon, attribute = name.rpartition(":")
    if not colon or "/" in attribute or "\\" in attribute or attribute.endswith(".py"):
        file, attribute = name, "transforms"
    path = Path(file).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file {path}: name a pipeline as my_file.py:transforms.")
    try:
        found = runpy.run_path(str(path), run_name=path.stem)
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise UserError(f"{path} cannot be run ({type(error).__name__}: {said}).") from error
    if attribute not in found:
        raise UserError(f"{path} has nothing called {attribute!r}: name it as {path}:NAME.")
    return found[attribute]


def parts_of(transform: Any) -> dict[str, list[Any]]:
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


def check_pipeline(transform: Any, within: tuple[str, ...]) -> None:
    """Refuse what cannot take boxes along, before anything is run."""
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
        return  # of functions written in C nobody knows
    try:
        signature.bind(None, None)
    except TypeError:
        raise UserError(
            f"{where} takes no boxes: it must be a transform of torchvision.transforms.v2, or take"
            " and return both image and boxes."
        ) from None


def asks_for_labels(transform: Any) -> bool:
    """Whether a ``SanitizeBoundingBoxes`` looks for labels in a dictionary, as it does unasked."""
    if isinstance(transform, v2.SanitizeBoundingBoxes):
        return transform.labels_getter == "default"
    return any(asks_for_labels(part) for parts in parts_of(transform).values() for part in parts)


def name_of(transform: Any) -> str:
    """What people call a transform: its class, or the function it is."""
    own = getattr(transform, "__name__", "")
    return own if own and not isinstance(transform, nn.Module) else type(transform).__name__


@dataclass
class Sample:
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


def sample_of(
    image: Picture, boxes: Boxes, labels: Sequence[Any] | None, labels_needed: bool
) -> Sample:
    """What the pipeline is given, of the arguments of ``trace_compose``.

    Raises:
        UserError: for boxes that are not upright, or not of this image, or labels that do not fit.
    """
    target: dict[Any, Any]
    if isinstance(boxes, Mapping):
        target = {k: copied(v) if isinstance(v, Tensor) else v for k, v in boxes.items()}
        found = (k for k, v in boxes.items() if isinstance(v, tv_tensors.BoundingBoxes))
        key = next(found, "boxes")
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
    if not isinstance(boxes, Mapping):  # asked for, and nobody knows them
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
    """As numbers, and the names that these number, if they were names."""
    if len(labels) != count:
        raise UserError(f"there are {len(labels)} labels for {count} boxes.")
    if all(isinstance(label, str) for label in labels) and count:
        names = tuple(dict.fromkeys(labels))
        return torch.tensor([names.index(label) for label in labels]), names
    return torch.as_tensor(labels), ()
