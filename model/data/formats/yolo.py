"""YOLO: one text file a photo, ``class x_center y_center width height`` as shares of its sides.

Class names are in ``data.yaml`` as Ultralytics and Roboflow write it, or one a line in Darknet's
``_darknet.labels``, ``classes.txt`` or ``obj.names``; some write the name instead of the number.
:mod:`model.data.formats.yolo_lines` reads the lines.
"""

import re
from collections import Counter, defaultdict
from typing import Any

import yaml

from model.data.blemishes import Blemish
from model.data.formats.listing import (
    MAX_TEXT_BYTES,
    Box,
    Entry,
    Format,
    Listing,
    Reading,
    lines_of,
    other_lists,
    parts_of_side,
    put_in_folder_splits,
    readable_text,
    split_of_list,
)
from model.data.formats.yolo_lines import LineKind, kind_of_lines, parse, parse_boxes
from model.data.names import FileIndex, parts_of, split_named, split_of_folders, stem_of
from model.data.records import box_xywh_to_xyxy
from model.data.tree import Tree
from model.errors import UserError

MAX_YAML = 250_000  # characters: a second's work; names of a thousand classes take a tenth
_NUMBERED = re.compile(r"(?P<id>\d+)\s*[:=,\t]\s*(?P<name>\S.*)")
TELLING_FILES = 500  # sampled to tell what the lines hold
NAME_FILES = ("_darknet.labels", "classes.txt", "obj.names", "labels.txt", "names.txt",
               "predefined_classes.txt")  # fmt: skip
_NO_LABEL = re.compile(r"((predefined_)?classes|labels|names|requirements|license|readme.*)\.txt")


def recognises(tree: Tree) -> bool:
    """Whether there is a ``data.yaml`` with names, a file of Darknet's names, or label files."""
    if _yaml_files(tree) or _name_file(tree):
        return True
    some = [path for path in _label_files(tree)[:500] if tree.photo_index.find(path)]
    return any(parse(tree.path(path)).objects for path in some[:20])


def _label_files(tree: Tree) -> list[str]:
    paths = [path for path in tree.with_suffix(".txt") if "ImageSets" not in path]
    return [path for path in paths if not _NO_LABEL.match(path.rpartition("/")[2].casefold())]


def _yaml_files(tree: Tree) -> list[str]:
    """The YAML files with names of classes, the outermost first."""
    paths = sorted(tree.with_suffix(".yaml", ".yml"), key=lambda path: (path.count("/"), path))
    return [path for path in paths if "names" in _read_yaml(tree, path)]


def _name_file(tree: Tree) -> str | None:
    paths = tree.with_suffix(".labels", ".txt", ".names")
    found = [p for p in paths if p.rpartition("/")[2].casefold() in NAME_FILES]
    return min(found, key=lambda p: p.count("/"), default=None)


def _read_yaml(tree: Tree, path: str) -> dict[str, Any]:
    if path.rpartition("/")[2].casefold() != "data.yaml" and not _has_names(tree, path):
        return {}  # unrelated to the data set
    text = readable_text(tree, path)
    try:
        if len(text) > MAX_YAML:
            raise ValueError(f"it is longer than {MAX_YAML:,} characters")
        # BaseLoader makes nothing but strings, lists and dicts: a class called "no" stays "no".
        content = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:120]
        raise UserError(f"{tree.path(path)} is not readable YAML ({why}). Correct it.") from None
    return content if isinstance(content, dict) else {}


def _has_names(tree: Tree, path: str) -> bool:
    try:
        with open(tree.path(path), "rb") as stream:
            return b"names" in stream.read(MAX_TEXT_BYTES).replace(b"\0", b"")  # of UTF-16
    except OSError as error:
        tree.note_unread(path, error)
        return False


