"""What the pipeline did to one photo, step by step."""

from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from model.augment.steps.base import Step

Corners = tuple[float, ...]


@dataclass(frozen=True)
class TracedStep:
    """The photo and its boxes after one step.

    Attributes:
        name: of the step, or ``original``, ``resize``, ``network``.
        title: what people read.
        params: what was actually drawn, plain numbers.
        words: what was done, briefly; empty if nothing was.
        spoken: the same within a sentence.
        image: the picture after the step: the original moved at once by all steps so far. Before
            ``resize`` it has the shape of the photo, from then on it is the network's canvas.
        bbox_xyxy: float32 ``(4,)``, the target in pixels of this step's image, clipped to it.
        hull_xyxy, ellipse_xyxy: both estimates of it, see ``box_rule``.
        visible: share of the object's box still to be seen in the picture, 0..1.
        hull_ellipse_iou: IoU of the corner hull with the ellipse estimate; 1 = they agree, 0.54 for
            a square box turned by 30 degrees.
        growth: see :func:`model.augment.geometry.box_growth`, by the rule in use.
        others: float32 ``(N - 1, 4)``, the other boxes, as ``bbox_xyxy``; they have no say in what
            is drawn.
        others_visible: ``(N - 1,)``, as ``visible``.
        step: ``None`` of what is no step of the augmentation.
    """

    name: str
    title: str
    params: dict[str, Any]
    words: tuple[str, ...]
    spoken: tuple[str, ...]
    image: Image.Image
    bbox_xyxy: Tensor
    hull_xyxy: Corners
    ellipse_xyxy: Corners
    visible: float
    hull_ellipse_iou: float
    growth: float
    others: Tensor = field(default_factory=lambda: torch.empty(0, 4))
    others_visible: Tensor = field(default_factory=lambda: torch.empty(0))
    step: Step | None = None

    @property
    def all_boxes(self) -> Tensor:
        """``(N, 4)``: that of the target, then the others."""
        return torch.cat([self.bbox_xyxy[None], self.others])

    @property
    def all_visible(self) -> Tensor:
        """``(N,)``: the shares of :attr:`all_boxes`."""
        return torch.cat([torch.tensor([self.visible]), self.others_visible])


@dataclass(frozen=True)
class Trace:
    """What the pipeline did to one photo: every step, and how often the target got lost.

    Attributes:
        steps: in order: ``original``, those of the settings that are on, ``resize``, ``network``.
        network: what the network gets: float32 ``(3, S, S)``, normalised.
        redraws, gave_up: see :class:`model.augment.plan.Plan`.
    """

    steps: list[TracedStep]
    network: Tensor
    redraws: int
    gave_up: bool

    @property
    def picture(self) -> TracedStep:
        """The last step before the photo is squeezed onto the square canvas."""
        return self.steps[-3]
