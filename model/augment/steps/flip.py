"""Mirrored left to right with some probability."""

from collections.abc import Iterator

import numpy as np

from model.augment.geometry import about_centre, identities
from model.augment.steps.base import Box, Chosen, Code, Config, GeometricStep, Params, Setting


class Flip(GeometricStep):
    """``flipped``: whether the photo is mirrored."""

    name, title, draws = "flip", "flip", 1
    settings = (
        Setting(
            "flip_probability", "Mirror", "chance that the photo is mirrored",
            low=0, high=1, default=0.5, off=0, mild=0.5, strong=0.5, surprise_range=(0.5, 0.5),
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        return {"flipped": uniform[:, 0] < config.flip_probability}

    def matrices(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        mirror = identities(len(sizes))
        mirror[:, 0, 0] = np.where(params["flipped"], -1, 1)
        return about_centre(mirror, sizes)

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        if params["flipped"]:
            yield "mirrored"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        yield Chosen("flip_probability", "mirrored", {"flipped": True})

    def code(self, config: Config) -> Code:
        return Code(f"v2.RandomHorizontalFlip({config.flip_probability})")
