"""What is kept of a traced pipeline of torchvision: the picture and the boxes after each step."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

Picture: TypeAlias = Image.Image | Tensor
ORIGINAL = "original"


@dataclass(frozen=True)
class TracedBox:
    """A box after a step.

    Attributes:
        number: row of it in the boxes given; ``None`` where a step changed their number in a way
            that does not say which went.
        bbox_xyxy: in pixels of this step's picture, float32 ``(4,)``.
        label: of it, as text; empty without labels.
        visible: share of it that is still in the picture, 0..1, all steps so far together.
        growth: how much larger it is than what was inside it, all steps so far together: 0.6 = 60 %
            larger. Both are ``None`` after a step that moves boxes in a way of its own.
    """

    number: int | None
    bbox_xyxy: Tensor
    label: str = ""
    visible: float | None = 1.0
    growth: float | None = 0.0

    @property
    def name(self) -> str:
        """For people, counted from 1."""
        which = "box" if self.number is None else f"box {self.number + 1}"
        return f"{which} ({self.label})" if self.label else which


@dataclass(frozen=True)
class ComposeStep:
    """Image and boxes after one step.

    Attributes:
        name: class of the transform, or name of the function; ``original`` for what went in.
        within: the transforms it lies in, outermost first: ``("RandomChoice: 2 of 3",)``.
        applied: ``False`` if chance left it out.
        params: what it drew, as plain values; of large tensors the shape. ``None`` if it does not
            draw through ``make_params``, so that nobody can tell.
        image: as the pipeline has it: a PIL image or a tensor.
        dropped: boxes of the step before that are no longer there.
    """

    name: str
    within: tuple[str, ...]
    applied: bool
    params: dict[str, Any] | None
    image: Picture
    boxes: tuple[TracedBox, ...]
    dropped: tuple[TracedBox, ...] = ()

    @property
    def title(self) -> str:
        """The step and where it lies."""
        return " > ".join((*self.within, self.name))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        height, width = canvas_of(self.image)
        return width, height


@dataclass(frozen=True)
class ComposeTrace:
    """What a pipeline did to one photo.

    Attributes:
        steps: ``original`` first, then each step in the order in which it was run.
        image: what the pipeline returned for the image.
        target: and for the boxes: boxes, or the dictionary that holds them.
        seed: see :func:`trace_compose`.
    """

    steps: tuple[ComposeStep, ...]
    image: Picture
    target: Any
    seed: int

    def _repr_html_(self) -> str:
        from model.inspect.compose_pictures import trace_html

        return trace_html(self)

    def save(self, path: str | Path) -> None:
        """Write all steps side by side, with their boxes and captions, as a picture.

        Raises:
            UserError: if the name's ending stands for no image format, or it cannot be written.
        """
        from model.inspect.compose_pictures import save_sheet

        save_sheet(self, Path(path))


def canvas_of(image: Picture) -> tuple[int, int]:
    """Height and width of a picture in pixels."""
    height, width = functional.get_size(image)  # type: ignore[bad-argument-type]
    return height, width


def copied(value: Any) -> Any:
    """A copy of a PIL image or of a tensor, which stays an image or boxes of torchvision."""
    if isinstance(value, Image.Image):
        return value.copy()
    is_plain = not isinstance(value, tv_tensors.TVTensor)
    return value.clone() if is_plain else tv_tensors.wrap(value.clone(), like=value)
