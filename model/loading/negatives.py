"""Images without object: backgrounds, and windows of photos that touch no object."""

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from model.boxes import BoxXyxy
from model.data.empty_window import largest_empty_window
from model.data.records import objects_of
from model.loading.dataset import DetectionDataset, EpochDataset, LargestObjectDataset
from model.words import counted


class Backgrounds(Dataset):
    """``dataset[i] -> (image, target)``: a background, and a target without objects.

    Args:
        photos: the data set whose readable backgrounds these are; its augmentation is applied.
    """

    def __init__(self, photos: LargestObjectDataset) -> None:
        self.photos = photos

    def __len__(self) -> int:
        return len(self.photos.backgrounds)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        image, seed = self.photos.background(index)
        return _without_object(self.photos, image, seed)

    def detail(self, index: int) -> Image.Image:
        """See :meth:`model.loading.dataset.LargestObjectDataset.detail`."""
        name = self.photos.backgrounds.file_name[index]
        return self.photos.read_detail(self.photos.image_folder / name)


class NegativeWindows(Dataset):
    """``dataset[i] -> (image, target)``: a window, and a target without objects.

    Args:
        photos: the photos to cut from, at most one window each; its augmentation is applied to the
            window.
        count: of windows, at most; by default as many as there are.
    """

    def __init__(self, photos: LargestObjectDataset, count: int | None = None) -> None:
        self.photos = photos
        self.windows: list[tuple[int, BoxXyxy]] = []
        for index, row in enumerate(photos.frame.itertuples()):
            if len(self.windows) == count:
                break
            boxes = [o.bbox_xyxy for o in objects_of(row)]
            photo = photos.objects[index]
            if window := largest_empty_window(boxes, photo.width, photo.height):
                self.windows.append((index, window))

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        photo_index, _ = self.windows[index]
        image = self.photos.photo(photo_index).image
        seed = self.photos.photo_seed(photo_index)
        return _without_object(self.photos, self._cut(index, image), seed)

    def detail(self, index: int) -> Image.Image:
        """See :meth:`model.loading.dataset.LargestObjectDataset.detail`."""
        photo_index, _ = self.windows[index]
        return self._cut(index, self.photos.detail(photo_index))

    def _cut(self, index: int, image: Image.Image) -> Image.Image:
        photo_index, window = self.windows[index]
        photo = self.photos.objects[photo_index]
        scale = (image.width / photo.width, image.height / photo.height) * 2
        x1, y1, x2, y2 = (round(side * s) for side, s in zip(window, scale, strict=True))
        return image.crop((x1, y1, x2, y2))


def _without_object(
    photos: LargestObjectDataset, image: Image.Image, seed: int
) -> tuple[Tensor, dict[str, Tensor]]:
    everything = torch.tensor([[0.0, 0.0, image.width, image.height]])
    sample = photos.pipeline(image, everything, seed)
    nothing = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64)}
    return sample.image, nothing


class WithNegatives(EpochDataset):
    """The photos of a data set, followed by some images without object.

    Backgrounds are used first, and windows only if there are too few. Every epoch takes others, if
    there are enough.

    Args:
        photos: their order and augmentation do not change.
        share: images without object per photo.
    """

    def __init__(self, photos: DetectionDataset, share: float) -> None:
        self.photos = photos
        wanted = round(share * len(photos))
        self.backgrounds = Backgrounds(photos)
        self.n_backgrounds = min(wanted, len(self.backgrounds))
        wanted -= self.n_backgrounds
        # All windows, so that every epoch can take others; the search is skipped if none is needed.
        self.windows = NegativeWindows(photos) if wanted else []
        self.n_windows = min(wanted, len(self.windows))

    @property
    def lost(self) -> Tensor:
        """See :attr:`model.loading.dataset.EpochDataset.lost`."""
        return self.photos.lost

    def set_epoch(self, epoch: int) -> None:
        """See :meth:`model.loading.dataset.EpochDataset.set_epoch`."""
        self.photos.set_epoch(epoch)

    def in_words(self) -> str:
        """A sentence on the number of images without object by kind; empty if there are none."""
        parts = [
            f"{shown:,} of {counted(total, name)}"
            for name, shown, total in (
                ("background", self.n_backgrounds, len(self.backgrounds)),
                ("empty window", self.n_windows, len(self.windows)),
            )
            if total
        ]
        return f"without object, an epoch shows {' and '.join(parts)}" if parts else ""

    def __len__(self) -> int:
        return len(self.photos) + self.n_backgrounds + self.n_windows

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        offset, epoch = index - len(self.photos), self.photos.epoch
        if offset < 0:
            return self.photos[index]
        if offset < self.n_backgrounds:
            return self.backgrounds[(offset + epoch * self.n_backgrounds) % len(self.backgrounds)]
        offset += epoch * self.n_windows - self.n_backgrounds
        return self.windows[offset % len(self.windows)]
