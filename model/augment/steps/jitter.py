"""Brightness, contrast, saturation and hue."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from model.augment.steps.base import Box, Chosen, Code, Config, Params, PixelStep, Setting
from model.augment.streams import either_way

GREY = np.array([0.299, 0.587, 0.114])  # weights of R, G and B in grey, in Pillow and torchvision
# Captions of each factor: lower and higher, and at its two limits.
_WORDS = {
    "brightness": (("darker", "brighter"), ("darkest", "brightest")),
    "contrast": (("less contrast", "more contrast"), ("lowest contrast", "highest contrast")),
    "saturation": (("greyer", "more colour"), ("greyest", "most colour")),
}
_TOO_STRONG = (
    "Brightness or contrast this strong can turn a photo black or flat grey: nothing is left to"
    " learn from."
)


class Jitter(PixelStep):
    """``brightness_factor``, ``contrast_factor``, ``saturation_factor`` and ``hue_factor``.

    As torchvision's ``ColorJitter``. The first three are linear, so one matrix applies them:
    values are rounded once, and the order does not matter.
    """

    name, title, group, draws = "jitter", "colours", "colour", 4
    settings = (
        Setting(
            "brightness", "Brightness", "brightness times 1 ± this",
            low=0, high=1, default=0.4, off=0, mild=0.1, strong=0.9, surprise_range=(0.1, 0.6),
            too_much=0.8, warning=_TOO_STRONG,
        ),
        Setting(
            "contrast", "Contrast", "contrast times 1 ± this",
            low=0, high=1, default=0.4, off=0, mild=0.1, strong=0.9, surprise_range=(0, 0.6),
            too_much=0.8, warning=_TOO_STRONG,
        ),
        Setting(
            "saturation", "Saturation", "saturation times 1 ± this",
            low=0, high=1, default=0.4, off=0, mild=0.1, strong=0.9, surprise_range=(0, 0.8),
        ),
        Setting(
            "hue", "Hue", "shifted by up to this share of the colour circle",
            low=0, high=0.5, default=0.0, off=0, mild=0, strong=0.4, surprise_range=(0, 0.3),
            too_much=0.2,
            warning="A hue shift this large makes grass blue and skin green, which no camera does.",
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        change = either_way(uniform)
        factors: Params = {
            f"{name}_factor": 1 + getattr(config, name) * change[:, column]
            for column, name in enumerate(_WORDS)
        }
        return factors | {"hue_factor": config.hue * change[:, 3] + 0.0}

    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        bright, contrast, colour = (params[f"{name}_factor"] for name in _WORDS)
        if (bright, contrast, colour) != (1, 1, 1):
            middle = np.asarray(photo.convert("L")).mean() if contrast != 1 else 0.0
            linear = bright * contrast * (colour * np.eye(3) + (1 - colour) * GREY)
            offset = np.full((3, 1), (1 - contrast) * bright * middle)
            photo = photo.convert("RGB", tuple(np.hstack([linear, offset]).ravel().tolist()))
        shift = round(params["hue_factor"] * 255)
        if not shift:
            return photo
        hue, saturation, value = photo.convert("HSV").split()
        hue = hue.point([(level + shift) % 256 for level in range(256)])
        return Image.merge("HSV", (hue, saturation, value)).convert("RGB")

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        for name, ((less, more), _) in _WORDS.items():
            if change := round(100 * (params[f"{name}_factor"] - 1)):
                yield f"{less if change < 0 else more} {abs(change)} %"
        if round(params["hue_factor"], 2):
            yield f"hue {params['hue_factor']:+.2g}"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        for name, (_, captions) in _WORDS.items():
            reach = getattr(config, name)
            for change, caption in zip((-reach, reach) if reach else (), captions, strict=False):
                yield Chosen(name, caption, self.idle(size) | {f"{name}_factor": 1 + change})
        for shift in (-config.hue, config.hue) if config.hue else ():
            yield Chosen("hue", f"hue {shift:+g}", self.idle(size) | {"hue_factor": shift})

    def code(self, config: Config) -> Code:
        strengths = (getattr(config, setting.name) for setting in self.settings)
        return Code(f"v2.ColorJitter({', '.join(map(str, strengths))})")
