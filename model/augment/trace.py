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
        params: the drawn parameters, plain numbers.
        words: short captions of what was done; empty if nothing was.
        spoken: the same, for use within a sentence.
        image: the picture after the step, resampled once from the original. Before ``resize`` it
            has the shape of the photo, from then on it is the network's canvas.
        all_boxes: float32 ``(N, 4)`` in pixels of this step's image, clipped to it. Row 0 is the
            target; the others have no influence on what is drawn.
        all_visible: ``(N,)`` visible share of each box, 0..1.
        hull_xyxy, ellipse_xyxy: both estimates of the target's box, see ``box_rule``.
        hull_ellipse_iou: IoU of the corner hull with the ellipse estimate; 1 = they agree, 0.54 for
            a square box turned by 30 degrees.
        growth: :func:`model.augment.geometry.box_growth` under the rule in use.
        step: ``None`` for ``original``, ``resize`` and ``network``.
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
        """The visible share of the target's box."""
        return float(self.all_visible[0])

    @property
    def others(self) -> Tensor:
        """``(N - 1, 4)``: the other boxes."""
        return self.all_boxes[1:]

    @property
    def others_visible(self) -> Tensor:
        """``(N - 1,)``: the visible shares of the other boxes."""
        return self.all_visible[1:]


@dataclass(frozen=True)
class Trace:
    """What the pipeline did to one photo, and how often the target was lost.

    Attributes:
        steps: in order: ``original``, the steps that are on, ``resize``, ``network``.
        network: the network's input: float32 ``(3, S, S)``, normalised.
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
