"""PASCAL VOC: XML annotations -> one row an image, ready for a CSV.

The conventions follow the VOC 2007 development kit: corners in the XML are 1-based and inclusive,
ours are 0-based and half-open (``xmin - 1, ymin - 1, xmax, ymax``); objects marked ``difficult``
are never the target. The splits are VOC's own ``ImageSets/Main/*.txt``.
"""

import json
import math
import reprlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from model.classes import MAX_CLASSES, MAX_NAME_LENGTH, VOC_CLASSES
from model.errors import UserError

CSV_COLUMNS = [
    "file_name", "split", "width", "height", "class_name", "xmin", "ymin", "xmax", "ymax",
    "n_objects", "area_fraction", "objects",
]  # fmt: skip

MAX_XML_BYTES = 1 << 20  # VOC's own files have at most some 10 KiB
MAX_SIDE = 100_000  # pixels


@dataclass(frozen=True)
class VocObject:
    """One annotated object; ``bbox_xyxy`` 0-based half-open pixels of the original image."""

    class_name: str
    bbox_xyxy: tuple[float, float, float, float]
    difficult: bool = False

    @property
    def area(self) -> float:
        """Pixel area of the box."""
        x1, y1, x2, y2 = self.bbox_xyxy
        return max(0.0, x2 - x1) * max(0.0, y2 - y1)


@dataclass(frozen=True)
class VocImage:
    """What one XML file says; sizes in pixels of the original image."""

    file_name: str
    width: int
    height: int
    objects: tuple[VocObject, ...]

    @property
    def largest(self) -> VocObject | None:
        """The target: largest pixel area, never a difficult one, ties to the first in the file."""
        return max((o for o in self.objects if not o.difficult), key=lambda o: o.area, default=None)


@dataclass
class VocSplit:
    """A split read from disk.

    Attributes:
        frame: one row an image with a target, columns :data:`CSV_COLUMNS`. ``objects`` is JSON: a
            list of ``[class_name, xmin, ymin, xmax, ymax, difficult]``, so that the CSV holds
            every box and reads back whole.
        image_folder: where ``file_name`` lies.
        n_only_difficult: images left out because they hold nothing but difficult objects.
    """

    frame: pd.DataFrame
    image_folder: Path
    n_only_difficult: int = 0
    class_names: tuple[str, ...] = field(default=VOC_CLASSES)


def find_voc_root(path: str | Path) -> Path:
    """The folder with ``Annotations/`` and ``ImageSets/``, given it, ``VOCdevkit`` or what's above.

    Raises:
        UserError: if there is none at or below ``path``; the text names the download command.
    """
    path = Path(path).expanduser()
    for folder in (path, path / "VOC2007", path / "VOCdevkit" / "VOC2007"):
        if (folder / "Annotations").is_dir() and (folder / "ImageSets").is_dir():
            return folder
    what = "holds no VOC data set" if path.exists() else "does not exist"
    raise UserError(
        f"{path} {what} (a VOC2007 folder with Annotations/, ImageSets/ and JPEGImages/)."
        f" Get it with: python -m model.voc download --data {path}"
    )


def parse_annotation(xml_path: Path) -> VocImage:
    """Read one VOC XML file.

    Raises:
        UserError: if it is not XML, has a DOCTYPE (VOC has none; it can make a parser read other
            files or swell without end), lacks a size, names a file with its folder, has no objects,
            or a box that is inverted, empty or outside the image; the text names the file.
    """
    root = _xml_root(xml_path)
    width = _side(root, "size/width", xml_path)
    height = _side(root, "size/height", xml_path)
    objects = tuple(
        _parse_object(node, width, height, xml_path) for node in root.iterfind("object")
    )
    if not objects:
        raise UserError(f"{xml_path} has no <object>. Annotate it or take it out of the split.")
    file_name = (root.findtext("filename") or "").strip() or f"{xml_path.stem}.jpg"
    if not _is_plain_name(file_name):
        raise UserError(
            f"{xml_path}: <filename> is {reprlib.repr(file_name)}, not the bare name of a photo in"
            " JPEGImages. Correct the file."
        )
    return VocImage(file_name, width, height, objects)


