"""Records of photos and their objects, the same for all formats; rows of the CSV.

Boxes are 0-based and half-open, in pixels of the upright photo. Objects marked ``difficult`` are
never the target. A photo without any object is a background.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from model.classes import VOC_CLASSES

CSV_COLUMNS = [
    "file_name", "split", "width", "height", "class_name", "xmin", "ymin", "xmax", "ymax",
    "n_objects", "area_fraction", "objects",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ObjectAnnotation:
    """One annotated object; ``bbox_xyxy`` 0-based half-open pixels of the upright photo."""

    class_name: str
    bbox_xyxy: tuple[float, float, float, float]
    difficult: bool = False

    @property
    def area(self) -> float:
        """Pixel area of the box."""
        x1, y1, x2, y2 = self.bbox_xyxy
        return max(0.0, x2 - x1) * max(0.0, y2 - y1)


@dataclass(frozen=True, slots=True)
class ImageAnnotation:
    """A photo's file name, its upright size in pixels, and its objects in the order of the file."""

    file_name: str
    width: int
    height: int
    objects: tuple[ObjectAnnotation, ...]

    @property
    def largest(self) -> ObjectAnnotation | None:
        """The target: largest pixel area, never a difficult one, ties to the first in the file."""
        return max((o for o in self.objects if not o.difficult), key=lambda o: o.area, default=None)


@dataclass
class DatasetSplit:
    """A split read from disk.

    Attributes:
        frame: one row an image with a target, columns :data:`CSV_COLUMNS`. ``objects`` is JSON: a
            list of ``[class_name, xmin, ymin, xmax, ymax, difficult]``, so that the CSV holds
            every box and reads back whole.
        image_folder: where ``file_name`` lies; a path below it if photos lie in several folders.
        n_only_difficult: images left out because they hold nothing but difficult objects.
        class_names: of the whole data set; the position is the class id.
        backgrounds: annotated photos without any object, in the columns of ``frame``; they have
            neither class nor box.
    """

    frame: pd.DataFrame
    image_folder: Path
    n_only_difficult: int = 0
    class_names: tuple[str, ...] = VOC_CLASSES
    backgrounds: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CSV_COLUMNS))

    @property
    def table(self) -> pd.DataFrame:
        """What the CSV holds: the photos with a target, then the backgrounds."""
        if self.backgrounds.empty:
            return self.frame
        return pd.concat([self.frame, self.backgrounds], ignore_index=True)

    @property
    def files(self) -> list[Path]:
        """The photos of :attr:`table`."""
        return [self.image_folder / name for name in self.table.file_name]


def row_of(image: ImageAnnotation, split: str) -> dict[str, object] | None:
    """The CSV row of a photo, under :data:`CSV_COLUMNS`; ``None`` if all objects are difficult.

    A photo without objects has the class "" and NaN for a box.
    """
    target = image.largest
    if target is None and image.objects:
        return None
    xmin, ymin, xmax, ymax = target.bbox_xyxy if target else (math.nan,) * 4
    share = target.area / (image.width * image.height) if target else 0.0
    return {
        "file_name": image.file_name, "split": split,
        "width": image.width, "height": image.height,
        "class_name": target.class_name if target else "",
        "xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax,
        "n_objects": len(image.objects),
        "area_fraction": round(share, 6),
        "objects": json.dumps(rows_from(image.objects)),
    }  # fmt: skip


def objects_of(row: "pd.Series | object") -> list[ObjectAnnotation]:
    """All objects of a frame's row (also of a ``itertuples`` row), in file order."""
    return objects_from(json.loads(row.objects))  # type: ignore[union-attr]


def rows_from(objects: Iterable[ObjectAnnotation]) -> list[list[Any]]:
    """Objects as JSON has them: ``[class_name, xmin, ymin, xmax, ymax, difficult]`` each."""
    return [[o.class_name, *o.bbox_xyxy, int(o.difficult)] for o in objects]


def objects_from(rows: Iterable[Sequence[Any]]) -> list[ObjectAnnotation]:
    """The inverse of :func:`rows_from`."""
    return [
        ObjectAnnotation(name, (x1, y1, x2, y2), bool(difficult))
        for name, x1, y1, x2, y2, difficult in rows
    ]


def box_xywh_to_xyxy(bbox_xywh: Iterable[float]) -> tuple[float, float, float, float]:
    """The tutorial's ``x, y, width, height`` as top-left and bottom-right corners.

    Example:
        >>> box_xywh_to_xyxy((10, 20, 30, 40))
        (10, 20, 40, 60)
    """
    x, y, width, height = bbox_xywh
    return x, y, x + width, y + height
