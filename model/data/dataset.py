"""A data set of any format in one or several folders: its splits, classes, photos and blemishes."""

import gc
import hashlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import pandas as pd

from model.classes import MAX_CLASSES, VOC_CLASSES
from model.data.blemishes import BOXES_DO_NOT_FIT, KINDS, Blemish
from model.data.photo_headers import PhotoHeader
from model.data.records import CSV_COLUMNS, DatasetSplit, ImageAnnotation, row_of
from model.data.remembered import Progress
from model.data.source import Found, Source
from model.errors import UserError
from model.words import counted

DataFolders = str | Path | Sequence[str | Path]

PHOTOS_PER_CALL = 8  # photos whose headers are read together, between two checks of the time


@dataclass(frozen=True, slots=True)
class DatasetPhoto:
    """A photo of a data set.

    Attributes:
        image: its annotation; ``file_name`` counts from the folder that holds all photos.
        header: what the file says of itself.
    """

    path: str
    image: ImageAnnotation
    splits: tuple[str, ...]
    header: PhotoHeader

    def membership(self, asked: str = "") -> str:
        """Its split of train, val, test (a CSV of trainval tells them apart); else ``asked``."""
        return next((s for s in ("train", "val", "test") if s in self.splits), asked)


class Dataset:
    """Photos and boxes below one or several folders; each part is read when it is first asked for.

    Args:
        data: a folder, or several that make one set; none is ``data`` below the working folder.
        format: ``voc``, ``yolo``, ``coco``, ``labelme``, ``csv``, or ``auto`` for what lies there.
        class_names: the classes; by default all that have an object.
        cache_dir: of what was read; see :mod:`model.data.remembered`.
        progress: show bars, or report to a function; may be set later, too.

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
        self._reading = threading.RLock()  # several requests of the demo may come at once

        bars = progress is True
        sources = [Source(Path(f).expanduser(), format, bars) for f in folders]
        self._sources = list({source.tree.root: source for source in sources}.values())
        for source in self._sources:
            source.together = self._sources
        self.folders = tuple(source.tree.root for source in self._sources)

    @property
    def formats(self) -> str:
        """The formats of the folders, in words."""
        return " and ".join(dict.fromkeys(source.format.name for source in self._sources))

    @cached_property
    def splits(self) -> list[str]:
        """Names of the splits, sorted; ``trainval`` is there whenever train or val is."""
        names = {s for source in self._sources for e in source.listing.entries for s in e.splits}
        return sorted(names | ({"trainval"} if names & {"train", "val"} else set()))

    @property
    def first_split(self) -> str:
        """The split to show first.

        Raises:
            UserError: if there is none.
        """
        if not self.splits:
            raise UserError(
                f"{_listed_folders(self.folders)} holds no annotated photos. To see why:"
                f" python -m model.dataset check --data {self.folders[0]}"
            )
        return "trainval" if "trainval" in self.splits else self.splits[0]

    @property
    def is_voc(self) -> bool:
        """Whether all folders are called like VOC's own, as ``VOC2007``."""
        return all(folder.name.startswith("VOC20") for folder in self.folders)

    @cached_property
    def photos(self) -> list[DatasetPhoto]:
        """All photos that can be used, whatever split they are in."""
        with self._reading, no_garbage_collection():
            if "photos" in self.__dict__:  # read while this call waited
                return self.__dict__["photos"]
            # All are read first: only then it is known where all photos lie.
            found = [s.photos(self._cache_dir, self.progress) for s in self._sources]
            photos: dict[str, Found] = {}  # one folder may lie in another
            for photo in chain.from_iterable(found):
                photos.setdefault(photo[0], photo)
            return [self._photo(*photo) for photo in photos.values()]

    @cached_property
    def image_folder(self) -> Path:
        """The innermost folder that holds all photos."""
        photos = ((s.tree, e.photo) for s in self._sources for e in s.listing.entries if e.photo)
        inside = {(tree, photo.rpartition("/")[0]) for tree, photo in photos}
        folders = {tree.path(folder) for tree, folder in inside} or {str(self.folders[0])}
        try:
            return Path(os.path.commonpath(folders))
        except ValueError:
            raise UserError(
                "the data sets lie on different drives. Move them to one, and name them there."
            ) from None

    @cached_property
    def _name_start(self) -> int:
        """Where the name of a photo begins in its path."""
        return len(str(self.image_folder).rstrip(os.sep)) + 1

    @cached_property
    def blemishes(self) -> list[Blemish]:
        """All blemishes of single photos and files; reads the data set."""
        _ = self.photos
        listed = [b for source in self._sources for b in source.listing.blemishes]
        return listed + [b for source in self._sources for b in source.blemishes]

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
        for blemish in self.blemishes:
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
        backgrounds, n_difficult = frame[empty].reset_index(drop=True), len(rows) - len(frame)
        return DatasetSplit(targets, self.image_folder, n_difficult, class_names, backgrounds)

    def find(self, name: str) -> DatasetPhoto | None:
        """The photo of a name, with or without folders and suffix; reads no other.

        A whole path, as :attr:`ImageAnnotation.file_name` has it, counts most: in several folders
        there may be photos of one name. ``None`` if there is none, or it cannot be used.
        """
        found = (source.photo(path) for source, path in self._called(name))
        return next((self._photo(*photo) for photo in found if photo), None)

    def problem_of(self, name: str) -> str:
        """Why the photo that :meth:`find` reads first cannot be used; else the empty text.

        The sentence has no point at its end.
        """
        for source, path in self._called(name):
            found = source.photo_or_why(path)
            return found.words if isinstance(found, Blemish) else ""
        return ""

    def path_of(self, name: str) -> str:
        """The file that :meth:`find` reads first, or the empty text."""
        return next((source.tree.path(path) for source, path in self._called(name)), "")

    def _called(self, name: str) -> Iterator[tuple[Source, str]]:
        """Paths of photos that may be meant by a name, the likeliest first."""
        inside = f"{self.image_folder}{os.sep}"
        whole = inside + name.replace("/", os.sep)
        for source in self._sources:
            path = whole.removeprefix(f"{source.tree.root}{os.sep}").replace(os.sep, "/")
            if path in source.by_photo:
                yield source, path
                return
        for source in self._sources:
            near = str(self.image_folder)[len(str(source.tree.root)) + 1 :].replace(os.sep, "/")
            if path := source.tree.photo_index.find(name, near, among=source.by_photo):
                yield source, path

    def some_photos(self, count: int, seconds: float) -> Iterator[DatasetPhoto]:
        """At most ``count`` photos spread over the set, only held-out ones if there are any.

        Stops after ``seconds``: finding out that a photo cannot be used may take some.
        """
        until = time.monotonic() + seconds
        entries = [(s, e) for s in self._sources for e in s.by_photo.values() if e.photo]
        held_out = [(s, e) for s, e in entries if {"val", "test"} & set(e.splits)]
        chosen = sorted(held_out or entries, key=lambda item: _drawn(item[1].name))[:count]
        for first in range(0, len(chosen), PHOTOS_PER_CALL):
            if time.monotonic() >= until:
                return
            some = chosen[first : first + PHOTOS_PER_CALL]
            for source in self._sources:
                source.headers([entry for owner, entry in some if owner is source])
            for source, entry in some:
                if found := source.photo(str(entry.photo)):
                    yield self._photo(*found)

    def listed_class_names(self) -> list[str]:
        """Class names known before any annotation is read; few formats list them."""
        return [n for s in self._sources for n in s.listing.class_names or () if n]

    def _photo(
        self, path: str, image: ImageAnnotation, splits: tuple[str, ...], header: PhotoHeader
    ) -> DatasetPhoto:
        name = path[self._name_start :].replace(os.sep, "/")
        image = ImageAnnotation(name, image.width, image.height, image.objects)
        return DatasetPhoto(path, image, splits, header)


@contextmanager
def no_garbage_collection() -> Generator[None]:
    """Pause the garbage collector, which would search a million new objects again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _drawn(name: str) -> bytes:
    """A sort key that shuffles names, always in the same way."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


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
