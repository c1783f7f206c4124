"""The state of the Augment tab, as set by its controls or read from an address."""

import dataclasses
import random
from dataclasses import dataclass, make_dataclass
from typing import Any, ClassVar

from demo.address import TabState, in_address, number, one_of, whole
from demo.views.augment.boxes import parse_boxes, write_boxes
from model.augment import AugmentConfig
from model.checked import as_whole
from model.errors import UserError
from model.inference import Detector
from model.inspect.variants import MAX_VARIANTS

GROUND_TRUTH, DETECTOR, OWN = "ground truth", "detector", "my own"
BOX_SOURCES = (GROUND_TRUTH, DETECTOR, OWN)
MAX_SEED = 1_000_000
FIELDS = {field.name: field for field in dataclasses.fields(AugmentConfig)}
# With it the first variant of the first example is mirrored, rotated, zoomed and brighter.
DEFAULT_SEED = 111


def in_addresses(config: type[AugmentConfig]) -> Any:
    """A frozen dataclass with a field per setting that can be written into addresses."""
    fields = [(item.name, item.type, _field(item)) for item in dataclasses.fields(config)]
    return make_dataclass("Settings", fields, namespace={"settings": config}, frozen=True)


def _field(item: dataclasses.Field) -> Any:
    meta = item.metadata
    choices = meta.get("choices")
    read = one_of(choices) if choices else number(meta["low"], meta["high"])
    return in_address(item.default, read)


@dataclass(frozen=True)
class _DrawnState(TabState):
    """The fields besides the settings of the augmentation.

    Attributes:
        boxes: text for :func:`parse_boxes`.
        picked: number of the variant that was pressed; empty if none was.
        threshold: score from which the detector counts as sure; ``None`` is the checkpoint's own.
        pinned: text for :func:`read_settings`: the settings A, which are compared with those of the
            controls (B); empty if there are none.
    """

    tab: ClassVar[str] = "augment"
    checkpoint: str = ""
    boxes: str = in_address("", lambda text: write_boxes(parse_boxes(text)))
    box_source: str = in_address(GROUND_TRUTH, one_of(BOX_SOURCES), "box")
    seed: int = in_address(DEFAULT_SEED, whole(0, MAX_SEED))
    count: int = in_address(8, whole(1, MAX_VARIANTS))
    picked: str = in_address("", lambda text: str(whole(1, MAX_VARIANTS)(text)), "variant")
    threshold: float | None = in_address(None, number(0, 1))
    pinned: str = in_address("", lambda text: write_settings(read_settings(text)), "a")


@dataclass(frozen=True)
class AugmentState(in_addresses(AugmentConfig), _DrawnState):
    """What the Augment tab shows: photo, boxes, draws, and each setting of the augmentation.

    The order of the bases matters: dataclass fields of the last base come first.
    """

    @property
    def config(self) -> AugmentConfig:
        """The settings, validated."""
        names = [field.name for field in dataclasses.fields(self.settings)]
        return self.settings(**{name: getattr(self, name) for name in names})

    @property
    def first_seed(self) -> int:
        """The seed, validated."""
        return as_whole(self.seed, "the seed", 0, MAX_SEED)

    @property
    def n_variants(self) -> int:
        """The number of variants, validated."""
        return as_whole(self.count, "the number of variants", 1, MAX_VARIANTS)

    def threshold_of(self, detector: Detector) -> float:
        """The score from which the detector counts as sure."""
        return detector.threshold if self.threshold is None else self.threshold

    def to_query(self, defaults: TabState) -> str:
        """See :meth:`TabState.to_query`; boxes are written only if the visitor made them."""
        kept = self if self.box_source == OWN else dataclasses.replace(self, boxes="")
        return super(AugmentState, kept).to_query(defaults)


def pressed_number(state: AugmentState) -> int | None:
    """Number of the pressed variant, which may lie beyond the grid; ``None`` if none was."""
    text = str(state.picked)
    return int(text) if text.isdecimal() and 1 <= int(text) <= MAX_VARIANTS else None


ALL_DEFAULTS = "training"  # text for the default settings, those of training


def write_settings(config: AugmentConfig) -> str:
    """The settings that differ from those of training, as text: ``zoom:1~hue:0.1``."""
    usual = AugmentConfig()
    return "~".join(
        f"{name}:{value:g}" if isinstance(value, float | int) else f"{name}:{value}"
        for name, value in vars(config).items()
        if value != getattr(usual, name)
    ) or ALL_DEFAULTS  # fmt: skip


def read_settings(text: str) -> AugmentConfig:
    """The settings in a text of :func:`write_settings`.

    Raises:
        UserError: for anything else.
    """
    usual, fields, values = AugmentConfig(), AugmentState.addressed(), {}
    if text == ALL_DEFAULTS:
        return usual
    try:
        for part in text.split("~"):
            name, _, value = part.partition(":")
            if name not in vars(usual):
                raise ValueError(name)
            values[name] = fields[name].metadata["read"](value)
    except ValueError:
        raise UserError(f"these are no settings: {text[:40]!r}.") from None
    return AugmentConfig.from_dict(values)


def surprise(
    generator: random.Random | None = None, config: type[AugmentConfig] = AugmentConfig
) -> dict[str, Any]:
    """A random seed and random settings, each from the part of its range with a visible effect."""
    generator = generator or random.Random()
    drawn: dict[str, Any] = {"seed": generator.randint(0, 9999)}
    for setting in (setting for step in config.steps for setting in step.settings):
        value = round(generator.uniform(*setting.surprise_range), 2)
        unusual = setting.default == setting.off and generator.random() < 0.75
        drawn[setting.name] = setting.off if unusual else value
    return drawn | {
        "box_rule": generator.choice(["hull", "ellipse"]),
        "min_visible": round(generator.uniform(0.3, 0.8), 2),
    }
