"""Photos with a short name: the examples that come with the project, and VOC's if it is there."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import pandas as pd

from model.data.dataset import Dataset, find_data_root
from model.data.example_boxes import read_example_boxes
from model.data.image_formats import IMAGE_SUFFIXES
from model.data.images import load_fitted
from model.data.records import CSV_COLUMNS, DatasetSplit, ImageAnnotation, ObjectAnnotation, row_of
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
    objects: tuple[ObjectAnnotation, ...] = ()
    annotated: bool = False

    @property
    def largest(self) -> ObjectAnnotation | None:
        """The true target, if there is one."""
        return ImageAnnotation(self.path.name, 0, 0, self.objects).largest


def find_voc(given: str | Path | None = None) -> Path | None:
    """The folder of the data set ``given``, or of the one in a usual place, or ``None``.

    Looked for, in this order: ``$VOC_ROOT``, ``data/`` and ``VOCdevkit/`` below the working folder.

    Raises:
        UserError: if ``given`` holds no data set.
    """
    if given:
        return find_data_root(given)
    for place in filter(None, (os.environ.get("VOC_ROOT"), "data", "VOCdevkit")):
        try:
            return find_data_root(place)
        except UserError:
            continue
    return None


class PhotoLibrary:
    """Finds photos by name; reads of VOC only what is asked for.

    Args:
        voc_root: of a data set in any format, from :func:`find_voc`.
        example_folder: images that are there without it, and their ``boxes.json``.

    Raises:
        UserError: if ``boxes.json`` is bad.
    """

    def __init__(self, voc_root: Path | None, example_folder: Path = EXAMPLE_FOLDER) -> None:
        self.voc_root = voc_root
        self._dataset = Dataset(voc_root) if voc_root else None
        boxes = read_example_boxes(example_folder)
        self._examples = {
            path.stem: NamedPhoto(path.stem, path, boxes.get(path.name, ()), path.name in boxes)
            for path in sorted(example_folder.glob("*"))
            if path.suffix.lower() in IMAGE_SUFFIXES
        }
        self.split = cache(self._split)
        self._photo = lru_cache(maxsize=512)(self._read_photo)

    def get(self, name: str) -> NamedPhoto:
        """The photo called ``name``.

        Raises:
            UserError: if there is none.
        """
        if name in self._examples:
            return self._examples[name]
        if self._dataset and (photo := self._photo(name)):
            return photo
        known = ", ".join(self._examples)
        more = "" if self.voc_root else "; VOC 2007 is not here, so its photos are not either"
        raise UserError(f"there is no sample {name[:40]!r}. There is: {known}{more}.")

    def examples(self) -> Sequence[NamedPhoto]:
        """A handful to start with: those of the project, then some of VOC where it is there."""
        chosen = list(self._examples.values())
        for name in VOC_EXAMPLES if self.voc_root else ():
            if photo := self._photo(name):  # else a subset, or a data set of someone's own
                chosen.append(photo)
        return chosen

    def example_rows(self) -> pd.DataFrame:
        """The examples that come with the project as rows of a CSV, but those without a target.

        The columns are :data:`model.data.records.CSV_COLUMNS`; the split is called ``examples``.
        """
        rows = []
        for named in self._examples.values():
            width, height = load_fitted(named.path, 64).original_size  # only the size is wanted
            image = ImageAnnotation(named.path.name, width, height, named.objects)
            rows.append(row_of(image, "examples") if image.largest else None)
        return pd.DataFrame([row for row in rows if row], columns=CSV_COLUMNS)

    def _read_photo(self, name: str) -> NamedPhoto | None:
        found = self._dataset.find(name) if self._dataset else None
        if found is None:
            return None
        # Without the suffix, unless that is another photo's name.
        short = found.image.file_name.rpartition(".")[0]
        same = self._dataset.find(short) if self._dataset else None
        name = short if same and same.path == found.path else found.image.file_name
        return NamedPhoto(name, Path(found.path), found.image.objects, annotated=True)

    def _split(self, split: str) -> DatasetSplit:
        """A whole split, read once.

        Raises:
            UserError: without a data set, or if it has no such split.
        """
        if not self._dataset:
            raise UserError(
                "VOC 2007 is not here. Get it: python -m model.dataset download --data data"
            )
        return self._dataset.split(split)
