"""Boxes on a photo that visitors draw or type."""

import math
import re
from collections.abc import Sequence
from typing import Any

from demo.box_editor import MAX_BOXES, EditedBox
from model.boxes import BoxXyxy
from model.classes import MAX_NAME_LENGTH
from model.data.images import LoadedImage
from model.errors import UserError
from model.inspect.variants import checked_box

AROUND_NAMES = " \t,:"


def parse_boxes(text: str) -> list[EditedBox]:
    """Boxes as people type them: ``cat 10 20 200 180; 5, 6, 50, 70``.

    Text before the four numbers is a class name, of VOC or of any other data set.

    Raises:
        UserError: for anything else.
    """
    boxes = [_parse_box(part.strip()) for part in re.split(r"[;\n]", text) if part.strip()]
    if not 1 <= len(boxes) <= MAX_BOXES:
        raise UserError(f"there must be from 1 to {MAX_BOXES} boxes, not {len(boxes)}.")
    return boxes


def _parse_box(text: str) -> EditedBox:
    words = list(re.finditer(r"[^\s,:]+", text))
    numbers = words[-4:]
    name = text[: numbers[0].start()].strip(AROUND_NAMES) if words else ""
    try:
        x1, y1, x2, y2 = (float(word[0]) for word in numbers)
    except ValueError:
        x1 = y1 = x2 = y2 = math.nan
    if not all(abs(v) < 1e6 for v in (x1, y1, x2, y2)) or (name and not _can_be_typed(name)):
        raise UserError(
            f"{text[:60]!r} is no box: type left, top, right and bottom in pixels, like"
            " 10, 20, 200, 180."
        )
    return EditedBox(bbox_xyxy=(x1, y1, x2, y2), class_name=name)


def write_boxes(boxes: Sequence[EditedBox]) -> str:
    """The text :func:`parse_boxes` reads, without class names that it could not read."""
    return "; ".join(
        f"{name if _can_be_typed(name := box['class_name']) else ''}"
        f" {', '.join(f'{round(v, 2):.10g}' for v in box['bbox_xyxy'])}".strip()
        for box in boxes
    )


def _can_be_typed(name: str) -> bool:
    """Whether :func:`parse_boxes` can tell a class name from numbers and from the next box."""
    plain = name == name.strip(AROUND_NAMES) and not re.search(r"[;\n]", name)
    return plain and any(map(str.isalpha, name)) and len(name) <= MAX_NAME_LENGTH


def usable_boxes(boxes: Sequence[EditedBox], loaded: LoadedImage) -> tuple[EditedBox, ...]:
    """Boxes clipped to the photo, the largest first.

    Raises:
        UserError: if a box is unusable; sizes in the message are pixels of the photo.
    """
    clipped = [
        EditedBox(bbox_xyxy=usable_box(box["bbox_xyxy"], loaded), class_name=box["class_name"])
        for box in boxes
    ]
    return tuple(sorted(clipped, key=lambda box: -_area(box["bbox_xyxy"])))


def usable_box(bbox_xyxy: Sequence[Any], loaded: LoadedImage) -> BoxXyxy:
    """A box clipped to the photo, in its pixels, large enough to be a box on the working copy.

    Raises:
        UserError: if it is unusable; sizes in the message are pixels of the photo.
    """
    sizes = zip(loaded.original_size, loaded.image.size, strict=True)
    # A little more, because scaling to the copy loses the last digits.
    across, down = (1.001 * full / copy if full > copy else 1.0 for full, copy in sizes)
    box = checked_box(bbox_xyxy, loaded.original_size, (across, down))
    x1, y1, x2, y2 = box.tolist()
    return x1, y1, x2, y2


def _area(box: BoxXyxy) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
