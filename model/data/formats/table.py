"""CSV: one row an object, its columns found by their names; boxes in pixels from 0.

As TensorFlow's tutorials, Roboflow, Open Images, RetinaNet, AutoML and Kaggle have it, and as
``python -m model.dataset csv`` writes it. A photo whose only row has no box is a background.
"""

import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from model.checked import is_name, is_number
from model.data.blemishes import Blemish
from model.data.formats.coco import OTHERS
from model.data.formats.listing import (
    MOST,
    Entry,
    Format,
    Listing,
    Parsed,
    number_of,
    of_center_and_size,
    one_of_each_photo,
    put_in_folder_splits,
    readable_text,
    unannotated,
)
from model.data.names import split_named, split_of_folders, stem_of
from model.data.records import box_xywh_to_xyxy
from model.data.tree import Tree
from model.errors import UserError

MAX_CSV_BYTES = 1 << 30
# Content of a column -> its names, in lower case without punctuation and spaces.
NAMES = {
    "photo": "filename file imageid imagename imagepath image img path filepath",
    "class": "classname class labelname label categoryname category name classid categoryid",
    "x1": "xmin x1 left bboxx x", "y1": "ymin y1 top bboxy y", "x2": "xmax x2 right",
    "y2": "ymax y2 bottom", "x": "xcenter centerx cx", "y": "ycenter centery cy",
    "width": "bboxwidth width w", "height": "bboxheight height h",
    "box": "bbox boundingbox", "all": "objects", "split": "split set subset",
    "difficult": "difficult isgroupof iscrowd",
}  # fmt: skip
# Columns that make a box, the most certain first.
CORNERS, BOX, CORNER_AND_SIZE = ("x1", "y1", "x2", "y2"), ("box",), ("x1", "y1", "width", "height")
CENTER_AND_SIZE = ("x", "y", "width", "height")
BOXES = (CORNERS, BOX, CORNER_AND_SIZE, CENTER_AND_SIZE)
# Without a head, as of RetinaNet, makesense.ai and AutoML: number of columns -> content of each.
WITHOUT_HEAD = {
    6: ("photo", *CORNERS, "class"),
    8: ("class", *CORNER_AND_SIZE, "photo", "", ""),
    11: ("split", "photo", "class", "x1", "y1", "", "", "x2", "y2", "", ""),
}
NOTHING = frozenset({"", "nan", "none", "null"})  # an empty cell, as pandas and databases write it
_END = "\x1fend"
_SEPARATOR = re.compile('"?sep=(.)"?[,;\t]*', re.IGNORECASE)  # of Excel
_NUMBER = re.compile(r"(?<![\w.])[-+.\d][-+.\w]*")  # also of "np.float64(1.5)"

csv.field_size_limit(MAX_CSV_BYTES)  # of a cell: Python's own limit is 131,072

Row = dict[str, str]


def recognises(tree: Tree) -> bool:
    """Whether a CSV has columns for photos and boxes.

    Raises:
        UserError: if none has, and one cannot be read.
    """
    tables = _tables(tree).values()
    if any(isinstance(rows, list) and _objects_in(tree, rows) is not None for rows in tables):
        return True
    for error in tables:
        if isinstance(error, UserError):
            raise error
    return False


@lru_cache(maxsize=1)  # read by recognises, and then by listing
def _tables(tree: Tree) -> dict[str, list[list[str]] | UserError]:
    """Path -> rows of cells, or why it cannot be read."""
    found: dict[str, list[list[str]] | UserError] = {}
    for path in tree.with_suffix(".csv", ".tsv"):
        try:
            found[path] = _rows(tree.path(path), readable_text(tree, path, MAX_CSV_BYTES))
        except UserError as error:
            found[path] = error
    return found


def _rows(path: str, text: str) -> list[list[str]]:
    lines = text.lstrip("\r\n").splitlines()
    said = _SEPARATOR.fullmatch(lines[0]) if lines else None
    lines = [line for line in lines[bool(said) :] if line.strip()]
    first = next((line for line in lines if not line.startswith("#")), "")
    delimiter = said[1] if said else max(",;\t|", key=first.count)
    *rows, end = csv.reader([*lines, _END], delimiter=delimiter)
    if end != [_END]:
        start = next(cell for cell in end if _END in cell)[:40]
        raise UserError(
            f"{path} has a quotation mark before {start!r} that nothing closes: close it."
        )
    return rows


def _objects_in(tree: Tree, rows: list[list[str]]) -> list[Row] | None:
    """Content -> cell, for each row; ``None`` if the table holds no boxes."""
    start = 0
    while len(rows) > start + 1 and rows[start][0].startswith("#"):
        after = rows[start + 1]
        if len(rows[start]) == len(after) and not after[0].startswith("#"):
            break  # it is the header, not a comment
        start += 1
    rows = rows[start:]  # not one by one: there may be a million comments
    head = [re.sub("[^a-z0-9]", "", cell.casefold()) for cell in rows[0]] if rows else []
    known = {what: [n for n in names.split() if n in head] for what, names in NAMES.items()}
    places = {what: head.index(names[0]) for what, names in known.items() if names}
    if "photo" in places and any(set(names) <= set(places) for names in BOXES):
        rows = rows[1:]
    elif without := WITHOUT_HEAD.get(len(head)):
        places = {what: i for i, what in enumerate(without) if what}
        if tree.photo_index.find(rows[0][places["photo"]]) is None:
            return None
    else:
        return None
    length = max(places.values()) + 1
    rows = [[*row, *[""] * (length - len(row))] for row in rows]
    return [{what: row[i].strip() for what, i in places.items()} for row in rows]