def listing(tree: Tree) -> Listing:
    """All photos but those of no split, where ``data.yaml`` names splits."""
    files = _yaml_files(tree)
    settings = _read_yaml(tree, files[0]) if files else {}
    for path in files[1:]:
        if path.count("/") > files[0].count("/"):
            break
        others = _read_yaml(tree, path)
        if "/" in path or _class_names(tree, others) != _class_names(tree, settings):
            raise UserError(
                f"{tree.root} holds several data sets: {', '.join(files[:5])}. Name the folder of"
                " each with --data, or take all away but one."
            )
    splits = _declared_splits(tree, settings) or _listed_splits(tree)
    labels = _labels(tree).items()
    entries = [Entry(stem_of(p), p, label, list(splits.get(p, ()))) for p, label in labels]
    if not splits:
        put_in_folder_splits(entries)
    # Pictures elsewhere, such as plots of a training run, belong to no split.
    if any(entry.splits for entry in entries):
        entries = [e for e in entries if e.splits or e.annotation]
    used = {entry.annotation for entry in entries if entry.annotation}
    folders = {path.rpartition("/")[0] for path in used}  # other folders hold unrelated text files
    lost = [p for p in _label_files(tree) if p.rpartition("/")[0] in folders and p not in used]
    blemishes = [Blemish("photo missing", path) for path in lost]
    blemishes += [Blemish("no label file", str(e.photo)) for e in entries if not e.annotation]
    class_names = _class_names(tree, settings)
    some = [tree.path(path) for path in sorted(used)[:: max(1, len(used) // TELLING_FILES)]]
    lines = LineKind(parse_boxes) if "kpt_shape" in settings else kind_of_lines(some)
    ids = (thing[0].isdecimal() for path in some for thing in lines.parse(path).objects)
    if class_names is None and any(ids):
        add = "classes.txt or data.yaml, put there, names them"
        blemishes.append(Blemish("classes without names", tree.root.name, add))
    if lines.passed_over:
        blemishes.append(Blemish("more than boxes", tree.root.name, lines.passed_over))
    return Listing(entries, blemishes, class_names, lines.parse)


def _labels(tree: Tree) -> dict[str, str | None]:
    """Photo -> its label file."""
    labels = FileIndex(_label_files(tree))
    found = {photo: _label_of(labels, photo) for photo in tree.photos}
    if any(found.values()):
        return found
    # Folders have other names: a label belongs to the only photo of its name.
    found = {photo: labels.find(photo, photo.rpartition("/")[0]) for photo in tree.photos}
    counts = Counter(found.values())
    return {photo: label if counts[label] == 1 else None for photo, label in found.items()}


def _label_of(labels: FileIndex, photo: str) -> str | None:
    """``labels/train/a.txt`` of ``images/train/a.jpg``, else the one in the same folder."""
    *folders, name = photo.split("/")
    beside = "/".join(folders)
    places = ["/".join(["labels" if f.casefold() == "images" else f for f in folders]), beside]
    wanted = {place.casefold() for place in places}
    for near in dict.fromkeys(places):
        found = labels.find(f"{near}/{name}", near)
        if found and found.rpartition("/")[0].casefold() in wanted:
            return found
    return None


def _declared_splits(tree: Tree, settings: dict[str, Any]) -> dict[str, dict[str, None]]:
    """Photo -> the splits that ``data.yaml`` puts it in."""
    base = settings.get("path")
    base = base if isinstance(base, str) else ""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for key, split in (("train", "train"), ("val", "val"), ("valid", "val"), ("test", "test")):
        places = settings.get(key) or []
        for place in [places] if isinstance(places, str) else places:
            for photo in _photos_at(tree, place, base, split) if isinstance(place, str) else ():
                found[photo][split] = None
    return found


def _listed_splits(tree: Tree) -> dict[str, dict[str, None]]:
    """Photo -> the splits whose lists name it; used where no ``data.yaml`` declares splits."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for path, lines in other_lists(tree).items():
        for line in lines:
            if photo := tree.photo_index.find(line):
                found[photo][split_of_list(path)] = None
    return found


def _photos_at(tree: Tree, place: str, base: str, split: str) -> list[str]:
    """The photos in a folder, or in a list of photos, that a path in ``data.yaml`` means.

    The path is mostly one of another computer: its end is looked up; if that is not found, folders
    named like the split; then a shorter end.
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
    found = [photo for photo in tree.photos if split_of_folders(photo) == split]
    if found or len(parts) < 2 or split_named(parts[0]):
        return found
    return _photos_at(tree, "/".join(parts[1:]), "", split)


def _folder_ending(tree: Tree, wanted: list[str]) -> str | None:
    if not wanted:
        return ""
    end = "/" + "/".join(wanted)
    return min((f for f in tree.folders if f"/{f}".endswith(end)), key=len, default=None)


def _class_names(tree: Tree, settings: dict[str, Any]) -> list[str] | None:
    names = settings.get("names")
    if isinstance(names, dict) and not any(map(str.isdecimal, names)):
        names = {i: name for name, i in names.items() if isinstance(i, str)}
    if isinstance(names, dict):
        numbers = {int(k): v for k, v in names.items() if str(k).isdecimal() and len(k) < 6}
        names = [numbers.get(i, f"class {i}") for i in range(max(numbers, default=-1) + 1)]
    if isinstance(names, str) and not names.endswith((".names", ".txt")):  # Darknet's file
        names = names.strip("[]").split(",")
    if isinstance(names, list):
        return [str(n).strip() if isinstance(n, str) else "" for n in names]
    return _listed_names(tree)


def _listed_names(tree: Tree) -> list[str] | None:
    """The class names in Darknet's file, or in the longest of several with the same beginning."""
    outermost = _name_file(tree)
    if outermost is None:
        return None
    called = outermost.rpartition("/")[2]
    files = tree.with_suffix(".labels", ".txt", ".names")
    paths = [path for path in files if f"/{path}".endswith(f"/{called}")]
    names = {path: _names_in(tree, path) for path in paths}
    longest = max(paths, key=lambda path: len(names[path]))
    for path in paths:
        if names[path] != names[longest][: len(names[path])]:
            raise UserError(
                f"{tree.path(path)} and {longest} say different things of what the class ids mean."
                " Name the folder of each data set with --data."
            )
    return names[longest]


def _names_in(tree: Tree, path: str) -> list[str]:
    lines = [line.strip() for line in readable_text(tree, path).strip().splitlines()]
    if not all(lines):
        raise UserError(
            f"{tree.path(path)} has an empty line between names, so that it is not plain which"
            " class ids are meant. Take it out, or write a name there."
        )
    numbered = [found for line in lines if (found := _NUMBERED.fullmatch(line))]
    if lines and [found["id"] for found in numbered] == [str(i) for i in range(len(lines))]:
        return [found["name"] for found in numbered]
    return lines


def _numbers(box: Box) -> Box:
    """The four numbers as they stand in the file, which were taken for center and size."""
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def _of_corner_and_size(box: Box) -> Box:
    return box_xywh_to_xyxy(_numbers(box))


# Whether or not some box reaches up to 100.
_PERCENT = parts_of_side(100, "center and size in percent")._replace(whole=0)
OTHERS = (
    Reading("left, top, width, height as shares", "shares", _of_corner_and_size),
    Reading("left, top, right, bottom as shares", "shares", _numbers),
    _PERCENT,
    Reading("center and size in pixels", "from 0"),
    Reading("left, top, width, height in pixels", "from 0", _of_corner_and_size),
    Reading("left, top, right, bottom in pixels", "from 0", _numbers),
)
YOLO = Format("yolo", recognises, listing, parse, "shares", OTHERS)
