"""Gaussian blur, as out of focus."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFilter

from model.augment.steps.base import Box, Chosen, Code, Config, Params, PixelStep, Setting


class Blur(PixelStep):
    """``sigma``: standard deviation in pixels of the network's canvas."""

    name, title, group, draws = "blur", "blur", "quality", 1
    settings = (
        Setting(
            "blur", "Blur", "out of focus by up to so many pixels of what the network sees",
            low=0, high=5, default=0, off=0, mild=0, strong=3, surprise_range=(0.3, 2),
            too_much=2.5,
            warning="A blur this strong wipes out small objects: their boxes would be guesses.",
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        return {"sigma": config.blur * uniform[:, 0]}

    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        across, down = (params["sigma"] * share for share in scale)
        return photo.filter(ImageFilter.GaussianBlur((across, down)))

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        if sigma := round(params["sigma"], 1):
            yield f"blurred {sigma:g} px"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        yield Chosen("blur", f"blurred {config.blur:g} px", {"sigma": float(config.blur)})

    def code(self, config: Config) -> Code:
        # torchvision needs an odd window and a sigma above 0.
        window = 2 * max(1, round(3 * config.blur)) + 1
        return Code(f"v2.GaussianBlur({window}, (0.01, {max(config.blur, 0.02)}))")
