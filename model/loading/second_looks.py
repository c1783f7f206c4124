"""The windows of a second look at the photos of a data set."""

from typing import Protocol

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from model.augment import AugmentConfig, Pipeline, working_side
from model.data.images import load_fitted
from model.second_look import cut_window


class Detailed(Protocol):
    """Photos that can be read at the size from which windows are cut."""

    def detail(self, index: int) -> Image.Image:
        """An upright RGB photo."""
        ...


class SecondLooks(Dataset):
    """``dataset[i] -> (image, target)``: a window, and its position.

    The only box of the target is not an annotation but the window as it was cut, in pixels of the
    photo's canvas.

    Args:
        photos: to cut from.
        rows: indices ``(M,)`` of the photos, one per window.
        windows: ``(M, 4)`` in pixels of the canvas.
        image_size: side of the canvas.
    """

    def __init__(self, photos: Detailed, rows: Tensor, windows: Tensor, image_size: int) -> None:
        self.photos, self.rows, self.windows = photos, rows.tolist(), windows
        self.pipeline = Pipeline(AugmentConfig.none(), image_size)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        canvas = self.pipeline.image_size
        photo = self.photos.detail(self.rows[index])
        picture, window = cut_window(photo, self.windows[index], canvas)
        picture = load_fitted(picture, working_side(canvas)).image
        whole = torch.tensor([[0.0, 0.0, picture.width, picture.height]])
        target = {"boxes": window.unsqueeze(0), "labels": torch.zeros(1, dtype=torch.int64)}
        return self.pipeline(picture, whole).image, target
