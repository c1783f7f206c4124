"""What the pipeline did to one photo, step by step."""

from dataclasses import dataclass
from typing import Any

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
        all_boxes: float32 ``(N, 4)`` in pixels of this step's image, clipped to it: that of the
            target, then the others, which have no say in what is drawn.
        all_visible: ``(N,)`` share of each object's box still to be seen in the picture, 0..1.
        hull_xyxy, ellipse_xyxy: both estimates of the target's, see ``box_rule``.
        hull_ellipse_iou: IoU of the corner hull with the ellipse estimate; 1 = they agree, 0.54 for
            a square box turned by 30 degrees.
        growth: see :func:`model.augment.geometry.box_growth`, by the rule in use.
        step: ``None`` of what is no step of the augmentation.
    """

    name: str
    title: str
    params: dict[str, Any]
    words: tuple[str, ...]
    spoken: tuple[str, ...]
    image: Image.Image
    all_boxes: Tensor
    all_visible: Tensor
    hull_xyxy: Corners
    ellipse_xyxy: Corners
    hull_ellipse_iou: float
    growth: float
    step: Step | None = None

    @property
    def bbox_xyxy(self) -> Tensor:
        """``(4,)``: the target's box."""
        return self.all_boxes[0]

    @property
    def visible(self) -> float:
        """The target's share."""
        return float(self.all_visible[0])

    @property
    def others(self) -> Tensor:
        """``(N - 1, 4)``: the other boxes."""
        return self.all_boxes[1:]

    @property
    def others_visible(self) -> Tensor:
        """``(N - 1,)``: their shares."""
        return self.all_visible[1:]


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
