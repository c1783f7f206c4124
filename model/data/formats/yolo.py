"""YOLO: one text file a photo, ``class x_center y_center width height`` as shares of its sides.

Class names are in ``data.yaml`` as Ultralytics and Roboflow write it, or one a line in Darknet's
``_darknet.labels``, ``classes.txt`` or ``obj.names``; some write the name instead of the number.
Longer lines are outlines of segmentation, of which the upright hull is the box.
"""

import math
import re
import reprlib
from typing import Any

import yaml

from model.checked import is_name
from model.data.blemishes import Blemish
from model.data.formats.listing import (
    Box,
    Entry,
    Format,
    Listing,
    Parsed,
    Reading,
    hull,
    lines_of,
    put_in_folder_splits,
    split_of_folders,
    text_of,
)
from model.data.names import FileIndex, parts_of, stem_of
from model.data.tree import Tree
from model.errors import UserError

MAX_YAML = 250_000  # characters: a second's work; names of a thousand classes take a tenth
_NAME_FILES = ("_darknet.labels", "classes.txt", "obj.names", "labels.txt", "names.txt")
_NO_LABELS = frozenset(
    {"classes.txt", "labels.txt", "names.txt", "readme.txt", "requirements.txt", "license.txt"}
)


def recognises(tree: Tree) -> bool:
    """Whether there is a ``data.yaml`` with names, a file of Darknet's names, or label files."""
    if _yaml_files(tree) or _name_file(tree):
        return True
    some = [path for path in _label_files(tree)[:500] if tree.photo_index.find(path)]
    return any(parse(tree.path(path)).objects for path in some[:20])


def _label_files(tree: Tree) -> list[str]:
    return [
        path
        for path in tree.with_suffix(".txt")
        if path.rpartition("/")[2].casefold() not in _NO_LABELS and "ImageSets" not in path
    ]


def _yaml_files(tree: Tree) -> list[str]:
    """Those with names of classes, the outermost first."""
    paths = sorted(tree.with_suffix(".yaml", ".yml"), key=lambda path: (path.count("/"), path))
    return [path for path in paths if "names" in _read_yaml(tree, path)]


def _name_file(tree: Tree) -> str | None:
    paths = tree.with_suffix(".labels", ".txt", ".names")
    found = [p for p in paths if p.rpartition("/")[2].casefold() in _NAME_FILES]
    return min(found, key=lambda p: p.count("/"), default=None)


def _read_yaml(tree: Tree, path: str) -> dict[str, Any]:
    try:
        # BaseLoader makes nothing but strings, lists and dicts: a class called "no" stays "no".
        text = text_of(tree.path(path))
        if len(text) > MAX_YAML:
            if "names" not in text:
                return {}  # of something else: it only lies there
            raise ValueError(f"it is longer than {MAX_YAML:,} characters")
        content = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        why = " ".join(str(error).split())[:120]
        raise UserError(f"{tree.path(path)} is not readable YAML ({why}). Correct it.") from None
    return content if isinstance(content, dict) else {}


def listing(tree: Tree) -> Listing:
    """All photos but those of no split, where ``data.yaml`` names splits."""
    files = _yaml_files(tree)
    if len(files) > 1 and files[0].count("/") == files[1].count("/") > 0:
        raise UserError(
            f"{tree.root} holds several data sets: {', '.join(files[:5])}. Name the folder of each"
            " with --data."
        )
    settings = _read_yaml(tree, files[0]) if files else {}
    splits = _declared_splits(tree, settings)
    labels = FileIndex(_label_files(tree))
    entries = []
    for photo in tree.photos:
        label = _label_of(labels, photo)
        entries.append(Entry(stem_of(photo), photo, label, list(splits.get(photo, ()))))
    if not splits:
        put_in_folder_splits(entries)
    # Pictures that lie elsewhere, such as plots of a training, belong to no split.
    if any(entry.splits for entry in entries):
        entries = [e for e in entries if e.splits or e.annotation]
    used = {entry.annotation for entry in entries if entry.annotation}
    folders = {path.rpartition("/")[0] for path in used}  # others hold texts of another kind
    lost = [p for p in _label_files(tree) if p.rpartition("/")[0] in folders and p not in used]
    blemishes = [Blemish("photo missing", path) for path in lost]
    blemishes += [Blemish("no label file", str(e.photo)) for e in entries if not e.annotation]
    class_names = _class_names(tree, settings)
    if class_names is None:
        blemishes.append(Blemish("classes without names", tree.root.name))
    return Listing(
        entries, blemishes, class_names, parse_poses if "kpt_shape" in settings else None
    )


def _label_of(labels: FileIndex, photo: str) -> str | None:
    """``labels/train/a.txt`` of ``images/train/a.jpg``, else the one in the same folder."""
    folders = photo.split("/")[:-1]
    beside = "/".join(folders)
    places = {"/".join(["labels" if f.casefold() == "images" else f for f in folders]), beside}
    for near in sorted(places, key=lambda place: place == beside):
        found = labels.find(photo.rpartition("/")[2], near)
        if found and found.rpartition("/")[0] in places:
            return found
    return None


