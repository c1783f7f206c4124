"""Converted to grey with some probability."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from model.augment.steps.base import Box, Chosen, Code, Config, Params, PixelStep, Setting


class Grey(PixelStep):
    """``grey``: whether the photo loses its colours."""

    name, title, group, draws = "grey", "grey", "colour", 1
    settings = (
        Setting(
            "grey_probability", "Grey", "chance that the photo loses its colours",
            low=0, high=1, default=0, off=0, mild=0, strong=0.3, surprise_range=(0.1, 0.5),
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        return {"grey": uniform[:, 0] < config.grey_probability}

    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        return photo.convert("L").convert("RGB") if params["grey"] else photo

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        if params["grey"]:
            yield "grey"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        yield Chosen("grey_probability", "grey", {"grey": True})

    def code(self, config: Config) -> Code:
        return Code(f"v2.RandomGrayscale({config.grey_probability})")
