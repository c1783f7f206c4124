"""Named settings of the augmentation, from none to too much."""

from typing import NamedTuple

from model.augment.config import AugmentConfig

_HELP = {
    "none": "the photo as it is, only resized: what evaluation and prediction use",
    "mild": "mirrored half of the time, and slight changes of colour: boxes stay exact",
    "training": "what train.py uses: enough to keep a network from learning photos by heart",
    "too much": "turned, zoomed and spoilt until boxes no longer fit and objects are hard to"
    " recognise",
}


class Preset(NamedTuple):
    """Augmentation settings with a short name and a one-line explanation."""

    name: str
    help: str
    config: AugmentConfig


def presets(config: type[AugmentConfig] = AugmentConfig) -> tuple[Preset, ...]:
    """The presets, from weakest to strongest; ``Setting`` holds the values of each step."""
    settings = [setting for step in config.steps for setting in step.settings]
    mild, strong = ({s.name: getattr(s, of) for s in settings} for of in ("mild", "strong"))
    too_much = config(**strong, box_rule="hull", min_visible=0.2)
    configs = (config.none(), config(**mild), config(), too_much)
    return tuple(Preset(*words, one) for words, one in zip(_HELP.items(), configs, strict=True))


PRESETS = presets()
