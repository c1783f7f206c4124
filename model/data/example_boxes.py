"""The true boxes of photos that lie in one folder, from the ``boxes.json`` beside them.

The file maps a photo's file name to all its objects; a photo without any has an empty list::

    {"cat.jpg": [{"class_name": "cat", "bbox_xyxy": [0, 0, 399, 300], "difficult": false}]}

Boxes are in pixels of the upright photo, 0-based and half-open; ``difficult`` may be left out.
"""

import json
import reprlib
from pathlib import Path
from typing import Any

from model.checked import is_name, is_number
from model.data.images import load_fitted
from model.data.records import ObjectAnnotation
from model.errors import UserError

BOXES_FILE = "boxes.json"


def read_example_boxes(folder: Path) -> dict[str, tuple[ObjectAnnotation, ...]]:
    """File name -> its objects in the ``boxes.json`` of ``folder``; empty if there is no such file.

    Raises:
        UserError: if it is not JSON of that form, names a photo that is not there, or has
            a class without a name, or a box that is no box or outside its photo.
    """
    path = folder / BOXES_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON ({error}). Correct the file.") from None
    if not isinstance(content, dict) or not all(isinstance(v, list) for v in content.values()):
        raise UserError(
            f'{path} must map each photo to a list of its objects, like {{"cat.jpg": []}}.'
        )
    return {name: _objects_of(folder, name, entries) for name, entries in content.items()}


def _objects_of(folder: Path, name: str, entries: list[Any]) -> tuple[ObjectAnnotation, ...]:
    where = f"{folder / BOXES_FILE}, {name}"
    photo = folder / name
    if Path(name).name != name or not photo.is_file():
        raise UserError(f"{where}: there is no such photo in the folder. Correct the name.")
    width, height = load_fitted(photo, 64).original_size  # small: only the size is wanted
    return tuple(_object(entry, width, height, where) for entry in entries)


def _object(entry: Any, width: int, height: int, where: str) -> ObjectAnnotation:
    known = {"class_name", "bbox_xyxy", "difficult"}
    if not isinstance(entry, dict) or not {"class_name", "bbox_xyxy"} <= set(entry) <= known:
        raise UserError(
            f"{where}: {reprlib.repr(entry)} must be an object with class_name and bbox_xyxy,"
            " and difficult if you like."
        )
    name, difficult = entry["class_name"], entry.get("difficult", False)
    if not is_name(name):
        raise UserError(f"{where}: {reprlib.repr(name)} is no name of a class.")
    if not isinstance(difficult, bool):
        raise UserError(f"{where}: difficult must be true or false, not {reprlib.repr(difficult)}.")
    box = entry["bbox_xyxy"]
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        raise UserError(f"{where}: bbox_xyxy must be four numbers, not {reprlib.repr(box)}.")
    x1, y1, x2, y2 = map(float, box)
    if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
        raise UserError(
            f"{where}: the box {box} of a {name} has no area or lies outside the {width} x {height}"
            " photo. Correct it."
        )
    return ObjectAnnotation(name, (x1, y1, x2, y2), difficult)
