"""Named settings of the augmentation, from nothing to more than is good."""

from dataclasses import dataclass
from typing import Any

from model.augment.config import AugmentConfig


@dataclass(frozen=True)
class Preset:
    """Settings with a name of one or two words and one line that explains them."""

    name: str
    help: str
    config: AugmentConfig


def presets(config: type[AugmentConfig] = AugmentConfig) -> tuple[Preset, ...]:
    """In the order of what they do to a photo; each step says what it does in which."""
    return (
        Preset(
            "none",
            "the photo as it is, only resized: what evaluation and prediction use",
            config.none(),
        ),
        Preset(
            "mild",
            "mirrored half of the time, and slight changes of colour: boxes stay exact",
            config(**_values(config, "mild")),
        ),
        Preset(
            "training",
            "what train.py uses: enough to keep a network from learning photos by heart",
            config(),
        ),
        Preset(
            "too much",
            "turned, zoomed and spoilt until boxes no longer fit and objects are hard to recognise",
            config(**_values(config, "strong"), box_rule="hull", min_visible=0.2),
        ),
    )


def _values(config: type[AugmentConfig], strength: str) -> dict[str, Any]:
    return {s.name: getattr(s, strength) for step in config.steps for s in step.settings}


PRESETS = presets()
