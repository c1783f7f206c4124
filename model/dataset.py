"""Annotations + pixel cache + augmentation -> batches."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from model.augment import AugmentConfig, Pipeline, Sample, photo_seed, working_side
from model.errors import UserError
from model.pixel_cache import PixelCache
from model.voc import VocSplit, objects_of

MAX_OBJECTS = 20
SEEN_AS_OBJECT = 0.3  # other objects cut below this share are nobody's answer


class LargestObjectDataset(Dataset):
    """``dataset[i] -> (image, (bbox_xyxy, class_id))``.

    image float32 ``(3, S, S)`` normalised; bbox_xyxy float32 ``(4,)`` in pixels of the S canvas;
    class_id int64. With ``all_objects`` a third item follows: float32 ``(20, 5)``, class id and box
    of every object that is not difficult, largest first, padded with class -1.

    What is drawn for a photo depends on ``seed``, the epoch and the photo alone: not on the batch
    size, the number of workers or processes, or on what came before.

    Args:
        split: from :func:`model.voc.read_split`.
        image_size: side S of the canvas.
        augment: ``None`` is no augmentation.
        seed: of the augmentation.
        cache_dir: see :class:`model.pixel_cache.PixelCache`.
        all_objects: see above.
        progress: show a bar while the cache is built.
    """

    def __init__(
        self,
        split: VocSplit,
        image_size: int = 224,
        augment: AugmentConfig | None = None,
        seed: int = 0,
        cache_dir: Path | None = None,
        all_objects: bool = False,
        progress: bool = True,
    ) -> None:
        self.class_names = split.class_names
        self.files = [split.image_folder / name for name in split.frame.file_name]
        self.frame: pd.DataFrame = split.frame
        self.pipeline = Pipeline(augment or AugmentConfig.none(), image_size)
        self.seed = seed
        self.all_objects = all_objects
        self.targets = [_boxes_and_classes(r, split.class_names) for r in split.frame.itertuples()]
        self.cache = PixelCache(self.files, working_side(image_size), cache_dir, progress)
        # Shared memory: workers that live for several epochs see the epoch change, and we see what
        # they counted. One row a photo, so that no two workers write to the same place.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._lost = torch.zeros((len(self.files), 2), dtype=torch.bool).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Draw anew, and count lost boxes anew: call it before every epoch."""
        self._epoch.fill_(epoch)
        self._lost.zero_()

    @property
    def lost(self) -> Tensor:
        """bool ``(photos, 2)``: this epoch's photos whose box was drawn again, or given up."""
        return self._lost

    def lost_boxes(self) -> tuple[int, int]:
        """Photos of this epoch whose box got lost and was drawn again; and those given up."""
        redrawn, gave_up = self._lost.sum(dim=0).tolist()
        return redrawn, gave_up

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple:
        sample, class_ids = self.sample(index)
        item = (sample.image, (sample.bbox_xyxy[0], class_ids[0]))
        return (*item, _padded_objects(sample, class_ids)) if self.all_objects else item

    def sample(self, index: int) -> tuple[Sample, Tensor]:
        """The augmented photo with its boxes, and their class ids ``(N,)``; row 0 the target."""
        image, boxes, class_ids = self.photo(index)
        sample = self.pipeline(image, boxes, self.photo_seed(index))
        self._lost[index] = torch.tensor([sample.redraws > 0, sample.gave_up])
        return sample, class_ids

    def photo(self, index: int) -> tuple:
        """What goes into the pipeline: RGB photo, boxes ``(N, 4)`` in its pixels, class ids."""
        image = self.cache[index]
        boxes, class_ids, (width, height) = self.targets[index]
        scale = torch.tensor([image.width / width, image.height / height]).repeat(2)
        return image, boxes * scale, class_ids

    def photo_seed(self, index: int) -> int:
        """Seed of this photo in this epoch; the trace of it with this seed is what trains."""
        return photo_seed(self.seed, int(self._epoch), self.files[index].name)


def _boxes_and_classes(row, class_names: tuple[str, ...]) -> tuple[Tensor, Tensor, tuple[int, int]]:
    objects = [o for o in objects_of(row) if not o.difficult]
    objects.sort(key=lambda o: -o.area)  # stable: ties stay in file order, as in VocImage.largest
    try:
        class_ids = torch.tensor([class_names.index(o.class_name) for o in objects])
    except ValueError as error:
        raise UserError(
            f"{row.file_name}: {error}. The classes are: {', '.join(class_names)}."
        ) from None
    boxes = torch.tensor([o.bbox_xyxy for o in objects], dtype=torch.float32)
    return boxes, class_ids, (row.width, row.height)


def _padded_objects(sample: Sample, class_ids: Tensor) -> Tensor:
    kept = sample.visible >= SEEN_AS_OBJECT
    kept[0] = True
    rows = torch.cat([class_ids[:, None].float(), sample.bbox_xyxy], dim=1)[kept][:MAX_OBJECTS]
    padded = torch.full((MAX_OBJECTS, 5), -1.0)
    padded[: len(rows)] = rows
    return padded


class EpochSampler(Sampler[int]):
    """A permutation that depends on ``(seed, epoch)`` alone, so that resuming repeats it."""

    def __init__(self, length: int, seed: int) -> None:
        self.length, self.seed, self.epoch = length, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(torch.randperm(self.length, generator=generator).tolist())


def stack_channels_last(items: list[tuple]) -> list:
    """``default_collate``, with the images ``(N, 3, S, S)`` in channels-last memory order.

    It is the order of decoded photos and the one convolutions are fastest in: nothing is turned.
    """
    images, *rest = default_collate([(image.permute(1, 2, 0), *item) for image, *item in items])
    return [images.permute(0, 3, 1, 2), *rest]


def train_loader(
    dataset: LargestObjectDataset, batch_size: int, seed: int = 0, num_workers: int = 0
) -> DataLoader:
    """Shuffled mini-batches; the ragged last one is dropped (another one every epoch)."""
    if len(dataset) < batch_size:
        raise UserError(
            f"the split has {len(dataset)} images, fewer than one batch of {batch_size}."
            " Choose a smaller batch size."
        )
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=EpochSampler(len(dataset), seed),
        drop_last=True,
        collate_fn=stack_channels_last,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        worker_init_fn=_leave_the_process_group,
        pin_memory=torch.cuda.is_available(),
    )


def _leave_the_process_group(_worker_id: int) -> None:
    # Ctrl-C and `timeout` signal the whole group, but it is the training loop that decides when to
    # stop. Its own handlers came along with the fork; without them the parent can end the worker.
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def eval_loader(
    dataset: LargestObjectDataset, batch_size: int = 64, num_workers: int = 0
) -> DataLoader:
    """All images in order, once."""
    return DataLoader(
        dataset, batch_size=batch_size, collate_fn=stack_channels_last, num_workers=num_workers
    )
