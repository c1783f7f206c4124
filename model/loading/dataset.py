"""Annotations, pixel cache and augmentation -> batches."""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from model.augment import AugmentConfig, Pipeline, Sample, photo_seed, working_side
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.data.images import load_fitted
from model.data.pixel_cache import PixelCache, refuse_without_room
from model.data.records import DatasetSplit, objects_of
from model.errors import UserError
from model.second_look import DETAIL
from model.words import counted

SHOWN = 10  # how many undecodable photos are named


class EpochDataset(Dataset[tuple[Tensor, Any]], Sized, ABC):
    """A training set, whose augmentation changes from epoch to epoch."""

    @property
    @abstractmethod
    def lost(self) -> Tensor:
        """bool ``(photos, 2)``: whose box was lost in this epoch and drawn again, or given up."""

    @abstractmethod
    def set_epoch(self, epoch: int) -> None:
        """Change the augmentation and reset :attr:`lost`; to be called before every epoch."""


class LargestObjectDataset(EpochDataset):
    """``dataset[i] -> (image, (bbox_xyxy, class_id))``, as the tutorial has it.

    image float32 ``(3, S, S)`` normalised; bbox_xyxy float32 ``(4,)`` in pixels of the S canvas;
    class_id int64.

    The augmentation of a photo depends only on ``seed``, the epoch and the photo: not on the batch
    size, the number of workers or processes, or earlier photos.

    Photos that cannot be decoded are left out.

    Attributes:
        frame: the photos with a target, see :class:`model.data.records.DatasetSplit`.
        backgrounds: photos that show none of the classes; they are no items of the data set, see
            :meth:`background`.
        unreadable: name of a photo or background that is left out -> the reason.

    Args:
        split: from :func:`model.data.dataset.read_split`.
        image_size: side S of the canvas.
        augment: ``None`` for no augmentation.
        seed: of the augmentation.
        cache_dir: see :class:`model.data.pixel_cache.PixelCache`.
        progress: show a bar while the cache is built.

    Raises:
        UserError: if no photo with an object can be decoded, a photo is missing, or the disk has
            no room for the cache.
    """

    def __init__(
        self,
        split: DatasetSplit,
        image_size: int = 224,
        augment: AugmentConfig | None = None,
        seed: int = 0,
        cache_dir: str | Path | None = None,
        progress: bool = True,
    ) -> None:
        self.class_names = split.class_names
        self.image_folder = split.image_folder
        self.pipeline = Pipeline(augment or AugmentConfig.none(), image_size)
        self.seed = seed
        side = working_side(image_size)
        refuse_without_room([split], side, cache_dir)
        self.cache = PixelCache(split.files, side, cache_dir, progress)
        names = split.table.file_name.tolist()
        self.unreadable = {names[i]: why for i, why in self.cache.unreadable.items()}
        self.frame: pd.DataFrame = _without(split.frame, self.unreadable)
        self.backgrounds: pd.DataFrame = _without(split.backgrounds, self.unreadable)
        if self.frame.empty:
            raise UserError(f"no photo with an object is left: {self.left_out()}")
        # Positions in the cache: photos, then backgrounds.
        self._places = [i for i in range(len(names)) if i not in self.cache.unreadable]
        self.files = [split.image_folder / name for name in self.frame.file_name]
        self.objects = [_annotated(row, split.class_names) for row in self.frame.itertuples()]
        # Shared memory: persistent workers see the epoch change, and the main process sees the
        # flags they set. One row per photo, so that no two workers write to the same place.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._lost = torch.zeros((len(self.files), 2), dtype=torch.bool).share_memory_()

    @property
    def epoch(self) -> int:
        """Counted from 0; see :meth:`set_epoch`."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """See :meth:`EpochDataset.set_epoch`."""
        self._epoch.fill_(epoch)
        self._lost.zero_()

    @property
    def lost(self) -> Tensor:
        """See :attr:`EpochDataset.lost`."""
        return self._lost

    def left_out(self) -> str:
        """A sentence naming the photos that cannot be decoded; empty if all can."""
        if not self.unreadable:
            return ""
        names, more = [*self.unreadable][:SHOWN], len(self.unreadable) - SHOWN
        rest = f" and {more:,} more" if more > 0 else ""
        return (
            f"left out {counted(len(self.unreadable), 'photo')} that cannot be decoded"
            f" (python -m model.dataset check --decode yes says why): {', '.join(names)}{rest}."
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        sample, labels = self.sample(index)
        return sample.image, (sample.bbox_xyxy[0], labels[0])

    def sample(self, index: int) -> tuple[Sample, Tensor]:
        """The augmented photo with its boxes, and their class ids ``(N,)``; row 0 is the target."""
        return self.augmented(index, self.shown(index))

    def shown(self, index: int) -> "PhotoWithBoxes":
        """The photo, or part of it, that is augmented in this epoch."""
        return self.photo(index)

    def augmented(self, index: int, photo: "PhotoWithBoxes") -> tuple[Sample, Tensor]:
        """Augment what :meth:`shown` returned for a photo."""
        sample = self.pipeline(photo.image, photo.boxes, self.photo_seed(index))
        self._lost[index] = torch.tensor([sample.redraws > 0, sample.gave_up])
        return sample, photo.labels

    def photo(self, index: int) -> "PhotoWithBoxes":
        """The decoded photo, as large as the cache has it, with its boxes."""
        image = self.cache[self._places[index]]
        objects = self.objects[index]
        scale = torch.tensor([image.width, image.height] * 2) / objects.sides
        return PhotoWithBoxes(image, objects.boxes * scale, objects.labels)

    def detail(self, index: int) -> Image.Image:
        """The photo, read from its file at the size from which a second look cuts its window."""
        return self.read_detail(self.files[index])

    def read_detail(self, file: Path) -> Image.Image:
        """See :meth:`detail`."""
        return load_fitted(file, DETAIL * working_side(self.pipeline.image_size)).image

    def photo_seed(self, index: int) -> int:
        """Seed of this photo in this epoch: a trace with it shows what training gets."""
        return photo_seed(self.seed, self.epoch, self.files[index].name)

    def background(self, index: int) -> tuple[Image.Image, int]:
        """A photo that shows none of the classes, RGB, and its seed in this epoch."""
        name = Path(self.backgrounds.file_name[index]).name
        image = self.cache[self._places[len(self.files) + index]]
        return image, photo_seed(self.seed, self.epoch, name)


class DetectionDataset(LargestObjectDataset):
    """``dataset[i] -> (image, target)``, as torchvision's detection models take them.

    The target holds every object that is not difficult, the largest first: ``boxes`` float32
    ``(N, 4)`` in pixels of the canvas, ``labels`` int64 ``(N,)``. Objects that the augmentation
    moved out of the picture are left out, except the largest, which always comes first.
    """

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        sample, labels = self.sample(index)
        kept = sample.visible >= MIN_VISIBLE_TO_LABEL
        kept[0] = True
        target = {"boxes": sample.bbox_xyxy[kept], "labels": labels[kept]}
        return sample.image, target


class PhotoWithBoxes(NamedTuple):
    """A photo, or a window of one, and the objects in it.

    Attributes:
        image: RGB.
        boxes: ``(N, 4)`` float32 in its pixels; row 0 is the target.
        labels: ``(N,)`` int64 class ids.
    """

    image: Image.Image
    boxes: Tensor
    labels: Tensor


class Annotated(NamedTuple):
    """The objects of a photo that are not difficult, the largest first.

    Attributes:
        boxes: ``(N, 4)`` float32 in pixels of the original photo.
        labels: ``(N,)`` int64 class ids.
        width, height: of the original photo in pixels.
    """

    boxes: Tensor
    labels: Tensor
    width: int
    height: int

    @property
    def sides(self) -> Tensor:
        """``(4,)``: width and height, twice; boxes divided by it are shares of the photo."""
        return torch.tensor([self.width, self.height] * 2, dtype=torch.float32)


def _without(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    return frame[~frame.file_name.isin(list(names))].reset_index(drop=True)


def _annotated(row: Any, class_names: tuple[str, ...]) -> Annotated:
    objects = [o for o in objects_of(row) if not o.difficult]
    objects.sort(key=lambda o: -o.area)  # stable: ties stay in file order, as in .largest
    try:
        labels = torch.tensor([class_names.index(o.class_name) for o in objects])
    except ValueError as error:
        raise UserError(
            f"{row.file_name}: {error}. The classes are: {', '.join(class_names)}."
        ) from None
    boxes = torch.tensor([o.bbox_xyxy for o in objects], dtype=torch.float32)
    return Annotated(boxes, labels, row.width, row.height)


class EpochSampler(Sampler[int]):
    """A permutation that depends only on ``(seed, epoch)``, so that resuming repeats it."""

    def __init__(self, length: int, seed: int) -> None:
        self.length, self.seed, self.epoch = length, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Change the permutation."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(torch.randperm(self.length, generator=generator).tolist())


class Batch(NamedTuple):
    """A batch of N photos.

    Attributes:
        images: ``(N, 3, S, S)`` float32, normalised.
        targets: of the N images; see :func:`collate`.
    """

    images: Tensor
    targets: Any


def collate(items: list[tuple[Tensor, Any]]) -> Batch:
    """``(image, target)`` of each item -> a batch.

    Targets that are dicts stay a list, since photos have different numbers of objects; others are
    stacked. The images are channels-last in memory, as decoded photos are and as convolutions are
    fastest.
    """
    images = torch.stack([image.permute(1, 2, 0) for image, _ in items]).permute(0, 3, 1, 2)
    targets = [target for _, target in items]
    return Batch(images, targets if isinstance(targets[0], dict) else default_collate(targets))


def train_loader(
    dataset: EpochDataset, batch_size: int, seed: int = 0, num_workers: int = 0
) -> DataLoader:
    """Shuffled batches; an incomplete last batch is dropped (with other photos every epoch)."""
    if len(dataset) < batch_size:
        raise UserError(
            f"the split has {counted(len(dataset), 'image')}, fewer than one batch of"
            f" {batch_size}. Choose a smaller batch size."
        )
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=EpochSampler(len(dataset), seed),
        drop_last=True,
        collate_fn=collate,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        worker_init_fn=_leave_the_process_group,
        pin_memory=torch.cuda.is_available(),
    )


def _leave_the_process_group(_worker_id: int) -> None:
    # Ctrl-C and `timeout` signal the whole process group, but the training loop decides when to
    # stop. The fork inherited its signal handlers; without them the parent can end the worker.
    if hasattr(os, "setpgid"):  # not on Windows, whose workers are not forked either
        os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def eval_loader(dataset: Dataset, batch_size: int = 64, num_workers: int = 0) -> DataLoader:
    """All images in order, once."""
    return DataLoader(dataset, batch_size=batch_size, collate_fn=collate, num_workers=num_workers)
