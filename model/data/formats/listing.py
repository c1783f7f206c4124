"""What all readers have in common: their results, and how they read text, JSON and lists."""

import codecs
import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from model.data.blemishes import Blemish
from model.data.names import SPLIT_FOLDER, split_named, split_of_folders, stem_of
from model.data.tree import Tree
from model.errors import UserError

MAX_TEXT_BYTES = 16 << 20
MOST = 1e9  # pixels; whatever is more is no place in a photo
MAX_LISTS = 20  # of photos, below one folder
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Parsed(NamedTuple):
    """The content of one annotation, not yet compared with its photo; a JSON value.

    Attributes:
        size: ``[width, height]`` of the photo in pixels; ``None`` if it is not given.
        file_name: of the photo; empty if it is not given.
        objects: ``[class_name, x1, y1, x2, y2, difficult]`` each, in the units of the format.
        problems: ``[kind, detail]`` each, of :data:`model.data.blemishes.KINDS`.
    """

    size: list[float] | None
    file_name: str
    objects: list[list[Any]]
    problems: list[list[str]]


@dataclass(slots=True)
class Entry:
    """A photo of a data set; paths are below its root.

    Attributes:
        name: what its list or annotation calls it.
        photo: its file; ``None`` if only the annotation's text names it, or there is none.
        annotation: its file; ``None`` if there is none of its own.
        splits: names of those it is in.
        parsed: the annotation, where one file holds those of all photos.
    """

    name: str
    photo: str | None
    annotation: str | None
    splits: list[str] = field(default_factory=list)
    parsed: Parsed | None = None


@dataclass
class Listing:
    """All photos of a data set, and the blemishes found on the way.

    Attributes:
        class_names: of class ids, where annotations hold numbers.
        parse: reads an annotation of this set, if :attr:`Format.parse` would misread it.
    """

    entries: list[Entry]
    blemishes: list[Blemish] = field(default_factory=list)
    class_names: list[str] | None = None
    parse: Callable[[str], Parsed] | None = None


Box = tuple[float, float, float, float]


class Reading(NamedTuple):
    """A meaning of the four numbers of a box, other than the one in the format.

    Attributes:
        words: the meaning, as the check prints it.
        units: as :attr:`Format.units`.
        box: what the format makes of the numbers -> left, top, right, bottom; ``None`` if those
            are what it makes.
        whole: the number that stands for the whole side of a photo; 0 if that is 1, or its size.
    """

    words: str
    units: str
    box: Callable[[Box], Box] | None = None
    whole: float = 0


@dataclass(frozen=True)
class Format:
    """A way in which data sets lie on disk.

    Attributes:
        name: as ``--format`` has it.
        recognises: whether a folder holds such a set.
        listing: its photos.
        parse: reads one annotation file, given its path; raises nothing.
        units: of the boxes: pixels ``from 1`` (corners inclusive) or ``from 0`` (half-open), or
            ``shares`` of the photo's sides.
        others: how else the numbers of a box are written, the likelier first.
    """

    name: str
    recognises: Callable[[Tree], bool]
    listing: Callable[[Tree], Listing]
    parse: Callable[[str], Parsed] | None
    units: str
    others: tuple[Reading, ...] = ()


def put_in_folder_splits(entries: Iterable[Entry]) -> None:
    """Entries without a split are in that of their folder, if it is called like one."""
    for entry in entries:
        if not entry.splits and (split := split_of_folders(entry.photo or entry.annotation or "")):
            entry.splits.append(split)


def split_lists(tree: Tree) -> dict[str, list[str]]:
    """Path -> lines of the lists in ``ImageSets/Main``, where VOC has them, or ``ImageSets``."""
    lists = [(p, p.rpartition("/")[0]) for p in tree.with_suffix(".txt") if "ImageSets" in p]
    paths = [path for path, folder in lists if folder.endswith("ImageSets/Main")]
    paths = paths or [path for path, folder in lists if folder.endswith("ImageSets")]
    lists = {path: lines_of(tree, path) for path in paths}
    return {path: lines for path, lines in lists.items() if path not in tree.unread}


def other_lists(tree: Tree) -> dict[str, list[str]]:
    """Path -> lines of lists of photos, such as ``train.txt`` and ``valid.txt`` of Darknet."""
    paths = [path for path in tree.with_suffix(".txt") if split_named(stem_of(path))]
    if len(paths) > MAX_LISTS:
        return {}  # of labels, whose photos are called like a split
    lists = {path: lines_of(tree, path) for path in paths}
    return {path: lines for path, lines in lists.items() if _name_photos(tree, lines[:50])}


def _name_photos(tree: Tree, lines: list[str]) -> bool:
    return sum(tree.photo_index.find(line) is not None for line in lines) > len(lines) / 2


def split_of_list(path: str) -> str:
    """The split of a list: train, val or test, or else the name of the list."""
    name = stem_of(path)
    if found := SPLIT_FOLDER.fullmatch(name.casefold()):
        return str(found.lastgroup)
    return name if "ImageSets" in path else split_named(name) or name


def of_center_and_size(numbers: Sequence[float]) -> Box:
    """Left, top, right, bottom of a box ``x_center y_center width height``."""
    x, y, width, height = numbers
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def parts_of_side(whole: int, words: str) -> Reading:
    """Boxes whose numbers go from 0 to ``whole`` in any photo."""
    return Reading(
        words, "shares", lambda b: (b[0] / whole, b[1] / whole, b[2] / whole, b[3] / whole), whole
    )


# No digit can be matched in two ways, so the time is linear in the length of the text.
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
MAX_DIGITS = 400  # characters of a number


