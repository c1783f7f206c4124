"""Boxes on a photo as visitors draw or type them."""

import re
from collections.abc import Sequence
from typing import Any

from demo.box_editor import EditedBox
from model.augment.variants import checked_box
from model.boxes import BoxXyxy
from model.classes import VOC_CLASSES
from model.data.images import LoadedImage
from model.errors import UserError

MAX_OWN_BOXES = 20


def parse_boxes(text: str) -> list[EditedBox]:
    """Boxes as people type them: ``cat 10 20 200 180; 5, 6, 50, 70``.

    Raises:
        UserError: for anything else.
    """
    boxes = []
    for part in filter(None, (part.strip() for part in re.split(r"[;\n]", text))):
        found = re.fullmatch(r"(?:([a-z]+)[\s:,]+)?([-+.\deEnaif,\s]+)", part)
        words = re.split(r"[,\s]+", found[2].strip(", \t")) if found else []
        name = (found and found[1]) or ""
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            numbers = []
        if len(numbers) != 4 or not all(abs(v) < 1e6 for v in numbers):
            raise UserError(
                f"{part[:60]!r} is no box: type left, top, right and bottom in pixels, like"
                " 10, 20, 200, 180."
            )
        if name and name not in VOC_CLASSES:
            raise UserError(f"{name[:40]!r} is none of the 20 classes: {', '.join(VOC_CLASSES)}.")
        x1, y1, x2, y2 = numbers
        boxes.append(EditedBox(bbox_xyxy=(x1, y1, x2, y2), class_name=name))
    if not 1 <= len(boxes) <= MAX_OWN_BOXES:
        raise UserError(f"there must be from 1 to {MAX_OWN_BOXES} boxes, not {len(boxes)}.")
    return boxes


def write_boxes(boxes: Sequence[EditedBox]) -> str:
    """What :func:`parse_boxes` reads."""
    return "; ".join(
        f"{box['class_name']} {', '.join(f'{round(v, 2):.10g}' for v in box['bbox_xyxy'])}".strip()
        for box in boxes
    )


def usable_boxes(boxes: Sequence[EditedBox], loaded: LoadedImage) -> tuple[EditedBox, ...]:
    """Boxes clipped to the photo, the largest first.

    Raises:
        UserError: if one is none; sizes in the text are pixels of the photo.
    """
    clipped = [
        EditedBox(bbox_xyxy=usable_box(box["bbox_xyxy"], loaded), class_name=box["class_name"])
        for box in boxes
    ]
    return tuple(sorted(clipped, key=lambda box: -_area(box["bbox_xyxy"])))


def usable_box(bbox_xyxy: Sequence[Any], loaded: LoadedImage) -> BoxXyxy:
    """A box in pixels of the photo that is also one on its working copy.

    Raises:
        UserError: if it is none; sizes in the text are pixels of the photo.
    """
    sizes = zip(loaded.original_size, loaded.image.size, strict=True)
    # A little more, because a box loses its last digits on the way to the copy.
    across, down = (1.001 * full / copy if full > copy else 1.0 for full, copy in sizes)
    box = checked_box(bbox_xyxy, loaded.original_size, (across, down))
    x1, y1, x2, y2 = box.tolist()
    return x1, y1, x2, y2


def _area(box: BoxXyxy) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
