"""COCO: one JSON file for many photos, boxes ``x, y, width, height`` in pixels from 0.

Roboflow puts ``_annotations.coco.json`` beside the photos of each split; COCO itself has
``annotations/instances_train2017.json`` beside folders of photos. Objects marked ``iscrowd`` count
as difficult. Where an object has an outline and no box, the upright hull of the outline is the box.
"""

import re
import reprlib
from collections import defaultdict
from typing import Any
from urllib.parse import unquote

from model.checked import is_name, is_number
from model.data.blemishes import Blemish
from model.data.formats.listing import (
    MOST,
    Box,
    Entry,
    Format,
    Listing,
    Parsed,
    Reading,
    hull,
    json_of,
    number_of,
    of_center_and_size,
    one_of_each_photo,
    parts_of_side,
    put_in_folder_splits,
    unannotated,
)
from model.data.names import split_named, split_of_folders, stem_of
from model.data.records import box_xywh_to_xyxy
from model.data.tree import Tree
from model.errors import UserError
from model.words import counted

MAX_JSON_BYTES = 1 << 30  # COCO's own largest has 450 MB
_HEAD = 1 << 16
_OF_OTHER_TASKS = ("captions", "person_key", "stuff", "panoptic")


def recognises(tree: Tree) -> bool:
    """Whether there is a JSON file that lists images."""
    return bool(_annotation_files(tree))


def _annotation_files(tree: Tree) -> list[str]:
    return [path for path in tree.with_suffix(".json") if _is_coco(tree, path)]


def _is_coco(tree: Tree, path: str) -> bool:
    name = path.rpartition("/")[2].casefold()
    if name.endswith(".coco.json") or name.startswith("instances"):
        return True
    try:
        with open(tree.path(path), "rb") as stream:
            head = stream.read(_HEAD)
            stream.seek(max(0, stream.seek(0, 2) - _HEAD))
            ends = (head + stream.read()).replace(b"\0", b"")  # of UTF-16
    except OSError as error:
        tree.note_unread(path, error)
        return False
    if b'"items"' in ends and b'"images"' not in ends:  # of Datumaro
        return False
    return sum(key in ends for key in (b'"images"', b'"annotations"', b'"categories"')) >= 2


def listing(tree: Tree) -> Listing:
    """The photos of all JSON files."""
    entries: list[Entry] = []
    blemishes: list[Blemish] = []
    files = _annotation_files(tree)
    # COCO also has captions, key points and backgrounds of the same photos.
    boxes = [p for p in files if not p.rpartition("/")[2].startswith(_OF_OTHER_TASKS)]
    for path in boxes or files:
        entries += _entries(tree, path, blemishes)
    entries = one_of_each_photo(entries, blemishes)
    if not any(entry.splits for entry in entries):
        put_in_folder_splits(entries)
    return Listing(entries, blemishes + unannotated(tree, entries))


def _read(path: str) -> tuple[dict[str, Any], str]:
    """The content of a JSON file, and its encoding if that was guessed.

    Raises:
        UserError: if it is no JSON of COCO; or ``OSError``.
    """
    try:
        content, encoding = json_of(path, MAX_JSON_BYTES)
    except ValueError as error:
        raise UserError(f"{path} is {error}. Correct the file.") from None
    if not isinstance(content, dict) or not isinstance(content.get("images"), list | dict):
        raise UserError(f"{path} has no list of images, as COCO has. Correct the file.")
    images = _records(content, "images")
    if "annotations" not in content and any("annotations" in image for image in images):
        content["annotations"] = {str(i.get("id")): i.get("annotations") for i in images}
    return content, encoding


def _entries(tree: Tree, path: str, blemishes: list[Blemish]) -> list[Entry]:
    try:
        content, encoding = _read(tree.path(path))
    except OSError as error:
        tree.note_unread(path, error)
        return []
    if encoding:
        blemishes.append(Blemish("other encoding", path, encoding))
    _refuse_shared_ids(path, content)
    names = _class_names(path, content, blemishes)
    objects: dict[Any, list[dict]] = defaultdict(list)
    for each in _records(content, "annotations"):
        objects[_key(each.get("image_id"))].append(each)
    is_annotated = isinstance(content.get("annotations"), list | dict)  # else it only lists photos
    split = split_of_folders(path) or split_named(stem_of(path))
    near, find = _folder_of_photos(tree, path), tree.photo_index.find
    entries = []
    for image in _records(content, "images"):
        name = _file_name(image)
        annotations = objects.pop(_key(image.get("id")), [])
        parsed = _parsed(image, annotations, names) if is_annotated else None
        entries.append(Entry(name, find(name, near, split), path, [split] if split else [], parsed))
    n_lost = sum(map(len, objects.values()))
    if n_lost:
        lost = f"{counted(n_lost, 'object')} of no image listed"
        blemishes.append(Blemish("photo missing", path, lost))
    return entries


def _class_names(path: str, content: dict[str, Any], blemishes: list[Blemish]) -> dict[Any, str]:
    """Category id -> name. Some files hold only a list of names, some no names at all."""
    categories = content.get("categories")
    ids = {_key(each.get("category_id")) for each in _records(content, "annotations")}
    if isinstance(categories, list) and all(isinstance(each, str) for each in categories):
        if categories:
            first = int("0" not in ids and str(len(categories)) in ids)
            if first:
                blemishes.append(Blemish("ids count from 1", path))
            return {str(i): name.strip() for i, name in enumerate(categories, first)}
    elif categories:
        found = _records(content, "categories")
        return {_key(each.get("id")): str(each.get("name", "")).strip() for each in found}
    blemishes.append(Blemish("classes without names", path))
    return {each: each for each in ids if each is not None}


