"""Photos of none of the classes: windows of VOC photos that touch no annotated object."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.utils.data import Dataset

from model.boxes import BoxXyxy
from model.data.dataset import DetectionDataset, EpochDataset, LargestObjectDataset
from model.data.voc import objects_of

MIN_SHARE = 0.3  # of the photo: smaller windows show little but blur


def largest_empty_window(
    boxes: Sequence[BoxXyxy], width: float, height: float, min_share: float = MIN_SHARE
) -> BoxXyxy | None:
    """The largest window of a photo that overlaps none of the boxes.

    The sides of the largest empty rectangle lie on sides of boxes or of the photo, so trying all of
    these finds it.

    Args:
        boxes: ``xyxy`` of every object in pixels, difficult ones too.
        width: of the photo in pixels.
        height: of the photo in pixels.
        min_share: smallest share of the photo's area that counts.

    Returns:
        ``xyxy`` in pixels, or ``None`` if no window is large enough.

    Example:
        >>> largest_empty_window([(0, 0, 50, 100)], 100, 100)
        (50, 0, 100, 100)
    """
    xs = sorted({0, width, *(side for box in boxes for side in (box[0], box[2]))})
    ys = sorted({0, height, *(side for box in boxes for side in (box[1], box[3]))})
    best, best_area = None, min_share * width * height
    for left, right in combinations(xs, 2):
        rivals = [box for box in boxes if box[0] < right and box[2] > left]
        for top, bottom in combinations(ys, 2):
            area = (right - left) * (bottom - top)
            if area >= best_area and not any(b[1] < bottom and b[3] > top for b in rivals):
                best, best_area = (left, top, right, bottom), area
    return best


class NegativeWindows(Dataset):
    """``dataset[i] -> (image, target)`` with a target that holds no object.

    Args:
        photos: the photos to cut from, at most one window each; its augmentation is applied to the
            window.
    """

    def __init__(self, photos: LargestObjectDataset) -> None:
        self.photos = photos
        self.windows: list[tuple[int, BoxXyxy]] = []
        for index, row in enumerate(photos.frame.itertuples()):
            boxes = [o.bbox_xyxy for o in objects_of(row)]
            known = photos.objects[index]
            if window := largest_empty_window(boxes, known.width, known.height):
                self.windows.append((index, window))

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        photo_index, window = self.windows[index]
        image, _, _ = self.photos.photo(photo_index)
        known = self.photos.objects[photo_index]
        scale = (image.width / known.width, image.height / known.height) * 2
        x1, y1, x2, y2 = (round(side * s) for side, s in zip(window, scale, strict=True))
        cut = image.crop((x1, y1, x2, y2))
        everything = torch.tensor([[0.0, 0.0, cut.width, cut.height]])
        sample = self.photos.pipeline(cut, everything, self.photos.photo_seed(photo_index))
        nothing = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64)}
        return sample.image, nothing


class WithNegatives(EpochDataset):
    """The photos of an epoch, and with them some windows without any object.

    Args:
        photos: come first; their order and what is drawn for them stay as they are.
        share: windows for every photo; every epoch takes others, as far as there are enough.
    """

    def __init__(self, photos: DetectionDataset, share: float) -> None:
        self.photos = photos
        self.windows = NegativeWindows(photos) if share else []
        self.count = min(round(share * len(photos)), len(self.windows))

    @property
    def lost(self) -> Tensor:
        """See :attr:`model.data.dataset.EpochDataset.lost`."""
        return self.photos.lost

    def set_epoch(self, epoch: int) -> None:
        """See :meth:`model.data.dataset.EpochDataset.set_epoch`."""
        self.photos.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.photos) + self.count

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        if index < len(self.photos):
            return self.photos[index]
        place = index - len(self.photos) + self.photos.epoch * self.count
        return self.windows[place % len(self.windows)]
