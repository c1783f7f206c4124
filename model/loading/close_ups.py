"""Photos seen as a second look sees them: a window around one of their objects."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.augment import AugmentConfig, working_side
from model.augment.streams import uniforms
from model.boxes import box_areas, clip_boxes
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.data.images import load_fitted
from model.data.pixel_cache import PixelCache
from model.data.records import DatasetSplit
from model.loading.dataset import DetectionDataset, PhotoWithBoxes
from model.second_look import DETAIL

FACTORS = (1.3, 2.5)  # sides of a window over those of the object's box, from and to
UNEVEN = 0.18  # each side is made so much longer or shorter
OFF_CENTRE = 0.15  # of the object's sides: a first look does not hit the middle
LEAST = 0.2  # of the photo's sides: what a second look shows at least
LARGEST_CHOSEN = 0.6  # so often the largest object is in the middle, else any of them
MIN_SIDE = 24  # pixels of the object; of less there is nothing more to see from close


class WithCloseUps(DetectionDataset):
    """Every epoch, some photos are replaced by a window around one of their objects.

    It is the target then, whatever else is in the window. Which photos, and which windows, depends
    on ``seed``, the epoch and the photo, as what is drawn for a whole photo does.

    Args:
        split, image_size, augment, seed, cache_dir, progress: see
            :class:`model.loading.dataset.LargestObjectDataset`.
        share: of the photos; with any they are cached at twice the size as well.
    """

    def __init__(
        self,
        split: DatasetSplit,
        image_size: int = 224,
        augment: AugmentConfig | None = None,
        seed: int = 0,
        cache_dir: str | Path | None = None,
        progress: bool = True,
        share: float = 0.25,
    ) -> None:
        super().__init__(split, image_size, augment, seed, cache_dir, progress)
        self.share = share
        side = DETAIL * working_side(image_size)
        self.large = PixelCache(self.files, side, cache_dir, progress) if share else None

    def shown(self, index: int) -> PhotoWithBoxes:
        """See :meth:`model.loading.dataset.LargestObjectDataset.shown`."""
        seed = self.photo_seed(index)
        whether, *drawn = uniforms(np.array([seed], np.uint64), "close_up", 8)[0]
        close_up = None
        if self.large and whether < self.share:
            close_up = self._close_up(index, self.large[index], np.array(drawn))
        return close_up or self.photo(index)

    def _close_up(self, index: int, photo: Image.Image, drawn: np.ndarray) -> PhotoWithBoxes | None:
        """The window that was drawn; ``None`` if no object has enough pixels."""
        known = self.objects[index]
        boxes = known.boxes * (torch.tensor([photo.width, photo.height] * 2) / known.sides)
        large_enough = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= MIN_SIDE
        chosen = _choose(large_enough.nonzero().flatten().tolist(), drawn[0], drawn[1])
        if chosen is None:
            return None
        window = _window(boxes[chosen].numpy(), photo.size, drawn[2:])
        close_up = _cut(photo, boxes, known.labels, chosen, window)
        side = working_side(self.pipeline.image_size)
        image = load_fitted(close_up.image, side).image
        scale = torch.tensor([*image.size] * 2) / torch.tensor([*close_up.image.size] * 2)
        return close_up._replace(image=image, boxes=close_up.boxes * scale)


def _choose(usable: list[int], whether_largest: float, which: float) -> int | None:
    """One of the objects ``usable``, the largest of which comes first."""
    if not usable:
        return None
    return usable[0 if whether_largest < LARGEST_CHOSEN else int(which * len(usable))]


def _window(box: np.ndarray, size: tuple[int, int], drawn: np.ndarray) -> tuple[int, int, int, int]:
    """A window around a box, in whole pixels of the photo.

    Args:
        box: ``(4,)`` in pixels of the photo.
        size: width and height of the photo.
        drawn: five numbers from 0 to 1.
    """
    across, down, width, *uneven = drawn
    sides, extent = box[2:] - box[:2], np.array(size)
    centre = (box[:2] + box[2:]) / 2 + (2 * np.array([across, down]) - 1) * OFF_CENTRE * sides
    factor = FACTORS[0] + width * (FACTORS[1] - FACTORS[0])
    stretch = 1 + UNEVEN * (2 * np.array(uneven) - 1)
    half = np.maximum(sides * factor * stretch, LEAST * extent) / 2
    first = np.clip(np.round(centre - half), 0, extent - 1)
    last = np.clip(np.round(centre + half), first + 1, extent)
    left, top, right, bottom = (int(v) for v in (*first, *last))
    return left, top, right, bottom


def _cut(
    photo: Image.Image,
    boxes: Tensor,
    labels: Tensor,
    chosen: int,
    window: tuple[int, int, int, int],
) -> PhotoWithBoxes:
    left, top, right, bottom = window
    moved = boxes - torch.tensor([left, top, left, top])
    cut = clip_boxes(moved, (bottom - top, right - left))
    visible = box_areas(cut) / box_areas(boxes).clamp(min=1e-6)
    others = [i for i in range(len(boxes)) if i != chosen and visible[i] >= MIN_VISIBLE_TO_LABEL]
    order = [chosen, *others]
    return PhotoWithBoxes(photo.crop(window), cut[order], labels[order])