class _TreeWithoutDoctype(ElementTree.TreeBuilder):
    def doctype(self, _name: str, _public_id: str | None, _system: str | None) -> None:
        raise ValueError("it has a <!DOCTYPE>, which VOC annotations do not need")


def _xml_root(xml_path: Path) -> ElementTree.Element:
    try:
        with xml_path.open("rb") as stream:
            content = stream.read(MAX_XML_BYTES + 1)
        if len(content) > MAX_XML_BYTES:
            raise ValueError(f"it is larger than {MAX_XML_BYTES} bytes")
        parser = ElementTree.XMLParser(target=_TreeWithoutDoctype())
        return ElementTree.fromstring(content, parser)
    except FileNotFoundError:
        raise UserError(f"{xml_path} does not exist, but the split names it.") from None
    # An unknown encoding is a LookupError, one that expat cannot read a ValueError.
    except (ElementTree.ParseError, LookupError, ValueError, OSError) as error:
        raise UserError(f"{xml_path} is not readable XML ({error}). Replace the file.") from None


def _is_plain_name(name: str) -> bool:
    """Whether it is a name of something in a folder, and no path that may lead elsewhere."""
    plain = not {"/", "\\"} & set(name) and name not in ("", ".", "..")
    return plain and len(name) <= MAX_NAME_LENGTH and name.isprintable()


def _parse_object(node: ElementTree.Element, width: int, height: int, xml_path: Path) -> VocObject:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise UserError(f"{xml_path}: an <object> has no <name>. Add it.")
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise UserError(
            f"{xml_path}: the <name> of an <object> is {reprlib.repr(name)}, which is longer than"
            f" {MAX_NAME_LENGTH} characters or cannot be printed. Correct the file."
        )
    x1 = _number(node, "bndbox/xmin", xml_path) - 1
    y1 = _number(node, "bndbox/ymin", xml_path) - 1
    x2, y2 = _number(node, "bndbox/xmax", xml_path), _number(node, "bndbox/ymax", xml_path)
    if x2 <= x1 or y2 <= y1:
        raise UserError(f"{xml_path}: the box of a {name} has no area. Correct or remove it.")
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        raise UserError(
            f"{xml_path}: the box of a {name} ({x1 + 1:g}, {y1 + 1:g}, {x2:g}, {y2:g}) lies outside"
            f" the {width:g} x {height:g} image. Correct the box or the <size>."
        )
    return VocObject(name, (x1, y1, x2, y2), node.findtext("difficult", "0").strip() == "1")


def _side(root: ElementTree.Element, tag: str, xml_path: Path) -> int:
    value = _number(root, tag, xml_path)
    if not 1 <= value <= MAX_SIDE or value != int(value):
        raise UserError(
            f"{xml_path}: <{tag}> is {reprlib.repr(root.findtext(tag))}, not a whole number of"
            f" pixels from 1 to {MAX_SIDE}. Correct the file."
        )
    return int(value)


def _number(node: ElementTree.Element, tag: str, xml_path: Path) -> float:
    text = node.findtext(tag)
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            f"{xml_path}: <{tag}> is {reprlib.repr(text)}, not a number. Correct the file."
        )
    return value


def list_splits(root: str | Path) -> list[str]:
    """Names of the splits there, e.g. ``["train", "trainval", "val"]``."""
    # VOC also keeps per-class lists (``cat_train.txt``) in the folder; those have a label column.
    folder = find_voc_root(root) / "ImageSets" / "Main"
    return sorted(path.stem for path in folder.glob("*.txt") if "_" not in path.stem)


