"""Base classes of the augmentation steps.

Parameters are plain numbers for one photo, and arrays with a row per photo for many.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from model.augment.geometry import box_growth
from model.words import percent

if TYPE_CHECKING:
    from model.augment.config import AugmentConfig

Params = dict[str, Any]
Box = tuple[float, ...]  # left, top, right, bottom in pixels of the photo
Config: TypeAlias = "AugmentConfig"  # it is built from the steps, so it is not imported here
GROUPS = ("geometry", "colour", "quality")
"""Kinds of steps, in the order in which they run."""


@dataclass(frozen=True)
class Setting:
    """A number that users choose.

    Attributes:
        name: field of :class:`model.augment.AugmentConfig`, flag of ``train.py``, in addresses.
        label: one or two words.
        help: one line.
        low, high: the allowed range.
        default: the value that training uses.
        off: the value at which it does nothing.
        mild, strong: the values of the presets ``mild`` and ``too much``.
        surprise_range: the range "Surprise me" draws from; a setting that training leaves off is
            drawn only one time in four.
        too_much, warning: the value from which on advice is given, and its sentence.
    """

    name: str
    label: str
    help: str
    low: float
    high: float
    default: float
    off: float
    mild: float
    strong: float
    surprise_range: tuple[float, float]
    too_much: float = inf
    warning: str = ""


class Chosen(NamedTuple):
    """A setting at one of its limits: its name, a short caption, and the parameters of the step."""

    setting: str
    caption: str
    params: Params


class Code(NamedTuple):
    """A step in ``torchvision.transforms.v2``.

    Attributes:
        line: the transform.
        helper: source of a class it uses, if torchvision has none.
        imports: what the helper needs besides torch and torchvision.
    """

    line: str
    helper: str = ""
    imports: tuple[str, ...] = ()


class Step(ABC):
    """One step of the augmentation.

    Attributes:
        name: identifies it in traces and seeds its random stream.
        title: what users read.
        group: one of :data:`GROUPS`.
        settings: names are unique among all steps.
        draws: how many random numbers it needs per photo.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]]
    draws: ClassVar[int]

    def is_on(self, config: Config) -> bool:
        """Whether any of its settings is on."""
        return any(getattr(config, setting.name) != setting.off for setting in self.settings)

    @abstractmethod
    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        """Draw the parameters of N photos.

        Args:
            config: for the same ``uniform``, twice the strength gives twice the change, and
                settings that are off give none.
            uniform: ``(N, draws)`` in 0..1.
            sizes: ``(N, 2)`` width and height of the photos before this step.
        """

    def idle(self, size: tuple[int, int]) -> Params:
        """Parameters that leave a photo of this width and height as it is."""
        off: Any = SimpleNamespace(**{setting.name: setting.off for setting in self.settings})
        drawn = self.draw(off, np.zeros((1, self.draws)), np.array([size], dtype=np.float64))
        return {name: values[0].tolist() for name, values in drawn.items()}

    @abstractmethod
    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        """Short captions of what was done to a photo of ``size``; none if nothing was."""

    def spoken(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        """:meth:`words` for use within a sentence."""
        return self.words(params, size)

    @abstractmethod
    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        """Each setting that is on, alone, at each of its limits, for a photo with a box."""

    def advice(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[str]:
        """Warnings about settings that are too strong for this photo's box."""
        warnings = [s.warning for s in self.settings if getattr(config, s.name) >= s.too_much]
        yield from dict.fromkeys(warnings)

    @abstractmethod
    def code(self, config: Config) -> Code:
        """The torchvision code of the step."""


class GeometricStep(Step):
    """A step that moves pixels and boxes by a 3 x 3 matrix (:mod:`model.augment.geometry`).

    All geometric steps together resample a photo once.
    """

    group = "geometry"

    @abstractmethod
    def matrices(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        """``(N, 3, 3)`` for photos of ``(N, 2)`` width and height before the step."""

    def sizes_after(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        """``(N, 2)`` width and height after the step."""
        return sizes

    def swing(self, config: Config, phase: float) -> Params | None:
        """Parameters at ``phase``: from one limit (-1) over no change (0) to the other limit (1).

        ``None`` for steps that never make boxes looser. A setting that is off swings between
        default limits, to show what it would do.
        """
        return None

    def matrix(self, params: Params, size: tuple[int, int]) -> np.ndarray:
        """``(3, 3)`` of one photo."""
        many = {name: np.asarray([value]) for name, value in params.items()}
        return self.matrices(many, np.asarray([size], dtype=np.float64))[0]

    def advice(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[str]:
        """Advice on boxes that become loose."""
        swung = [self.swing(config, k / 36) for k in range(1, 37)]
        if not self.is_on(config) or swung[0] is None:
            return
        matrices = [self.matrix(params, size) for params in swung if params is not None]
        growth = max(float(box_growth(np.array(box), matrix, "hull")) for matrix in matrices)
        reach = f"At {self.settings[0].label.lower()} {getattr(config, self.settings[0].name):g}"
        if config.box_rule == "hull" and growth >= 0.25:
            yield (
                f"{reach} the box of this object grows by up to {percent(growth, 0)}: the network"
                " would learn loose boxes. Choose less, or take the ellipse rule."
            )
        elif growth >= 0.5:
            yield (
                f"{reach} nobody knows the true box: the ellipse rule cuts the corners of things"
                f" that fill their box, the corner hull would be up to {percent(growth, 0)} too"
                " large. Check the boxes below."
            )


class PixelStep(Step):
    """A step that changes pixel values without moving them."""

    @abstractmethod
    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        """The changed photo, RGB.

        Args:
            scale: width and height of ``photo`` over those of the network's canvas: a trace
                applies the step before the photo is resized to the canvas.
        """

    def hidden(self, params: Params, bbox_xyxy: np.ndarray) -> np.ndarray:
        """Share ``(N,)`` of each box that the step hides.

        Args:
            params: of the one photo that all boxes belong to, or with a row for each box.
            bbox_xyxy: ``(N, 4)`` in shares of the photo's width and height.
        """
        return np.zeros(len(bbox_xyxy))