def listing(tree: Tree) -> Listing:
    """The photos of all tables; a table of two columns names the class ids."""
    entries: list[Entry] = []
    others: list[list[str]] = []
    blemishes: list[Blemish] = []
    for path, rows in _tables(tree).items():
        if isinstance(rows, UserError):
            why = str(rows).removeprefix(f"{tree.root}{os.sep}")
            blemishes.append(Blemish("annotation unreadable", path, why.rstrip(".")))
            continue
        found = _objects_in(tree, rows)
        if found is None:
            others += rows
        else:
            entries += _entries(tree, path, found)
    _tables.cache_clear()  # they may be large
    names = _name_classes(entries, [row for row in others if len(row) == 2])
    if names and all(name == "object" or name.isdecimal() for name in names):
        blemishes.append(Blemish("classes without names", tree.root.name))
    entries = one_of_each_photo(entries, blemishes)
    put_in_folder_splits(entries)
    return Listing(entries, blemishes + unannotated(tree, entries))


def _entries(tree: Tree, path: str, rows: list[Row]) -> list[Entry]:
    of_file = split_of_folders(path) or split_named(stem_of(path))
    entries: dict[str, Entry] = {}
    for row in rows:
        name = row.get("photo", "")
        if name not in entries:
            photo = tree.photo_index.find(name, path.rpartition("/")[0], of_file)
            entries[name] = Entry(name, photo, path, [], Parsed(_size(row), "", [], []))
        entry = entries[name]
        split = split_named(row.get("split", "")) or of_file
        if split and split not in entry.splits:
            entry.splits.append(split)
        if entry.parsed:
            _add(entry.parsed, row)
    return list(entries.values())


def _add(parsed: Parsed, row: Row) -> None:
    try:
        things = list(_things(row))
    except ValueError as error:
        parsed.problems.append(
            ["object without box", f"{row.get('class', 'object')[:60]}: {error}"[:200]]
        )
        return
    for name, box, difficult in things:
        if not is_name(name):
            parsed.problems.append(["object without class", repr(name)[:60]])
        elif len(box) != 4 or not all(is_number(value, MOST) for value in box):
            parsed.problems.append(["object without box", name])
        else:
            parsed.objects.append(
                [name, *map(float, box), int(difficult in (1, "1", "true", "True"))]
            )


def _things(row: Row) -> Iterator[tuple[Any, Sequence[Any], Any]]:
    """Class, corners and ``difficult`` of each object in a row; ``ValueError`` if they are bad."""
    if row.get("all", "").startswith("["):
        # Of this project: the columns for a box are of the largest.
        try:
            yield from [(name, box, last) for name, *box, last in json.loads(row["all"])]
        except (ValueError, TypeError, RecursionError):
            raise ValueError("the column of objects lists none") from None
        return
    columns = next(names for names in BOXES if set(names) <= set(row))  # as its head has them
    listed = columns == BOX
    texts = _NUMBER.findall(row["box"]) if listed else [row.get(each, "") for each in columns]
    if any(text.casefold() not in NOTHING for text in texts):  # else it is a background
        box = [number for text in texts if (number := number_of(text)) is not None]
        if not len(texts) == len(box) == 4:
            raise ValueError(f"{len(box)} numbers")
        has_center = columns == CENTER_AND_SIZE
        corners = of_center_and_size(box) if has_center else box_xywh_to_xyxy(box)
        corners = box if columns == CORNERS else corners
        yield row.get("class", "object"), corners, row.get("difficult")


def _size(row: Row) -> list[float] | None:
    """The photo's size, unless the row's width and height are those of the box."""
    sides = [row.get(side, "").removesuffix(".0") for side in ("width", "height")]
    is_known = {"x2", "box"} & set(row) and all(
        s.isascii() and s.isdecimal() and len(s) < 7 for s in sides
    )
    return [float(side) for side in sides] if is_known and "0" not in sides else None


def _name_classes(entries: list[Entry], pairs: list[list[str]]) -> set[str]:
    """Replace class ids by the names in a table of two columns; returns all class names."""
    things = [thing for each in entries if each.parsed for thing in each.parsed.objects]
    used = {thing[0] for thing in things}
    for of_id, of_name in ((0, 1), (1, 0)):
        names = {row[of_id].strip(): row[of_name].strip() for row in pairs}
        if used <= {i for i, name in names.items() if is_name(name) and not name.isdecimal()}:
            for thing in things:
                thing[0] = names[thing[0]]
            return {names[each] for each in used}
    return used


TABLE = Format("csv", recognises, listing, None, "from 0", OTHERS)
