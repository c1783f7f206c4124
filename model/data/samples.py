"""Photos by short name: the shipped examples, and those of a data set if there is one."""

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any

import pandas as pd

from model.classes import VOC_CLASSES
from model.data.dataset import Dataset, DatasetPhoto
from model.data.example_boxes import read_example_boxes
from model.data.image_formats import IMAGE_SUFFIXES
from model.data.images import load_fitted
from model.data.names import stem_of
from model.data.records import CSV_COLUMNS, DatasetSplit, ImageAnnotation, ObjectAnnotation, row_of
from model.errors import UserError

EXAMPLES = "examples"  # the only split where there is no data set
EXAMPLE_FOLDER = Path(__file__).resolve().parents[2] / "examples"
MOST_OWN = 12  # photos of the user's own data set shown as examples
LOOKED_AT = 120  # photos read to find examples of all classes
LOOKING_S = 10.0  # for reading them, and again for decoding them
EXAMPLE_NOTES = {
    "dogs.jpg": "A hard one, on purpose: two dogs, alike and far apart. Which is the largest?",
    "balloon.jpg": "On purpose a photo that shows none of the classes.",
}
# A first impression of VOC: different classes, shapes and sizes, all from val.
VOC_EXAMPLES = (
    "000120", "000275", "001215", "000730", "000748",
    "001463", "000499", "000619", "000676", "000131",
)  # fmt: skip


@dataclass(frozen=True)
class NamedPhoto:
    """A photo known by name.

    Attributes:
        name: ``cat``, or VOC's ``000012``; a path with suffix where several photos share a name.
        objects: what is annotated, boxes in pixels of the upright photo.
        annotated: whether there is an annotation: no objects then means none is in the photo.
    """

    name: str
    path: Path
    objects: tuple[ObjectAnnotation, ...] = ()
    annotated: bool = False
    note: str = ""

    @property
    def largest(self) -> ObjectAnnotation | None:
        """The true target, if there is one."""
        return ImageAnnotation(self.path.name, 0, 0, self.objects).largest


def find_dataset(given: Sequence[str | Path] = (), format: str = "auto") -> Dataset | None:
    """The data set ``given``, or the one in a usual place, or ``None``; its files are listed.

    Looked for, in this order: ``$VOC_ROOT``, ``data/`` and ``VOCdevkit/`` below the working folder.

    Raises:
        UserError: if a folder ``given`` holds no data set.
    """
    if given:
        return _with_photos(Dataset(given, format))
    for place in filter(None, (os.environ.get("VOC_ROOT"), "data", "VOCdevkit")):
        try:
            return _with_photos(Dataset(place, format))
        except UserError:
            continue
    return None


def _with_photos(dataset: Dataset) -> Dataset:
    _ = dataset.first_split
    return dataset


