"""Photos of none of the classes: windows of VOC photos that touch no annotated object."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from model.boxes import BoxXyxy
from model.data.empty_window import largest_empty_window
from model.data.records import objects_of
from model.loading.dataset import DetectionDataset, EpochDataset, LargestObjectDataset


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
        """See :attr:`model.loading.dataset.EpochDataset.lost`."""
        return self.photos.lost

    def set_epoch(self, epoch: int) -> None:
        """See :meth:`model.loading.dataset.EpochDataset.set_epoch`."""
        self.photos.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.photos) + self.count

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        if index < len(self.photos):
            return self.photos[index]
        place = index - len(self.photos) + self.photos.epoch * self.count
        return self.windows[place % len(self.windows)]