def number_of(text: str) -> float | None:
    """The finite number that a text is, in every format that is text; ``None`` if it is none.

    Decimal digits with a point or comma and perhaps an exponent, as NumPy writes it. Python's own
    ``float`` would also take ``1_0``, ``nan`` and the digits of other scripts.
    """
    text = text.strip() if len(text) <= MAX_DIGITS else ""
    number = float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def hull(points: Sequence[float]) -> Box:
    """The upright box around an outline ``x y x y ...``."""
    return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])


def content_of(path: str | Path, most: int) -> bytes:
    """A file's bytes; raises ``ValueError`` if there are more than ``most``, or ``OSError``."""
    if os.path.getsize(path) > most:
        raise ValueError(f"it is larger than {most >> 20} MiB")
    return Path(path).read_bytes()


def decoded(content: bytes) -> tuple[str, str]:
    """The text of JSON or XML, and its encoding where that had to be guessed, else the empty text.

    Programs on Windows write in the encoding of the country: it is guessed from the letters.

    Raises:
        ValueError: if it is in none that is known.
    """
    with suppress(UnicodeDecodeError):
        return content.decode(json.detect_encoding(content), "surrogatepass"), ""
    western = () if re.search(rb"[\x80-\xbf]", content) else ("cp1252",)
    for encoding in ("gb2312", *western, "shift_jis", "big5", "gb18030"):
        with suppress(UnicodeDecodeError):
            return content.decode(encoding), encoding
    raise ValueError("in an encoding that is not known")


def json_of(path: str, most: int) -> tuple[Any, str]:
    """What a JSON file holds, and its encoding, if that had to be guessed.

    Raises:
        ValueError: with a phrase, if it is no JSON; or ``OSError``.
    """
    try:
        text, encoding = decoded(content_of(path, most))
        return json.loads(text), encoding
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"not readable JSON ({' '.join(str(error).split())[:120]})") from None


def text_of(path: str, most: int = MAX_TEXT_BYTES) -> str:
    """A file's text, in UTF-8 or, as PowerShell writes it, UTF-16.

    Raises:
        ValueError: if it is too large, or neither UTF-8 nor UTF-16 with its mark; or ``OSError``.
    """
    content = content_of(path, most)
    return content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")


def readable_text(tree: Tree, path: str, most: int = MAX_TEXT_BYTES) -> str:
    """A file's text; raises ``UserError`` with the remedy if it cannot be read."""
    try:
        return text_of(tree.path(path), most)
    except (ValueError, OSError) as error:
        why = getattr(error, "strerror", None) or error
        if isinstance(error, UnicodeDecodeError):
            why = "it is not UTF-8 text. Save it as UTF-8"
        raise UserError(f"{tree.path(path)} cannot be read: {why}.") from error


def lines_of(tree: Tree, path: str) -> list[str]:
    """The lines of a list of photos that hold anything; none, and noted, if it may not be opened.

    Raises:
        UserError: if it is too large, or no text.
    """
    try:
        text = readable_text(tree, path)
    except UserError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        tree.note_unread(path, error.__cause__)
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def put_in_listed_splits(tree: Tree, entries: list[Entry]) -> list[Blemish]:
    """Put entries into the splits of lists, which outrank folders; a blemish for each name lost."""
    lists = split_lists(tree)
    if not lists:
        return []
    by_photo = {entry.photo: entry for entry in entries if entry.photo}
    for entry in entries:
        entry.splits.clear()
    missing = []
    for path, lines in lists.items():
        for line in lines:
            photo = tree.photo_index.find(line, among=by_photo)
            if photo is None:
                missing.append(Blemish("photo missing", line, path))
            elif (split := split_of_list(path)) not in by_photo[photo].splits:
                by_photo[photo].splits.append(split)
    return missing


def one_of_each_photo(entries: list[Entry], blemishes: list[Blemish]) -> list[Entry]:
    """One entry a photo, with the objects of all entries that are about it."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    others = []
    for entry in entries:
        (others if entry.photo is None else groups[entry.photo]).append(entry)
    for photo, group in groups.items():
        if len(group) > 1:
            group[0].splits = list(dict.fromkeys(s for entry in group for s in entry.splits))
            group[0].parsed = _together(photo, group, blemishes)
    return [*(group[0] for group in groups.values()), *others]


def _together(photo: str, group: list[Entry], blemishes: list[Blemish]) -> Parsed | None:
    """The annotations of a photo merged; an object that several of them have counts once."""
    annotated = [(entry, entry.parsed) for entry in group if entry.parsed is not None]
    if len(annotated) < 2:
        return annotated[0][1] if annotated else None
    objects: list[list[Any]] = []
    problems: dict[tuple[Any, ...], None] = {}
    known: set[tuple[Any, ...]] = set()
    for entry, parsed in annotated:
        new = [each for each in parsed.objects if tuple(each) not in known]
        if new and objects:
            blemishes.append(Blemish("annotated twice", photo, str(entry.annotation)))
        objects += new
        known.update(map(tuple, new))
        problems.update(dict.fromkeys(map(tuple, parsed.problems)))
    size = next((parsed.size for _, parsed in annotated if parsed.size), None)
    return Parsed(size, "", objects, [list(problem) for problem in problems])


def unannotated(tree: Tree, entries: list[Entry]) -> list[Blemish]:
    """Photos in the folders of annotated ones that no entry is about."""
    used = {entry.photo for entry in entries if entry.photo}
    names = {entry.name for entry in entries if not entry.photo}  # found once the text is read
    if names:
        return []
    left = [photo for photo in tree.photos if photo not in used]
    folders = {photo.rpartition("/")[0] for photo in used} if left else ()
    return [Blemish("not annotated", p) for p in left if p.rpartition("/")[0] in folders]
