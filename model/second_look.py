"""A second look: a window around a small object is cut out of the photo and predicted again.

A small object has more pixels in the photo than on the canvas. The window around the box of the
first look is predicted like a photo of its own, and both predictions are merged.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from model.boxes import box_areas, paired_iou
from model.checked import is_number

if TYPE_CHECKING:
    from model.predictions import BatchPrediction

DETAIL = 2  # side of the copy that windows are cut from over that of the copy predicted first


@dataclass(frozen=True)
class SecondLook:
    """Settings of the second look, chosen on VOC's ``val`` (docs/experiments.md).

    Attributes:
        below: largest share of the photo's area that a box may cover to be looked at again.
        factor: sides of the window over those of the box.
        least: smallest sides of the window over those of the photo.
        agree: IoU above which both boxes are averaged; otherwise that of the first look is kept.
    """

    below: float = 0.25
    factor: float = 1.7
    least: float = 0.2
    agree: float = 0.3

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SecondLook":
        """Inverse of ``dataclasses.asdict``.

        Raises:
            KeyError: if a value is missing.
            ValueError: if one is no finite number, or outside its range.
        """
        numbers = {name: values[name] for name in cls.__dataclass_fields__}
        if not all(map(is_number, numbers.values())):
            raise ValueError("a second look needs finite numbers")
        look = cls(**numbers)
        shares = (look.below, look.least, look.agree)
        if not all(0 <= share <= 1 for share in shares) or not 1 <= look.factor <= 100:
            raise ValueError("a second look needs shares from 0 to 1 and a factor from 1 to 100")
        return look

    def is_wanted(self, bbox_xyxy: Tensor, canvas: int) -> Tensor:
        """bool ``(N,)``: whether boxes in pixels of the canvas are small enough to look again."""
        return box_areas(bbox_xyxy.clamp(0, canvas)) <= self.below * canvas**2

    def windows(self, bbox_xyxy: Tensor, canvas: int) -> Tensor:
        """Windows ``(N, 4)`` around boxes ``(N, 4)``, both in pixels of the canvas."""
        centre = (bbox_xyxy[:, :2] + bbox_xyxy[:, 2:]) / 2
        sides = (bbox_xyxy[:, 2:] - bbox_xyxy[:, :2]) * self.factor
        half = sides.clamp(min=self.least * canvas) / 2
        corners = torch.cat([centre - half, centre + half], dim=1)
        return corners.clamp(0, canvas)

    def merge(
        self, first: "BatchPrediction", second: "BatchPrediction", windows: Tensor, canvas: int
    ) -> "BatchPrediction":
        """Merge the predictions of two looks at the same N photos.

        Args:
            first: for the photos.
            second: for the windows, with boxes in pixels of a canvas that the window fills.
            windows: ``(N, 4)`` in pixels of the photos' canvas.
            canvas: side of both canvases in pixels.

        Returns:
            Means of probabilities and evidence, with the attention of the first look.
        """
        origin, extent = windows[:, :2], windows[:, 2:] - windows[:, :2]
        boxes = second.bbox_xyxy * (extent / canvas).repeat(1, 2) + origin.repeat(1, 2)
        agree = (paired_iou(first.bbox_xyxy, boxes) > self.agree).unsqueeze(1)
        return first._replace(
            probabilities=(first.probabilities + second.probabilities) / 2,
            bbox_xyxy=torch.where(agree, (first.bbox_xyxy + boxes) / 2, first.bbox_xyxy),
            evidence=(first.evidence + second.evidence) / 2,
        )


def cut_window(photo: Image.Image, window: Tensor, canvas: int) -> tuple[Image.Image, Tensor]:
    """Cut a window ``(4,)``, in pixels of the canvas, out of the photo.

    Returns:
        The picture, at least one pixel large, and its window ``(4,)`` in pixels of the canvas,
        which is rounded to whole pixels of the photo.
    """
    scale = torch.tensor([photo.width, photo.height] * 2) / canvas
    x1, y1, x2, y2 = (window.cpu() * scale).round().int().tolist()
    x1, y1 = min(x1, photo.width - 1), min(y1, photo.height - 1)
    x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
    return photo.crop((x1, y1, x2, y2)), torch.tensor([x1, y1, x2, y2]) / scale
