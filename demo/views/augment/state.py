"""What the Augment tab shows, as its controls and the address say it."""

import dataclasses
import random
from dataclasses import dataclass
from typing import Any, ClassVar

from demo.address import TabState, in_address, number, one_of, whole
from demo.views.augment.boxes import parse_boxes, write_boxes
from model.augment import AugmentConfig
from model.errors import UserError
from model.inspect.variants import MAX_VARIANTS

GROUND_TRUTH, DETECTOR, OWN = "ground truth", "detector", "my own"
BOX_SOURCES = (GROUND_TRUTH, DETECTOR, OWN)
FIELDS = dataclasses.fields(AugmentConfig)
MAX_SEED = 1_000_000
# Of the first example: its first variant is mirrored, turned, zoomed and darker.
DEFAULT_SEED = 216


def _setting(name: str) -> Any:
    item = next(field for field in FIELDS if field.name == name)
    if choices := item.metadata.get("choices"):
        return in_address(item.default, one_of(choices))
    return in_address(item.default, number(item.metadata["low"], item.metadata["high"]))


@dataclass(frozen=True)
class AugmentState(TabState):
    """What the Augment tab shows; ``boxes`` as :func:`parse_boxes` reads them."""

    tab: ClassVar[str] = "augment"
    checkpoint: str = ""
    boxes: str = in_address("", lambda text: write_boxes(parse_boxes(text)))
    box_source: str = in_address(GROUND_TRUTH, one_of(BOX_SOURCES), "box")
    seed: int = in_address(DEFAULT_SEED, whole(0, MAX_SEED))
    count: int = in_address(8, whole(1, MAX_VARIANTS))
    picked: str = in_address("1", lambda text: str(whole(1, MAX_VARIANTS)(text)), "variant")
    flip_probability: float = _setting("flip_probability")
    rotation_degrees: float = _setting("rotation_degrees")
    zoom: float = _setting("zoom")
    brightness: float = _setting("brightness")
    contrast: float = _setting("contrast")
    saturation: float = _setting("saturation")
    hue: float = _setting("hue")
    box_rule: str = _setting("box_rule")
    min_visible: float = _setting("min_visible")

    @property
    def config(self) -> AugmentConfig:
        """The settings, validated."""
        return AugmentConfig(**{field.name: getattr(self, field.name) for field in FIELDS})

    def to_query(self, defaults: TabState) -> str:
        """As of every tab; boxes only where they are the visitor's own."""
        kept = self if self.box_source == OWN else dataclasses.replace(self, boxes="")
        return super(AugmentState, kept).to_query(defaults)


def as_whole(value: Any, what: str, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``.

    Raises:
        UserError: if it is not one.
    """
    # NaN is not within any range, and infinity is not below any limit.
    if not isinstance(value, (int, float)) or not least <= value <= most or value != int(value):
        raise UserError(f"{what} must be a whole number from {least} to {most}.")
    return int(value)


def picked_number(state: AugmentState) -> int:
    """The variant that is shown large, 1 if there is none of that number."""
    count = as_whole(state.count, "the number of variants", 1, MAX_VARIANTS)
    text = str(state.picked)
    return int(text) if text.isdecimal() and 1 <= int(text) <= count else 1


def surprise(generator: random.Random | None = None) -> dict[str, Any]:
    """A seed and settings from the lively part of their ranges."""
    generator = generator or random.Random()
    return {
        "seed": generator.randint(0, 9999),
        "flip_probability": 0.5,
        "rotation_degrees": float(generator.randint(5, 40)),
        "zoom": round(generator.uniform(1.1, 2), 2),
        "brightness": round(generator.uniform(0.1, 0.6), 2),
        "contrast": round(generator.uniform(0, 0.6), 2),
        "saturation": round(generator.uniform(0, 0.8), 2),
        "hue": round(generator.choice([0, 0, generator.uniform(0, 0.3)]), 2),
        "box_rule": generator.choice(["hull", "ellipse"]),
        "min_visible": round(generator.uniform(0.3, 0.8), 2),
    }
