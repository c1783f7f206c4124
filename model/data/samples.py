"""Photos with a short name: the examples that come with the project, and VOC's if it is there."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import pandas as pd

from model.data.example_boxes import read_example_boxes
from model.data.image_formats import IMAGE_SUFFIXES
from model.data.images import load_fitted
from model.data.voc import (
    CSV_COLUMNS,
    VocImage,
    VocObject,
    VocSplit,
    find_voc_root,
    parse_annotation,
    read_split,
    row_of,
)
from model.errors import UserError

EXAMPLE_FOLDER = Path(__file__).resolve().parents[2] / "examples"
# A first impression of VOC: different classes, shapes and sizes, all from val.
VOC_EXAMPLES = (
    "000120", "000275", "001215", "000730", "000748",
    "001463", "000499", "000619", "000676", "000131",
)  # fmt: skip


@dataclass(frozen=True)
class NamedPhoto:
    """A photo known by name.

    Attributes:
        name: ``cat``, or VOC's ``000012``.
        path: of the image file.
        objects: what is annotated, boxes in pixels of the upright photo.
        annotated: whether anybody looked: no objects then means that none of the classes is there.
    """

    name: str
    path: Path
    objects: tuple[VocObject, ...] = ()
    annotated: bool = False

    @property
    def largest(self) -> VocObject | None:
        """The true target, if there is one."""
        return VocImage(self.path.name, 0, 0, self.objects).largest


def find_voc(given: str | Path | None = None) -> Path | None:
    """The VOC folder ``given``, or the one in a usual place, or ``None``.

    Looked for, in this order: ``$VOC_ROOT``, ``data/`` and ``VOCdevkit/`` below the working folder.

    Raises:
        UserError: if ``given`` holds no VOC.
    """
    if given:
        return find_voc_root(given)
    for place in filter(None, (os.environ.get("VOC_ROOT"), "data", "VOCdevkit")):
        try:
            return find_voc_root(place)
        except UserError:
            continue
    return None


class PhotoLibrary:
    """Finds photos by name; reads of VOC only what is asked for.

    Args:
        voc_root: from :func:`find_voc`.
        example_folder: images that are there without VOC, and their ``boxes.json``.

    Raises:
        UserError: if ``boxes.json`` is bad.
    """

    def __init__(self, voc_root: Path | None, example_folder: Path = EXAMPLE_FOLDER) -> None:
        self.voc_root = voc_root
        boxes = read_example_boxes(example_folder)
        self._examples = {
            path.stem: NamedPhoto(path.stem, path, boxes.get(path.name, ()), path.name in boxes)
            for path in sorted(example_folder.glob("*"))
            if path.suffix.lower() in IMAGE_SUFFIXES
        }
        self.split = cache(self._split)
        self._voc_photo = lru_cache(maxsize=512)(self._read_voc_photo)

    def get(self, name: str) -> NamedPhoto:
        """The photo called ``name``.

        Raises:
            UserError: if there is none.
        """
        if name in self._examples:
            return self._examples[name]
        # VOC names and those of data sets in its layout; nothing that could leave the folder.
        if self.voc_root and re.fullmatch(r"\w[\w-]{0,63}", name):
            return self._voc_photo(name)
        known = ", ".join(self._examples)
        more = "" if self.voc_root else "; VOC 2007 is not here, so its photos are not either"
        raise UserError(f"there is no sample {name[:40]!r}. There is: {known}{more}.")

    def examples(self) -> Sequence[NamedPhoto]:
        """A handful to start with: those of the project, then some of VOC where it is there."""
        chosen = list(self._examples.values())
        for name in VOC_EXAMPLES if self.voc_root else ():
            try:
                chosen.append(self._voc_photo(name))
            except UserError:
                continue  # a subset, or a data set of someone's own in VOC's layout
        return chosen

    def example_rows(self) -> pd.DataFrame:
        """The examples that come with the project as rows of a CSV, but those without a target.

        The columns are :data:`model.data.voc.CSV_COLUMNS`; the split is called ``examples``.
        """
        rows = []
        for named in self._examples.values():
            width, height = load_fitted(named.path, 64).original_size  # only the size is wanted
            image = VocImage(named.path.name, width, height, named.objects)
            rows.append(row_of(image, "examples"))
        return pd.DataFrame([row for row in rows if row], columns=CSV_COLUMNS)

    def _read_voc_photo(self, name: str) -> NamedPhoto:
        assert self.voc_root is not None
        try:
            image = parse_annotation(self.voc_root / "Annotations" / f"{name}.xml")
        except UserError:
            raise UserError(
                f"there is no sample {name!r} in {self.voc_root.name}. Its names are like 000012."
            ) from None
        path = self.voc_root / "JPEGImages" / image.file_name
        if not path.is_file():
            raise UserError(f"the photo of sample {name} is missing from {self.voc_root.name}.")
        return NamedPhoto(name, path, image.objects, annotated=True)

    def _split(self, split: str) -> VocSplit:
        """A whole VOC split, read once.

        Raises:
            UserError: without VOC, or if it has no such split.
        """
        if not self.voc_root:
            raise UserError(
                "VOC 2007 is not here. Get it: python -m model.voc download --data data"
            )
        return read_split(self.voc_root, split)
