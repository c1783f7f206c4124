"""A data set of any format in one or several folders: its splits, classes, photos and blemishes."""

import gc
import hashlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from model.classes import MAX_CLASSES, VOC_CLASSES
from model.data.blemishes import BOXES_DO_NOT_FIT, KINDS, Blemish
from model.data.formats import format_of
from model.data.formats.listing import Entry, Format, Listing, Parsed, put_in_listed_splits
from model.data.formats.voc import voc_roots
from model.data.mending import Habits, habits_of, mended
from model.data.names import FileIndex, key_of, origin_of, share_of
from model.data.photo_headers import PhotoHeader, read_photo_headers
from model.data.records import (
    CSV_COLUMNS,
    DatasetSplit,
    ImageAnnotation,
    row_of,
)
from model.data.remembered import Progress, in_all_cores, read_remembered, with_bar
from model.data.tree import Tree
from model.errors import UserError
from model.words import counted

DataFolders = str | Path | Sequence[str | Path]
VAL_SHARE = 0.2  # of a set that has no lists
JUDGED_PHOTOS = 500  # so many tell how a set was annotated


@dataclass(frozen=True, slots=True)
class DatasetPhoto:
    """A photo of a data set.

    Attributes:
        path: of the file.
        image: its annotation; ``file_name`` counts from the folder that holds all photos.
        splits: it is in.
        header: what the file says of itself.
    """

    path: str
    image: ImageAnnotation
    splits: tuple[str, ...]
    header: PhotoHeader

    def membership(self, asked: str = "") -> str:
        """Which of train, val, test it is in, so that a CSV of trainval tells; else ``asked``."""
        return next((s for s in ("train", "val", "test") if s in self.splits), asked)


