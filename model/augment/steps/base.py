"""What every step of the augmentation says about itself.

Parameters are plain numbers for one photo, and arrays with a row for each of many.
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
Config: TypeAlias = "AugmentConfig"  # is made of the steps, so it cannot be imported before them
GROUPS = ("geometry", "colour", "quality")
"""Kinds of steps, in the order in which they are done."""


@dataclass(frozen=True)
class Setting:
    """A number people choose.

    Attributes:
        name: field of :class:`model.augment.AugmentConfig`, flag of ``train.py``, in addresses.
        label: one or two words.
        help: one line.
        low, high: what is allowed.
        default: of training.
        off: where it does nothing.
        mild, strong: in the presets of these names.
        lively: from what to what "Surprise me" draws; where training leaves it off, it is drawn
            for one in four only.
        too_much, warning: from which value on advice is given, and the sentence.
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
    lively: tuple[float, float]
    too_much: float = inf
    warning: str = ""


class Chosen(NamedTuple):
    """A setting at one of its limits: its name, a few words, and the parameters of the step."""

    setting: str
    caption: str
    params: Params


class Code(NamedTuple):
    """A step in ``torchvision.transforms.v2``.

    Attributes:
        line: the transform.
        helper: source of a class it uses, if torchvision has none.
        imports: what the helper needs beside torch and torchvision.
    """

    line: str
    helper: str = ""
    imports: tuple[str, ...] = ()


class Step(ABC):
    """One step of the augmentation.

    Attributes:
        name: in traces and of its random stream.
        title: what people read.
        group: one of :data:`GROUPS`.
        settings: what can be chosen; names are unique among all steps.
        draws: how many random numbers it needs for a photo.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]]
    draws: ClassVar[int]

    def is_on(self, config: Config) -> bool:
        """Whether it can do anything at all."""
        return any(getattr(config, setting.name) != setting.off for setting in self.settings)

    @abstractmethod
    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        """Parameters of many photos.

        Args:
            config: twice the strength gives twice the change, for the same numbers; and where the
                step's own settings are off, none.
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
        """What was done to a photo of this width and height, briefly; nothing if nothing was."""

    def spoken(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        """As :meth:`words`, within a sentence."""
        return self.words(params, size)

    @abstractmethod
    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        """Each setting that is on, alone at its limits, for a photo with a box."""

    def advice(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[str]:
        """Sentences on settings that hurt this photo's box."""
        said = [s.warning for s in self.settings if getattr(config, s.name) >= s.too_much]
        yield from dict.fromkeys(said)

    @abstractmethod
    def code(self, config: Config) -> Code:
        """The same in torchvision."""


class GeometricStep(Step):
    """A step that moves what is in the picture, by a 3 x 3 matrix (:mod:`model.augment.geometry`).

    All of them together resample a photo once.
    """

    group = "geometry"

    @abstractmethod
    def matrices(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        """``(N, 3, 3)`` for photos of ``(N, 2)`` width and height before the step."""

    def sizes_after(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        """``(N, 2)`` width and height after the step."""
        return sizes

    def swing(self, config: Config, phase: float) -> Params | None:
        """Parameters on the way from one limit (-1) over nothing (0) to the other (1).

        ``None`` for steps that never make boxes looser. A setting that is off swings by as much as
        shows what it would do.
        """
        return None

    def matrix(self, params: Params, size: tuple[int, int]) -> np.ndarray:
        """``(3, 3)`` of one photo."""
        many = {name: np.asarray([value]) for name, value in params.items()}
        return self.matrices(many, np.asarray([size], dtype=np.float64))[0]

    def advice(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[str]:
        """On boxes that become loose."""
        swung = [self.swing(config, place / 36) for place in range(1, 37)]
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
    """A step that changes colours where they are."""

    @abstractmethod
    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        """The changed photo, RGB.

        Args:
            scale: pixels of ``photo`` for one of the network's canvas, across and down: what is
                shown before the photo is squeezed onto the canvas is larger than it.
        """

    def hidden(self, params: Params, bbox_xyxy: np.ndarray) -> np.ndarray:
        """Share ``(N,)`` of boxes that can no longer be seen; ``(N, 4)`` in shares of the photo.

        Args:
            params: of one photo whose boxes they are, or with a row for each box.
            bbox_xyxy: ``(N, 4)``.
        """
        return np.zeros(len(bbox_xyxy))
