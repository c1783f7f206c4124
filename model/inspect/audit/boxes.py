"""All boxes of a split in a few arrays, as training passes them to the augmentation."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from model.augment import photo_seed
from model.canvas import working_side
from model.data.image_pixels import fitted_size
from model.data.records import DatasetSplit, objects_of


@dataclass(frozen=True)
class BoxTable:
    """B boxes of P photos; boxes of a photo are adjacent, its target first.

    Attributes:
        names: ``(P,)`` file names, as in the rows of the split.
        original: ``(P, 2)`` width and height of the photos in pixels.
        sizes: ``(P, 2)`` width and height of the smaller copies that training augments.
        starts: ``(P + 1,)`` index of the first box of each photo, and B.
        boxes: ``(B, 4)`` xyxy in pixels of the copies.
        labels: ``(B,)`` class ids.
        class_names: of the whole data set.
        image_folder: folder that the file names are relative to.
        image_size: side of the network's square canvas in pixels.
    """

    names: np.ndarray
    original: np.ndarray
    sizes: np.ndarray
    starts: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    image_folder: Path
    image_size: int

    @classmethod
    def of(cls, split: DatasetSplit, image_size: int) -> "BoxTable":
        """Every photo of a split that has a target; difficult objects are left out."""
        class_ids = {name: i for i, name in enumerate(split.class_names)}
        boxes, labels, counts = [], [], []
        for row in split.frame.itertuples():
            objects = [o for o in objects_of(row) if not o.difficult]
            objects.sort(key=lambda o: -o.area)  # stable, as in training
            counts.append(len(objects))
            boxes += [o.bbox_xyxy for o in objects]
            labels += [class_ids[o.class_name] for o in objects]
        original = split.frame[["width", "height"]].to_numpy(np.int64)
        side = working_side(image_size)
        sizes = np.array([fitted_size((int(w), int(h)), side) for w, h in original], np.float64)
        # float32, as in training, so that both agree to the last digit.
        scale = sizes.astype(np.float32) / original.astype(np.float32)
        scale = np.tile(scale, 2).repeat(counts, axis=0)
        return cls(
            split.frame.file_name.to_numpy(), original, sizes, np.cumsum([0, *counts]),
            (np.array(boxes, np.float32) * scale).astype(np.float64),
            np.array(labels), split.class_names, split.image_folder, image_size,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def owners(self) -> np.ndarray:
        """``(B,)`` index of the photo of each box."""
        return np.arange(len(self)).repeat(np.diff(self.starts))

    @cached_property
    def is_target(self) -> np.ndarray:
        """``(B,)`` bool: the largest box of its photo."""
        first = np.zeros(len(self.boxes), dtype=bool)
        first[self.starts[:-1]] = True
        return first

    @cached_property
    def targets(self) -> np.ndarray:
        """``(P, 4)`` the largest box of each photo."""
        return self.boxes[self.starts[:-1]]

    @cached_property
    def area_shares(self) -> np.ndarray:
        """``(B,)`` share of its photo that each box covers."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return sides.prod(axis=1) / self.sizes.prod(axis=1)[self.owners]

    def of_photo(self, index: int) -> slice:
        """Rows of the boxes of a photo."""
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def seeds(self, seed: int, epoch: int) -> list[int]:
        """Seeds of the photos in an epoch, counted from 0, of training with ``seed``."""
        return [photo_seed(seed, epoch, name.rpartition("/")[2]) for name in self.names]

    def take(self, photos: np.ndarray) -> "BoxTable":
        """The table of some photos, by index."""
        counts = np.diff(self.starts)[photos]
        starts = np.cumsum([0, *counts])
        within = np.arange(starts[-1]) - starts[:-1].repeat(counts)
        rows = self.starts[photos].repeat(counts) + within
        return replace(
            self, names=self.names[photos], original=self.original[photos],
            sizes=self.sizes[photos], starts=starts, boxes=self.boxes[rows],
            labels=self.labels[rows],
        )  # fmt: skip