class _Source:
    """One folder. Its files are known at once, its photos and splits when they are asked for."""

    def __init__(self, tree: Tree, format: Format) -> None:
        self.tree, self.format = tree, format
        self.known_parsed: dict[str, Parsed] = {}
        self.known_headers: dict[str, PhotoHeader] = {}

    @cached_property
    def listing(self) -> Listing:
        """All photos, each in a split."""
        listing = self.format.listing(self.tree)
        if self.format.name != "voc":
            listing.blemishes.extend(put_in_listed_splits(self.tree, listing.entries))
        blemishes = [Blemish("link out of the folder", link) for link in self.tree.links_out]
        if not any(entry.splits for entry in listing.entries):
            _draw_splits(listing.entries)
            blemishes.append(Blemish("split of our own", self.tree.root.name))
        listing.blemishes.extend(blemishes)
        return listing

    @cached_property
    def index(self) -> FileIndex:
        """Finds the file of a listed photo."""
        return FileIndex(entry.photo for entry in self.listing.entries if entry.photo)

    @cached_property
    def by_photo(self) -> dict[str, Entry]:
        """The entry of each photo; the first where there are several."""
        entries = self.listing.entries
        return {entry.photo: entry for entry in reversed(entries) if entry.photo}

    @cached_property
    def habits(self) -> Habits:
        """How the set was annotated, by some of its photos."""
        entries = [entry for entry in self.listing.entries if entry.photo]
        some = entries[:: max(1, len(entries) // JUDGED_PHOTOS)]
        pairs = [(self.parsed(entry), self.header(entry)) for entry in some]
        usable = [(p, h) for p, h in pairs if p and not h.problem]
        return habits_of(self.format, [p for p, _ in usable], [h for _, h in usable])

    @property
    def parse(self) -> Callable[[str], Parsed] | None:
        """Reads one annotation; ``None`` where one file holds those of all photos."""
        return self.listing.parse or self.format.parse

    def parsed(self, entry: Entry) -> Parsed | None:
        """What one annotation says; ``None`` if there is none."""
        if self.parse is None:
            return entry.parsed
        if entry.annotation is None:
            return self.nothing
        if known := self.known_parsed.get(entry.annotation):
            return known
        return self.named(self.parse(self.tree.path(entry.annotation)))

    def header(self, entry: Entry) -> PhotoHeader:
        """Of a photo that is there."""
        known = self.known_headers.get(str(entry.photo))
        if known:
            return known
        (values,) = read_photo_headers([self.tree.path(str(entry.photo))])
        return PhotoHeader(*values)

    @cached_property
    def ids_from_1(self) -> bool:
        """Whether class ids count from 1, by some of the annotations: none is 0, one too large."""
        names, parse = self.listing.class_names, self.parse
        if not names or parse is None:
            return False
        files = [entry.annotation for entry in self.listing.entries if entry.annotation]
        some = files[:: max(1, len(files) // JUDGED_PHOTOS)]
        ids = {int(o[0]) for file in some for o in parse(self.tree.path(file)).objects}
        return bool(ids) and min(ids) == 1 and max(ids) == len(names)

    def named(self, parsed: Parsed) -> Parsed:
        """Class ids replaced by their names."""
        names = self.listing.class_names
        if names is None:
            return parsed
        return _named(parsed, ["", *names] if self.ids_from_1 else names)

    @property
    def nothing(self) -> Parsed | None:
        """What a photo without annotation file says: in YOLO that it shows nothing."""
        return Parsed(None, "", [], []) if self.format.units == "shares" else None


class Dataset:
    """Photos and boxes below one or several folders; each part is read when it is first asked for.

    Args:
        data: a folder, or several that make one set; none is ``data`` below the working folder.
        format: ``voc``, ``yolo``, ``coco``, or ``auto`` for what lies there.
        class_names: the classes; by default all that have an object.
        cache_dir: of what was read; see :mod:`model.data.remembered`.
        progress: show bars, or tell of them; may be set later, too.

    Raises:
        UserError: if a folder is missing, or holds no data set or more than one.
    """

    def __init__(
        self,
        data: DataFolders,
        format: str = "auto",
        class_names: Sequence[str] | None = None,
        cache_dir: str | Path | None = None,
        progress: Progress = False,
    ) -> None:
        folders = [data] if isinstance(data, str | Path) else list(data) or ["data"]
        self._given_classes = tuple(class_names) if class_names else None
        self._cache_dir, self.progress = cache_dir, progress
        self._blemishes: list[Blemish] = []
        self._reading = threading.RLock()  # the demo is asked by many at once

        self._sources = [self._open(Path(f).expanduser(), format) for f in folders]
        self.folders = tuple(source.tree.root for source in self._sources)

    def _open(self, folder: Path, name: str) -> _Source:
        tree = Tree(folder, self.progress is True)
        roots = voc_roots(tree) if name in ("auto", "voc") else []
        if roots and "" not in roots:
            tree = Tree(tree.root / _the_root(tree, roots), self.progress is True)
        return _Source(tree, format_of(tree, name))

    @property
    def formats(self) -> str:
        """In which formats the folders are, in words."""
        return " and ".join(dict.fromkeys(source.format.name for source in self._sources))

    @cached_property
    def splits(self) -> list[str]:
        """Names of the splits, sorted; ``trainval`` is there whenever train or val is."""
        names = {s for source in self._sources for e in source.listing.entries for s in e.splits}
        return sorted(names | ({"trainval"} if names & {"train", "val"} else set()))

    @property
    def is_voc(self) -> bool:
        """Whether it lies in VOC's own folders, or is a part of VOC under their names."""
        return all(folder.name.startswith("VOC20") for folder in self.folders)

    @cached_property
    def photos(self) -> list[DatasetPhoto]:
        """All photos that can be used, whatever split they are in."""
        with self._reading, no_garbage_collection():
            if "photos" in self.__dict__:  # read while this call waited
                return self.__dict__["photos"]
            # All are read first: where photos lie may be known only by then.
            found = [photo for source in self._sources for photo in self._read(source)]
            return [self._photo(*each) for each in found]

    @cached_property
    def image_folder(self) -> Path:
        """The innermost folder that holds all photos."""
        folders = {
            os.path.dirname(source.tree.path(entry.photo))
            for source in self._sources
            for entry in source.listing.entries
            if entry.photo
        } or {str(self.folders[0])}
        try:
            return Path(os.path.commonpath(folders))
        except ValueError:
            raise UserError(
                "the data sets lie on different drives. Move them to one, and name them there."
            ) from None

    @cached_property
    def _photo_name(self) -> int:
        """Where the name of a photo begins in its path."""
        return len(str(self.image_folder).rstrip(os.sep)) + 1

    @cached_property
    def blemishes(self) -> list[Blemish]:
        """All that is wrong with single photos and files; reads the data set."""
        _ = self.photos
        return [b for s in self._sources for b in s.listing.blemishes] + self._blemishes

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the whole set, sorted; the position is the class id.

        VOC's own folders have VOC's twenty, so that parts of it remain comparable.
        """
        if self._given_classes:
            return self._given_classes
        found = {o.class_name for photo in self.photos for o in photo.image.objects}
        if len(found) > 1 and found <= set(VOC_CLASSES) and self.is_voc:
            return VOC_CLASSES
        return tuple(sorted(found))

    def of_split(self, split: str) -> list[DatasetPhoto]:
        """The photos of a split.

        Raises:
            UserError: if there is none of this name.
        """
        if split not in self.splits:
            known = ", ".join(self.splits) or "none"
            raise UserError(
                f"{_listed_folders(self.folders)} has no split {split[:40]!r}. There is: {known}."
            )
        wanted = {split}
        if split == "trainval" and not any("trainval" in p.splits for p in self.photos):
            wanted = {"train", "val"}
        return [photo for photo in self.photos if wanted & set(photo.splits)]

    def split(self, name: str) -> DatasetSplit:
        """A split as a frame of largest objects.

        Raises:
            UserError: if there is no such split, it has nothing to learn from, a class that is not
                among those given, more classes than a detector holds, or boxes that do not fit.
        """
        photos = self.of_split(name)
        where = f"{_listed_folders(self.folders)}: split {name}"
        for blemish in self._blemishes:
            if blemish.kind == BOXES_DO_NOT_FIT:
                raise UserError(f"{blemish.where}: {KINDS[blemish.kind].text}. {blemish.detail}.")
        class_names = self.class_names
        found = {o.class_name for photo in photos for o in photo.image.objects}
        if unknown := sorted(found - set(class_names)):
            expected = counted(len(class_names), "class", "classes")
            raise UserError(
                f"{where} has the class {unknown[0]!r}, which is not among the {expected} expected"
                f" ({', '.join(class_names)[:300]})."
            )
        if len(class_names) > MAX_CLASSES:
            raise UserError(
                f"{where} has {len(class_names)} classes; a detector has at most {MAX_CLASSES}."
                " Merge some, or take images out of the split."
            )
        rows = [row_of(photo.image, photo.membership(name)) for photo in photos]
        frame = pd.DataFrame([row for row in rows if row], columns=CSV_COLUMNS)
        empty = frame.class_name == ""
        targets = frame[~empty].reset_index(drop=True)
        if targets.empty:
            raise UserError(f"{where} has no image with an object to learn from.")
        return DatasetSplit(
            targets,
            self.image_folder,
            len(rows) - len(frame),
            class_names,
            frame[empty].reset_index(drop=True),
        )

    def find(self, name: str) -> DatasetPhoto | None:
        """The photo of a name, with or without folders and suffix; reads no other.

        A whole path, as :attr:`ImageAnnotation.file_name` has it, counts most: in several folders
        there may be photos of one name. ``None`` if there is none, or it cannot be used.
        """
        inside = f"{self.image_folder}{os.sep}"
        whole = inside + name.replace("/", os.sep)
        for source in self._sources:
            path = whole.removeprefix(f"{source.tree.root}{os.sep}").replace(os.sep, "/")
            if path in source.by_photo:
                return self._of_entry(source, path)
        for source in self._sources:
            near = str(self.image_folder)[len(str(source.tree.root)) + 1 :].replace(os.sep, "/")
            path = source.index.find(name, near)
            if path and (photo := self._of_entry(source, path)):
                return photo
        return None

    def some_photos(self, count: int) -> list[DatasetPhoto]:
        """At most ``count`` of all parts of the set, held-out ones first; reads few others."""
        entries = [(s, e) for s in self._sources for e in s.by_photo.values() if e.photo]
        held_out = [(s, e) for s, e in entries if {"val", "test"} & set(e.splits)]
        chosen = sorted(held_out or entries, key=lambda item: _drawn(item[1].name))[:count]
        found = [self._of_entry(source, str(entry.photo)) for source, entry in chosen]
        return [photo for photo in found if photo]

    def listed_class_names(self) -> list[str]:
        """Names that the set gives its classes before any photo is read; few formats do."""
        return [n for s in self._sources for n in s.listing.class_names or () if n]

    def _of_entry(self, source: _Source, path: str) -> DatasetPhoto | None:
        entry = source.by_photo[path]
        parsed, header = source.parsed(entry), source.header(entry)
        if parsed is None or header.problem or _unreadable(parsed):
            return None
        image, _ = mended(path, parsed, header, source.habits)
        if image is None:
            return None
        return self._photo(source.tree.path(path), image, tuple(entry.splits), header)

    def _photo(
        self, path: str, image: ImageAnnotation, splits: tuple[str, ...], header: PhotoHeader
    ) -> DatasetPhoto:
        name = path[self._photo_name :].replace(os.sep, "/")
        image = ImageAnnotation(name, image.width, image.height, image.objects)
        return DatasetPhoto(path, image, splits, header)

    def _read(self, source: _Source) -> list[tuple]:
        entries = source.listing.entries
        parsed = self._parsed(source)
        pairs = []
        for entry, annotation in zip(entries, parsed, strict=True):
            if annotation is None:
                self._blemishes.append(Blemish("annotation missing", entry.name))
            elif broken := _unreadable(annotation):
                self._blemishes.append(
                    Blemish("annotation unreadable", entry.annotation or entry.name, broken)
                )
            elif self._found(source, entry, annotation):
                pairs.append((entry, annotation))
        headers = self._headers(source, [entry for entry, _ in pairs])
        readable = [(e, p, h) for (e, p), h in zip(pairs, headers, strict=True) if not h.problem]
        self._blemishes += [
            Blemish("photo unreadable", str(e.photo), h.problem)
            for (e, _), h in zip(pairs, headers, strict=True)
            if h.problem
        ]
        return self._mended(source, readable)

    def _parsed(self, source: _Source) -> list[Parsed | None]:
        """What the annotation of each entry says."""
        entries, parse = source.listing.entries, source.parse
        if parse is None:
            return [entry.parsed for entry in entries]
        files = list(dict.fromkeys(e.annotation for e in entries if e.annotation))
        values = read_remembered(
            in_all_cores(parse), source.tree.root, files, "reading annotations",
            self._cache_dir, self.progress,
        )  # fmt: skip
        by_file = {name: Parsed(*value) for name, value in zip(files, values, strict=True)}
        source.known_parsed = {name: source.named(parsed) for name, parsed in by_file.items()}
        by_file = source.known_parsed
        return [by_file[e.annotation] if e.annotation else source.nothing for e in entries]

    def _found(self, source: _Source, entry: Entry, parsed: Parsed) -> bool:
        """Whether the photo of an entry is there; the annotation may name it."""
        if entry.photo is None and parsed.file_name:
            near = (entry.annotation or "").rpartition("/")[0]
            entry.photo = source.tree.photo_index.find(parsed.file_name, near)
        if entry.photo is None:
            self._blemishes.append(Blemish("photo missing", parsed.file_name.strip() or entry.name))
            return False
        if parsed.file_name and key_of(parsed.file_name) != key_of(entry.photo):
            said = f"{parsed.file_name.strip()[:100]!r} in {entry.annotation}"
            self._blemishes.append(Blemish("other file name", entry.photo, said))
        return True

    def _headers(self, source: _Source, entries: list[Entry]) -> list[PhotoHeader]:
        names = list(dict.fromkeys(str(entry.photo) for entry in entries))
        values = read_remembered(
            read_photo_headers, source.tree.root, names, "reading the sizes of photos",
            self._cache_dir, self.progress,
        )  # fmt: skip
        by_name = {name: PhotoHeader(*value) for name, value in zip(names, values, strict=True)}
        source.known_headers = by_name
        return [by_name[str(entry.photo)] for entry in entries]

    def _mended(
        self, source: _Source, readable: list[tuple[Entry, Parsed, PhotoHeader]]
    ) -> list[tuple]:
        habits = source.habits
        if source.ids_from_1:
            self._blemishes.append(Blemish("ids count from 1", source.tree.root.name))
        if habits.blemish:
            self._blemishes.append(Blemish(habits.blemish, source.tree.root.name, habits.detail))
        found: dict[str, tuple] = {}
        what = "comparing boxes and photos"
        for entry, parsed, header in with_bar(readable, what, len(readable), self.progress):
            photo = str(entry.photo)
            image, problems = mended(photo, parsed, header, habits)
            self._blemishes += [Blemish(kind, photo, detail) for kind, detail in problems]
            if image is None:
                continue
            if photo in found:
                self._blemishes.append(Blemish("same name twice", photo, "two annotations"))
                continue
            found[photo] = (source.tree.path(photo), image, tuple(entry.splits), header)
            if image.objects and image.largest is None:
                self._blemishes.append(Blemish("only difficult", photo))
        return list(found.values())


@contextmanager
def no_garbage_collection() -> Generator[None]:
    """A million new objects, none of them garbage, are not searched for some again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _the_root(tree: Tree, roots: list[str]) -> str:
    """The VOC folder meant by one above it."""
    usual = [root for root in ("VOC2007", "VOCdevkit/VOC2007") if root in roots]
    if len(roots) == 1 or usual:
        return (usual or roots)[0]
    raise UserError(
        f"{tree.root} holds {len(roots)} data sets: {', '.join(roots[:5])}. Name the folder of each"
        " you want, with --data for each."
    )


def _draw_splits(entries: list[Entry]) -> None:
    """Train and val by a hash of the name, so that a photo stays where it is for ever."""
    shares = {origin_of(e.name): share_of(e.name) for e in entries if e.annotation or e.photo}
    lowest = min(shares.values(), default=0.0) if len(shares) > 1 else -1.0
    for entry in entries:
        is_val = share_of(entry.name) < max(VAL_SHARE, lowest + 1e-12)
        entry.splits.append("val" if is_val and len(shares) > 1 else "train")


def _drawn(name: str) -> bytes:
    """Sorts names as if by chance, and always alike."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


def _unreadable(parsed: Parsed) -> str:
    """Why an annotation cannot be read; empty if it can."""
    return next((d for kind, d in parsed.problems if kind == "annotation unreadable"), "")


def _named(parsed: Parsed, names: list[str]) -> Parsed:
    """Class ids replaced by their names; objects of unknown ones are left out."""
    objects, problems = [], list(parsed.problems)
    for class_id, *rest in parsed.objects:
        name = names[int(class_id)] if int(class_id) < len(names) else ""
        if name:
            objects.append([name, *rest])
        else:
            problems.append(["object without class", f"id {class_id}; there are {len(names)}"])
    return Parsed(parsed.size, parsed.file_name, objects, problems)


def _listed_folders(folders: Iterable[Path]) -> str:
    return " and ".join(map(str, folders))


def read_split(
    data: DataFolders, split: str, class_names: Sequence[str] | None = None, format: str = "auto"
) -> DatasetSplit:
    """Read one split; see :class:`Dataset` and :meth:`Dataset.split`."""
    return Dataset(data, format, class_names).split(split)


def photos_by_split(dataset: Dataset) -> dict[str, list[DatasetPhoto]]:
    """The photos of each split but the union of others."""
    found: dict[str, list[DatasetPhoto]] = defaultdict(list)
    for photo in dataset.photos:
        for split in photo.splits:
            found[split].append(photo)
    return dict(sorted(found.items()))