class PhotoLibrary:
    """Finds photos by name; reads only the requested ones of a data set.

    Args:
        data: a data set of any format, or its folder.
        example_folder: images that are there without it, and their ``boxes.json``; they come in
            its order, and then those it does not name.

    Raises:
        UserError: if ``boxes.json`` is bad, or ``data`` no data set.
    """

    def __init__(
        self, data: Dataset | str | Path | None, example_folder: Path = EXAMPLE_FOLDER
    ) -> None:
        self.dataset = Dataset(data) if isinstance(data, str | Path) else data
        boxes = read_example_boxes(example_folder)
        images = (p for p in sorted(example_folder.glob("*")) if p.suffix.lower() in IMAGE_SUFFIXES)
        order = {name: place for place, name in enumerate(boxes)}
        self._examples: dict[str, NamedPhoto] = {}
        for path in sorted(images, key=lambda p: order.get(p.name, len(order))):
            objects, note = boxes.get(path.name, ()), EXAMPLE_NOTES.get(path.name, "")
            photo = NamedPhoto(path.stem, path, objects, path.name in boxes, note)
            self._examples[path.stem] = photo
        self._example_folder = example_folder
        self.split = cache(self._split)
        self._photo = lru_cache(maxsize=512)(self._read_photo)

    def get(self, name: str) -> NamedPhoto:
        """The photo called ``name``: of the data set if it has one, else an example.

        Raises:
            UserError: if there is none, or it cannot be used.
        """
        if photo := self._photo(name) or self._examples.get(name):
            return photo
        if self.dataset and name and (why := self.dataset.problem_of(name)):
            raise UserError(f"the sample {name[:40]!r} cannot be used: {why.rstrip('.')}.")
        known = ", ".join(photo.name for photo in self.examples())
        more = "" if self.dataset else "; VOC 2007 is not here, so its photos are not either"
        raise UserError(f"there is no sample {name[:40]!r}. There is: {known}{more}.")

    def name_of(self, file_name: str) -> str:
        """The name of a photo of the data set, given as its rows have it.

        Without suffix and folders, unless that is the name of another photo too.
        """
        photo = self._photo(file_name)
        return photo.name if photo else stem_of(file_name)

    def file_name_of(self, name: str) -> str:
        """The ``file_name`` in the rows of the photo of this name; empty if there is none."""
        if self.dataset:
            found = self.dataset.find(name)
            return found.image.file_name if found else ""
        example = self._examples.get(name)
        return example.path.name if example else ""

    def examples(self) -> Sequence[NamedPhoto]:
        """A few photos to start with.

        With VOC the shipped ones and then some chosen from VOC; with another data set some of its
        photos of all classes; without a data set the shipped ones.
        """
        return self._chosen

    @cached_property
    def _chosen(self) -> list[NamedPhoto]:
        shipped = list(self._examples.values())
        if not self.dataset:
            return shipped
        own = {thing.class_name for photo in self._own_examples for thing in photo.objects}
        if self.dataset.is_voc and own <= set(VOC_CLASSES):
            return shipped + [p for name in VOC_EXAMPLES if (p := self._photo(name))]
        return self._own_examples or shipped

    @cached_property
    def _own_examples(self) -> list[NamedPhoto]:
        """Some photos of the set that can be decoded, one of each class in turn."""
        if not self.dataset:
            return []
        by_class: dict[str, list[NamedPhoto]] = defaultdict(list)
        for found in self.dataset.some_photos(LOOKED_AT, LOOKING_S):
            photo = _named(self.dataset, found)
            if photo.largest:
                by_class[photo.largest.class_name].append(photo)
        in_turn = chain.from_iterable(zip_longest(*(by_class[name] for name in sorted(by_class))))
        until = time.monotonic() + LOOKING_S
        shown = (p for p in in_turn if p and time.monotonic() < until and _can_be_shown(p))
        return list(islice(shown, MOST_OWN))

    def class_names(self) -> list[str]:
        """Classes of the data set, sorted: all once it was read, until then those known so far."""
        if not self.dataset:
            return []
        if "photos" in vars(self.dataset):
            return list(self.dataset.class_names)
        seen = {thing.class_name for photo in self._own_examples for thing in photo.objects}
        return sorted({*self.dataset.listed_class_names(), *seen})

    @property
    def splits(self) -> list[str]:
        """The names of the splits; without a data set the examples are one."""
        return self.dataset.splits if self.dataset else [EXAMPLES]

    def row(self, name: str) -> dict[str, Any]:
        """The CSV row of a photo; empty if it has nothing but difficult objects."""
        named = self.get(name)
        found = self.dataset.find(named.name) if self.dataset else None
        if found is None or Path(found.path) != named.path:
            return self._example_row(named) or {}
        return row_of(found.image, found.membership(next(iter(found.splits), ""))) or {}

    def _example_row(self, named: NamedPhoto) -> dict[str, Any] | None:
        width, height = load_fitted(named.path, 64).original_size  # only the size is wanted
        return row_of(ImageAnnotation(named.path.name, width, height, named.objects), EXAMPLES)

    def _read_photo(self, name: str) -> NamedPhoto | None:
        found = self.dataset.find(name) if self.dataset and name else None
        return _named(self.dataset, found) if self.dataset and found else None

    def _split(self, split: str) -> DatasetSplit:
        """A whole split; the split of the examples leaves out those without target.

        Raises:
            UserError: if there is no such split.
        """
        if self.dataset:
            return self.dataset.split(split)
        if split != EXAMPLES:
            raise UserError(
                "VOC 2007 is not here. Get it: python -m model.dataset download --data data"
            )
        rows = map(self._example_row, self._examples.values())
        frame = pd.DataFrame([r for r in rows if r and r["class_name"]], columns=CSV_COLUMNS)
        names = tuple(sorted(set(frame.class_name)))
        return DatasetSplit(frame, self._example_folder, class_names=names)


def _named(dataset: Dataset, found: DatasetPhoto) -> NamedPhoto:
    short = stem_of(found.image.file_name)
    name = short if dataset.path_of(short) == found.path else found.image.file_name
    return NamedPhoto(name, Path(found.path), found.image.objects, annotated=True)


def _can_be_shown(photo: NamedPhoto) -> bool:
    try:
        load_fitted(photo.path, 64)
    except UserError:  # the check of the data set says so
        return False
    return True