def _declared_splits(tree: Tree, settings: dict[str, Any]) -> dict[str, list[str]]:
    """Photo -> the splits that ``data.yaml`` puts it in."""
    base = settings.get("path")
    found: dict[str, list[str]] = {}
    for key, split in (("train", "train"), ("val", "val"), ("valid", "val"), ("test", "test")):
        places = settings.get(key) or []
        for place in [places] if isinstance(places, str) else places:
            if not isinstance(place, str):
                continue
            for photo in _photos_at(tree, place, base if isinstance(base, str) else "", split):
                splits = found.setdefault(photo, [])
                if split not in splits:
                    splits.append(split)
    return found


def _photos_at(tree: Tree, place: str, base: str, split: str) -> list[str]:
    """The photos in a folder, or in a list of photos, that a path in ``data.yaml`` means.

    The path was true on another computer, mostly: what counts is how it ends, and where that leads
    nowhere, which folders are called like the split.
    """
    parts = parts_of(place)
    if place.casefold().endswith(".txt"):
        lists = FileIndex(tree.with_suffix(".txt"))
        path = lists.find(place)
        lines = lines_of(tree, path) if path else []
        return [photo for line in lines if (photo := tree.photo_index.find(line))]
    for wanted in ([*parts_of(base), *parts], parts):
        folder = _folder_ending(tree, wanted)
        if folder is not None:
            inside = f"{folder}/" if folder else ""
            return [photo for photo in tree.photos if photo.startswith(inside)]
    return [photo for photo in tree.photos if split_of_folders(photo) == split]


def _folder_ending(tree: Tree, wanted: list[str]) -> str | None:
    if not wanted:
        return ""
    end = "/" + "/".join(wanted)
    return min((f for f in tree.folders if f"/{f}".endswith(end)), key=len, default=None)


def _class_names(tree: Tree, settings: dict[str, Any]) -> list[str] | None:
    names = settings.get("names")
    if isinstance(names, dict):
        numbers = {int(k): v for k, v in names.items() if str(k).isdecimal() and len(k) < 6}
        names = [numbers.get(i, f"class {i}") for i in range(max(numbers, default=-1) + 1)]
    if isinstance(names, list):
        return [str(n).strip() if isinstance(n, str) else "" for n in names]
    path = _name_file(tree)
    return lines_of(tree, path) if path else None


def parse(path: str) -> Parsed:
    """Read one label file; the class names are the ids, or names, as they stand there, for now."""
    return _parse(path, outlines=True)


def parse_poses(path: str) -> Parsed:
    """As :func:`parse`, where key points and not outlines make lines longer."""
    return _parse(path, outlines=False)


def _parse(path: str, outlines: bool) -> Parsed:
    try:
        lines = text_of(path).splitlines()
    except (ValueError, OSError) as error:
        return Parsed(None, "", [], [["annotation unreadable", f"no text ({error})"]])
    objects, problems = [], []
    for line in filter(None, map(_words, lines)):
        n_names = next((i for i, word in enumerate(line) if _is_number(word)), len(line))
        class_id = " ".join(line[:n_names]) or _id(line[0])
        box = _box(line[n_names or 1 :], outlines and not n_names)
        # After a name there are the box and perhaps a score; other formats have more there.
        if box is None or (n_names and len(line) - n_names > 5):
            problems.append(["object without box", reprlib.repr(" ".join(line))])
        elif not is_name(class_id):
            problems.append(["object without class", reprlib.repr(line[0])])
        else:
            objects.append([class_id, *box, 0])
    return Parsed(None, "", objects, problems)


def _words(line: str) -> list[str]:
    """The numbers of a line, also with commas between them, or in them instead of points."""
    words = line.split()
    if len(words) < 5 and ("," in line or ";" in line):
        return re.split(r"[\s,;]+", line.strip())
    return [word.strip(",;").replace(",", ".") for word in words]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _id(text: str) -> str:
    """``0`` and ``0.0`` are the same class; empty if it is no number of one."""
    whole = text.removesuffix(".0")
    return str(int(whole)) if whole.isdecimal() and len(whole) < 10 else ""


def _box(texts: list[str], outlines: bool) -> Box | None:
    try:
        values = [float(text) for text in texts]
    except ValueError:
        return None
    if len(values) < 4 or not all(map(math.isfinite, values)):
        return None
    if outlines and len(values) >= 6 and len(values) % 2 == 0:  # x y x y ...
        return hull(values)
    x, y, width, height = values[:4]  # a fifth is the score of a prediction
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _as_corners(box: Box) -> Box:
    """The four numbers as they stand in the file, which were taken for center and size."""
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def _of_percent(box: Box) -> Box:
    x1, y1, x2, y2 = box
    return x1 / 100, y1 / 100, x2 / 100, y2 / 100


OTHERS = (
    Reading("left, top, right, bottom as shares", "shares", _as_corners),
    Reading("center and size in percent", "shares", _of_percent),
    Reading("center and size in pixels", "from 0"),
    Reading("left, top, right, bottom in pixels", "from 0", _as_corners),
)
YOLO = Format("yolo", recognises, listing, parse, "shares", OTHERS)
