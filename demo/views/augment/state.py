"""What the Augment tab shows, as its controls and the address say it."""

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
# Of the first example: its first variant is mirrored, turned, zoomed and brighter.
DEFAULT_SEED = 111


def in_addresses(config: type[AugmentConfig]) -> Any:
    """A frozen dataclass with a field for each setting, which says how addresses write it."""
    fields = [(item.name, item.type, _field(item)) for item in dataclasses.fields(config)]
    return make_dataclass("Settings", fields, namespace={"settings": config}, frozen=True)


def _field(item: dataclasses.Field) -> Any:
    meta = item.metadata
    choices = meta.get("choices")
    read = one_of(choices) if choices else number(meta["low"], meta["high"])
    return in_address(item.default, read)


@dataclass(frozen=True)
class _DrawnState(TabState):
    """What is drawn of which boxes.

    Attributes:
        boxes: as :func:`parse_boxes` reads them.
        picked: number of the variant that was pressed; empty if none was.
        threshold: from which score on the detector is sure; ``None`` is the checkpoint's own.
        pinned: the settings A, which are compared with those of the controls (B), as
            :func:`read_settings` reads them; empty if there are none.
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
    """What the Augment tab shows: photo, boxes, which draws, and each setting of the augmentation.

    In this order: of the bases of a dataclass the last comes first.
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
        """How many variants there are, validated."""
        return as_whole(self.count, "the number of variants", 1, MAX_VARIANTS)

    def threshold_of(self, detector: Detector) -> float:
        """From which score on the detector is sure."""
        return detector.threshold if self.threshold is None else self.threshold

    def to_query(self, defaults: TabState) -> str:
        """As of every tab; boxes only where they are the visitor's own."""
        kept = self if self.box_source == OWN else dataclasses.replace(self, boxes="")
        return super(AugmentState, kept).to_query(defaults)


def pressed_number(state: AugmentState) -> int | None:
    """The variant that was pressed, which need not be among those in the grid; ``None`` if none."""
    text = str(state.picked)
    return int(text) if text.isdecimal() and 1 <= int(text) <= MAX_VARIANTS else None


ALL_DEFAULTS = "training"  # settings of which none differs from those of training


def write_settings(config: AugmentConfig) -> str:
    """Those that differ from training's: ``zoom:1~hue:0.1``."""
    usual = AugmentConfig()
    return "~".join(
        f"{name}:{value:g}" if isinstance(value, float | int) else f"{name}:{value}"
        for name, value in vars(config).items()
        if value != getattr(usual, name)
    ) or ALL_DEFAULTS  # fmt: skip


def read_settings(text: str) -> AugmentConfig:
    """What :func:`write_settings` wrote.

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
    """A seed and settings from the lively part of their ranges."""
    generator = generator or random.Random()
    drawn: dict[str, Any] = {"seed": generator.randint(0, 9999)}
    for setting in (setting for step in config.steps for setting in step.settings):
        value = round(generator.uniform(*setting.lively), 2)
        unusual = setting.default == setting.off and generator.random() < 0.75
        drawn[setting.name] = setting.off if unusual else value
    return drawn | {
        "box_rule": generator.choice(["hull", "ellipse"]),
        "min_visible": round(generator.uniform(0.3, 0.8), 2),
    }