def _refuse_shared_ids(path: str, content: dict[str, Any]) -> None:
    """Raise ``UserError`` if an id has two meanings: boxes would go to a wrong photo or class."""
    for kind, name in (("images", "file_name"), ("categories", "name")):
        meant: dict[Any, str] = {}
        for each in _records(content, kind):
            key, own_name = _key(each.get("id")), str(each.get(name))
            if key is None or meant.setdefault(key, own_name) != own_name:
                shown = reprlib.repr(each.get("id"))
                raise UserError(
                    f"{path}: {shown} is the id of several {kind}, or none. Give each its own."
                )


def _file_name(image: dict) -> str:
    """The file name of a photo; in some files it is the address it was downloaded from."""
    names = (image.get(key) for key in ("file_name", "filename", "coco_url"))
    name = str(next(filter(None, names), ""))
    is_address = name.startswith(("http://", "https://"))
    return unquote(re.split("[?#]", name)[0]) if is_address else name


def _records(content: dict[str, Any], kind: str) -> list[dict]:
    """The images, annotations or categories; some write a dict by their ids instead of a list."""
    found = content.get(kind)
    if isinstance(found, dict):
        pairs = [(k, v) for k, vs in found.items() for v in (vs if isinstance(vs, list) else [vs])]
        found = [_record(kind, key, value) for key, value in pairs]
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _record(kind: str, key: str, value: Any) -> dict | None:
    """One of a dict: its key is an id, a name, or of an annotation the id of its image."""
    name = "file_name" if kind == "images" else "name"
    if isinstance(value, str):
        return {"id": key, name: value}
    if isinstance(value, int):
        return {"id": value, name: key}
    if not isinstance(value, dict):
        return None
    given = {field: inside for field, inside in value.items() if inside is not None}
    if kind == "annotations":
        return {"image_id": key, **given}
    record = {"id": key, **given}
    return record if _key(record["id"]) == key else {name: key, **record}


def _key(value: Any) -> Any:
    """An id as text, so that 1, 1.0 and "1" are equal; ``None`` if the value is no id."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, (int, str)) else None


def _folder_of_photos(tree: Tree, path: str) -> str:
    """The folder of the photos: the one a name like ``instances_train2017`` ends in, or its own."""
    folder, _, name = path.rpartition("/")
    word = stem_of(name).rpartition("_")[2]
    above = folder.rpartition("/")[0]
    for place in (f"{above}/{word}", f"{above}/images/{word}", f"{above}/images"):
        if place.strip("/") in tree.folders:
            return place.strip("/")
    return folder


def _parsed(image: dict, annotations: list[dict], names: dict[Any, str]) -> Parsed:
    size: list[Any] = [image.get("width"), image.get("height")]
    is_known = all(is_number(side, MOST) and side >= 1 for side in size)
    objects, problems = [], []
    for each in annotations:
        name = names.get(_key(each.get("category_id")), "")
        box = _box(each)
        if not is_name(name):
            problems.append(["object without class", reprlib.repr(each.get("category_id"))])
        elif box is None:
            is_mask = isinstance(each.get("segmentation"), dict)
            problems.append(["object without box", f"{name}{', a mask alone' * is_mask}"])
        else:
            objects.append([name, *box, int(each.get("iscrowd") in (1, True))])
    return Parsed(size if is_known else None, "", objects, problems)


def _box(annotation: dict) -> Box | None:
    given = annotation.get("bbox")
    values = given if isinstance(given, list) and len(given) == 4 else []
    values = [number_of(value) if isinstance(value, str) else value for value in values]
    numbers = [float(value) for value in values if is_number(value, MOST)]
    box = box_xywh_to_xyxy(numbers) if len(numbers) == 4 else None
    return box if box and all(numbers[2:]) else _hull_of_outlines(annotation) or box


def _hull_of_outlines(annotation: dict) -> Box | None:
    outlines = annotation.get("segmentation")
    if isinstance(outlines, list) and all(is_number(value, MOST) for value in outlines):
        outlines = [outlines]  # the only one, without a list around it
    if not isinstance(outlines, list) or not all(isinstance(o, list) for o in outlines):
        return None
    values = [value for outline in outlines for value in outline]
    if len(values) < 6 or len(values) % 2 or not all(is_number(v, MOST) for v in values):
        return None
    return hull(values)


def _numbers(box: Box) -> Box:
    """The four numbers as they stand in the file, which were taken for corner and size."""
    x1, y1, x2, y2 = box
    return x1, y1, x2 - x1, y2 - y1


def _of_center_and_size(box: Box) -> Box:
    return of_center_and_size(_numbers(box))


OTHERS = (
    Reading("left, top, right, bottom", "from 0", _numbers),
    Reading("center and size", "from 0", _of_center_and_size),
    Reading("shares of the photo's sides", "shares"),
    Reading("left, top, right, bottom as shares", "shares", _numbers),
    parts_of_side(100, "percent of the photo's sides"),
    parts_of_side(1000, "thousandths of the photo's sides"),
    Reading("center and size as shares", "shares", _of_center_and_size),
)
COCO = Format("coco", recognises, listing, None, "from 0", OTHERS)
