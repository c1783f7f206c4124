"""Normalisation of the network's input: RGB in 0..1, minus a mean, over a deviation."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MEAN_COLOUR = tuple(round(255 * m) for m in IMAGENET_MEAN)  # fills empty areas: 0 if normalised


class Normalise:
    """RGB photo of a fixed width -> float32 ``(3, H, W)``, channels last in memory.

    Args:
        width: of the photos, in pixels.
        mean, std: of RGB in 0..1.
    """

    def __init__(self, width: int, mean: Sequence[float], std: Sequence[float]) -> None:
        # For a whole row: broadcasting over three channels would take four times as long.
        self.factor = (1 / (255 * torch.tensor(std))).repeat(width)
        self.offset = (-torch.tensor(mean) / torch.tensor(std)).repeat(width)

    def __call__(self, photo: Image.Image) -> Tensor:
        """The normalised tensor of a photo."""
        rows = torch.from_numpy(np.array(photo)).view(photo.height, -1).to(torch.float32)
        pixels = torch.addcmul(self.offset, rows, self.factor)
        return pixels.view(photo.height, photo.width, 3).permute(2, 0, 1)