def read_split(root: str | Path, split: str, class_names: Sequence[str] | None = None) -> VocSplit:
    """Read a split into a frame of largest objects.

    Args:
        root: see :func:`find_voc_root`.
        split: ``train``, ``val``, ``trainval``, ``test``, or any list in ``ImageSets/Main``.
        class_names: the classes allowed. ``None`` takes :data:`VOC_CLASSES` if they cover the
            data, else the sorted names found in it.

    Raises:
        UserError: for a missing or empty split, a bad XML file, or a class not in the list.
    """
    folder = find_voc_root(root)
    split_images = _parse_split(folder, split)
    found = {o.class_name for _, image in split_images for o in image.objects}
    if class_names is None:
        class_names = VOC_CLASSES if found <= set(VOC_CLASSES) else tuple(sorted(found))
    elif unknown := sorted(found - set(class_names)):
        raise UserError(
            f"{folder}: split {split} has the class {unknown[0]!r}, which is not among the"
            f" {len(class_names)} classes expected ({', '.join(class_names)})."
        )
    if len(class_names) > MAX_CLASSES:
        raise UserError(
            f"{folder}: split {split} has {len(class_names)} classes; a detector has at most"
            f" {MAX_CLASSES}. Merge some, or take images out of the split."
        )
    membership = _memberships(folder)
    rows = [row_of(image, membership.get(name, split)) for name, image in split_images]
    frame = pd.DataFrame([row for row in rows if row], columns=CSV_COLUMNS)
    if frame.empty:
        raise UserError(f"{folder}: split {split} has no image with an object to learn from.")
    return VocSplit(
        frame, folder / "JPEGImages", len(rows) - len(frame), class_names=tuple(class_names)
    )


def _parse_split(folder: Path, split: str) -> list[tuple[str, VocImage]]:
    list_file = folder / "ImageSets" / "Main" / f"{split}.txt"
    if not _is_plain_name(split) or not list_file.is_file():
        known = ", ".join(list_splits(folder)) or "none"
        raise UserError(f"{folder} has no split {reprlib.repr(split)}. There is: {known}.")
    names = _names(list_file)
    if not names:
        raise UserError(f"{list_file} is empty. Put one image name a line into it.")
    return [(name, parse_annotation(folder / "Annotations" / f"{name}.xml")) for name in names]


def _names(list_file: Path) -> list[str]:
    try:
        text = list_file.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{list_file} cannot be read: {why}. Save it as UTF-8 text.") from None
    names = [line.split()[0] for line in text.splitlines() if line.strip()]
    for name in names:
        if not _is_plain_name(name):
            raise UserError(
                f"{list_file}: {reprlib.repr(name)} is not the name of a photo without its folder"
                " and suffix. Correct the list."
            )
    return names


def _memberships(folder: Path) -> dict[str, str]:
    """Which of train, val, test each image is in, so that a trainval CSV still tells."""
    lists = {s: folder / "ImageSets" / "Main" / f"{s}.txt" for s in ("train", "val", "test")}
    return {name: s for s, path in lists.items() if path.is_file() for name in _names(path)}


def row_of(image: VocImage, split: str) -> dict[str, object] | None:
    """The CSV row of a photo, under :data:`CSV_COLUMNS`; ``None`` if it has no target."""
    target = image.largest
    if target is None:
        return None
    xmin, ymin, xmax, ymax = target.bbox_xyxy
    objects = [[o.class_name, *o.bbox_xyxy, int(o.difficult)] for o in image.objects]
    return {
        "file_name": image.file_name, "split": split,
        "width": image.width, "height": image.height,
        "class_name": target.class_name,
        "xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax,
        "n_objects": len(image.objects),
        "area_fraction": round(target.area / (image.width * image.height), 6),
        "objects": json.dumps(objects),
    }  # fmt: skip


def objects_of(row: "pd.Series | object") -> list[VocObject]:
    """All objects of a frame's row (also of a ``itertuples`` row), in file order."""
    return [
        VocObject(name, (x1, y1, x2, y2), bool(difficult))
        for name, x1, y1, x2, y2, difficult in json.loads(row.objects)  # type: ignore[union-attr]
    ]


def box_xywh_to_xyxy(bbox_xywh: Iterable[float]) -> tuple[float, float, float, float]:
    """The tutorial's ``x, y, width, height`` as top-left and bottom-right corners.

    Example:
        >>> box_xywh_to_xyxy((10, 20, 30, 40))
        (10, 20, 40, 60)
    """
    x, y, width, height = bbox_xywh
    return x, y, x + width, y + height
