"""A second look: what seems small is cut out of the photo with its surroundings, and seen again.

On the canvas a small object has few pixels; in the photo it has more. The window around the box of
the first look is predicted like a photo of its own, and both predictions become one.
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

DETAIL = 2  # sides of the copy that windows are cut from, in sides of the copy seen first


@dataclass(frozen=True)
class SecondLook:
    """When to look again, and where. Chosen on VOC's ``val``: docs/experiments.md has how.

    Attributes:
        below: share of the photo's area that the box may cover.
        factor: sides of the window over those of the box.
        least: share of the photo's sides that the window has at least.
        agree: IoU from which both boxes are of the same object, and are averaged. Otherwise the
            box of the first look is kept.
    """

    below: float = 0.25
    factor: float = 1.7
    least: float = 0.2
    agree: float = 0.3

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SecondLook":
        """Read what ``dataclasses.asdict`` gave.

        Raises:
            ValueError: if a number is missing, is none, or is outside its range.
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
        """bool ``(N,)``: whose boxes ``(N, 4)``, in pixels of the canvas, are small enough."""
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
        """Two looks at the same N photos -> what both say together.

        Args:
            first: at the photos.
            second: at the windows, boxes in pixels of a canvas that the window fills.
            windows: ``(N, 4)`` in pixels of the photos' canvas.
            canvas: side of both canvases in pixels.

        Returns:
            Probabilities and evidence are the mean; the attention is that of the first look.
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
    """A window ``(4,)``, in pixels of the canvas, cut out of the photo in whole pixels of it.

    Returns:
        The picture, at least one pixel large, and the window it shows, in pixels of the canvas.
    """
    scale = torch.tensor([photo.width, photo.height] * 2) / canvas
    x1, y1, x2, y2 = (window.cpu() * scale).round().int().tolist()
    x1, y1 = min(x1, photo.width - 1), min(y1, photo.height - 1)
    x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
    return photo.crop((x1, y1, x2, y2)), torch.tensor([x1, y1, x2, y2]) / scale
