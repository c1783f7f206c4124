"""LabelMe and Supervisely: one JSON file a photo, outlines and corners in pixels from 0.

LabelMe has ``shapes`` with a ``label`` and ``points``, Supervisely ``objects`` with a
``classTitle`` and ``points.exterior``. The upright hull of the points is the box; of a circle the
first point is the middle and the second one lies on its edge. Single points and lines are no
objects with a box.
"""

import math
from typing import Any

from model.checked import is_name, is_number
from model.data.formats.listing import (
    MOST,
    Entry,
    Format,
    Listing,
    Parsed,
    Reading,
    hull,
    json_of,
    put_in_folder_splits,
    unannotated,
)
from model.data.names import stem_of
from model.data.tree import Tree

MAX_JSON_BYTES = 256 << 20  # LabelMe puts the photo itself into the file
WITHOUT_BOX = frozenset({"point", "points", "line", "bitmap"})


def recognises(tree: Tree) -> bool:
    """Whether there are JSON files with the names of photos that hold shapes."""
    return any(_is_of_photo(tree, path) for path in tree.with_suffix(".json")[:100])


def _is_of_photo(tree: Tree, path: str) -> bool:
    if tree.photo_index.find(path) is None:
        return False
    content, _ = _content(tree.path(path))
    return isinstance(content, dict) and _shapes(content) is not None


def listing(tree: Tree) -> Listing:
    """All photos with a JSON file of their name; splits by folders."""
    paths = tree.with_suffix(".json")
    photos = {path: tree.photo_index.find(path, path.rpartition("/")[0]) for path in paths}
    # JSON files without a photo are settings of the program.
    entries = [Entry(stem_of(path), photo, path) for path, photo in photos.items() if photo]
    put_in_folder_splits(entries)
    return Listing(entries, unannotated(tree, entries))


def parse(path: str) -> Parsed:
    """Read one JSON file; raises nothing."""
    content, encoding = _content(path)
    if isinstance(content, str):
        return Parsed(None, "", [], [["annotation unreadable", content]])
    shapes = _shapes(content)
    if shapes is None:
        what = "no list of shapes or objects, as LabelMe and Supervisely have"
        return Parsed(None, "", [], [["annotation unreadable", what]])
    objects: list[list[Any]] = []
    problems = [["other encoding", encoding]] if encoding else []
    for each in shapes:
        name = each.get("label", each.get("classTitle"))
        box = _box(each)
        if not is_name(name):
            problems.append(["object without class", repr(name)[:60]])
        elif box is None:
            kind = each.get("shape_type") or each.get("geometryType")
            problems.append(["object without box", f"{name.strip()}, {kind}"])
        else:
            objects.append([name.strip(), *box, int(each.get("difficult") is True)])
    return Parsed(_size(content), "", objects, problems)


def _content(path: str) -> tuple[dict[str, Any] | str, str]:
    """The JSON object of a file, or why it cannot be read; its encoding, if that was guessed."""
    try:
        content, encoding = json_of(path, MAX_JSON_BYTES)
    except OSError as error:
        return str(error.strerror), ""
    except ValueError as error:
        return str(error), ""
    return content if isinstance(content, dict) else "no object of JSON", encoding


def _shapes(content: dict[str, Any]) -> list[dict[str, Any]] | None:
    found = content.get("shapes")
    if found is None and "size" in content:
        found = content.get("objects")
    is_list = isinstance(found, list) and all(isinstance(each, dict) for each in found)
    return found if is_list else None


def _size(content: dict[str, Any]) -> list[float] | None:
    size_of = content.get("size")
    of_labelme = {"width": content.get("imageWidth"), "height": content.get("imageHeight")}
    sides = of_labelme | (size_of if isinstance(size_of, dict) else {})
    size: list[Any] = [sides["width"], sides["height"]]
    return size if all(is_number(side, MOST) and side >= 1 for side in size) else None


def _box(shape: dict[str, Any]) -> tuple[float, float, float, float] | None:
    points = shape.get("points")
    points = points.get("exterior") if isinstance(points, dict) else points
    kind = shape.get("shape_type") or shape.get("geometryType")
    if not isinstance(kind, str | None) or kind in WITHOUT_BOX:
        return None
    if not isinstance(points, list) or len(points) < 2:
        return None
    if not all(isinstance(point, list) and len(point) == 2 for point in points):
        return None
    values = [value for point in points for value in point]
    if not all(is_number(value, MOST) for value in values):
        return None
    if kind == "circle":
        x, y, *edge = values[:4]
        radius = math.dist((x, y), edge)
        return x - radius, y - radius, x + radius, y + radius
    return hull(list(map(float, values)))


OTHERS = (Reading("shares of the photo's sides", "shares"),)
LABELME = Format("labelme", recognises, listing, parse, "from 0", OTHERS)
