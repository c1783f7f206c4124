"""Training on close-ups: windows around single objects, as a second look predicts for."""

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

FACTORS = (1.3, 2.5)  # range of the window's sides over those of the object's box
UNEVEN = 0.18  # each side is longer or shorter by up to this share
OFF_CENTRE = 0.15  # largest offset of the window, as a share of the object's sides
LEAST = 0.2  # smallest side of a window as a share of the photo's, as for a second look
LARGEST_CHOSEN = 0.6  # chance that the target is the largest object, else any of them
MIN_SIDE = 24  # pixels; close-ups of smaller objects show no more detail


class WithCloseUps(DetectionDataset):
    """Photos, some of which are replaced every epoch by a window around one of their objects.

    That object is the target, even if the window shows a larger one. Which photos and windows are
    drawn depends on ``seed``, the epoch and the photo, as the augmentation does.

    Args:
        split, image_size, augment, seed, cache_dir, progress: see
            :class:`model.loading.dataset.LargestObjectDataset`.
        share: of photos that are replaced; if above 0, photos are also cached at twice the size.
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
        chance, *draws = uniforms(np.array([seed], np.uint64), "close_up", 8)[0]
        close_up = None
        if self.large and chance < self.share:
            close_up = self._close_up(index, self.large[index], np.array(draws))
        return close_up or self.photo(index)

    def _close_up(self, index: int, photo: Image.Image, draws: np.ndarray) -> PhotoWithBoxes | None:
        """A window drawn by seven numbers in 0..1; ``None`` if every object is too small."""
        objects = self.objects[index]
        boxes = objects.boxes * (torch.tensor([photo.width, photo.height] * 2) / objects.sides)
        large_enough = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= MIN_SIDE
        chosen = _choose(large_enough.nonzero().flatten().tolist(), *draws[:2])
        if chosen is None:
            return None
        window = _window(boxes[chosen].numpy(), photo.size, draws[2:])
        close_up = _cut(photo, boxes, objects.labels, chosen, window)
        side = working_side(self.pipeline.image_size)
        image = load_fitted(close_up.image, side).image
        scale = torch.tensor([*image.size] * 2) / torch.tensor([*close_up.image.size] * 2)
        return close_up._replace(image=image, boxes=close_up.boxes * scale)


def _choose(usable: list[int], chance: float, uniform: float) -> int | None:
    """One of ``usable``, largest first, drawn by two random numbers in 0..1."""
    if not usable:
        return None
    return usable[0 if chance < LARGEST_CHOSEN else int(uniform * len(usable))]


def _window(box: np.ndarray, size: tuple[int, int], draws: np.ndarray) -> tuple[int, int, int, int]:
    """A window around a box, in whole pixels of the photo.

    Args:
        box: ``(4,)`` in pixels of the photo.
        size: width and height of the photo.
        draws: five numbers in 0..1.
    """
    across, down, width, *uneven = draws
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
