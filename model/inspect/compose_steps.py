"""A traced torchvision pipeline: the picture and the boxes after each step."""

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
        number: its row in the input; ``None`` after a step that dropped unknown boxes.
        bbox_xyxy: float32 ``(4,)`` in pixels of this step's picture.
        label: as text; empty without labels.
        visible: share of it that all steps so far left in the picture, 0..1.
        growth: how much larger all steps so far made it than its moved content: 0.6 = 60 % larger.
            Both are ``None`` after a step that cannot be repeated on boxes alone.
    """

    number: int | None
    bbox_xyxy: Tensor
    label: str = ""
    visible: float | None = 1.0
    growth: float | None = 0.0

    @property
    def name(self) -> str:
        """Display name, counted from 1."""
        which = "box" if self.number is None else f"box {self.number + 1}"
        return f"{which} ({self.label})" if self.label else which


@dataclass(frozen=True)
class ComposeStep:
    """Image and boxes after one step.

    Attributes:
        name: class of the transform, or name of the function; ``original`` for the input.
        within: the containers it is in, outermost first: ``("RandomChoice: 2 of 3",)``.
        applied: ``False`` if it was skipped at random.
        params: its drawn parameters as plain values; of large tensors the shape. ``None`` if it
            does not draw through ``make_params``, so that they are unknown.
        image: as in the pipeline: a PIL image or a tensor.
        dropped: boxes of the previous step that it removed.
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
        """The step with its containers."""
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
        target: what it returned for the boxes: boxes, or the dictionary that holds them.
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
            UserError: if the suffix is of no image format, or the file cannot be written.
        """
        from model.inspect.compose_pictures import save_sheet

        save_sheet(self, Path(path))


def canvas_of(image: Picture) -> tuple[int, int]:
    """Height and width of a picture in pixels."""
    height, width = functional.get_size(image)  # type: ignore[bad-argument-type]
    return height, width


def copied(value: Any) -> Any:
    """A copy of a PIL image or tensor; a ``TVTensor`` keeps its type."""
    if isinstance(value, Image.Image):
        return value.copy()
    is_plain = not isinstance(value, tv_tensors.TVTensor)
    return value.clone() if is_plain else tv_tensors.wrap(value.clone(), like=value)
