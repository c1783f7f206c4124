"""Named settings of the augmentation, from nothing to more than is good."""

from dataclasses import dataclass

from model.augment import AugmentConfig


@dataclass(frozen=True)
class Preset:
    """Settings with a name of one or two words and one line that explains them."""

    name: str
    help: str
    config: AugmentConfig


PRESETS = (
    Preset(
        "none",
        "the photo as it is, only resized: what evaluation and prediction use",
        AugmentConfig.none(),
    ),
    Preset(
        "mild",
        "mirrored half of the time, and slight changes of colour: boxes stay exact",
        AugmentConfig(
            flip_probability=0.5, rotation_degrees=0, zoom=1,
            brightness=0.1, contrast=0.1, saturation=0.1, hue=0,
        ),
    ),
    Preset(
        "training",
        "what train.py uses: enough to keep a network from learning photos by heart",
        AugmentConfig(),
    ),
    Preset(
        "too much",
        "turned, zoomed and coloured until boxes no longer fit and objects are hard to recognise",
        AugmentConfig(
            flip_probability=0.5, rotation_degrees=60, zoom=3,
            brightness=0.9, contrast=0.9, saturation=0.9, hue=0.4,
            box_rule="hull", min_visible=0.2,
        ),
    ),
)  # fmt: skip
"""In the order of what they do to a photo."""


def preset_of(config: AugmentConfig) -> Preset | None:
    """The preset whose settings ``config`` has; ``None`` if it is one of someone's own."""
    return next((preset for preset in PRESETS if preset.config == config), None)
