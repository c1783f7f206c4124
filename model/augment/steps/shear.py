"""Sheared: vertical lines lean, horizontal lines slope."""

from collections.abc import Iterator

import numpy as np

from model.augment.geometry import about_centre, identities
from model.augment.normalisation import MEAN_COLOUR
from model.augment.steps.base import Box, Chosen, Code, Config, GeometricStep, Params, Setting
from model.augment.streams import either_way

SHOWN_DEGREES = 15.0  # limits of the swing where the setting is off


class Shear(GeometricStep):
    """``lean`` and ``slope``: degrees by which vertical and horizontal lines turn.

    Both at 45 degrees would flatten the photo to a line, so 30 is the maximum.
    """

    name, title, draws = "shear", "shear", 2
    settings = (
        Setting(
            "shear_degrees", "Shear", "slanted by up to this many degrees, each way",
            low=0, high=30, default=0, off=0, mild=0, strong=20, surprise_range=(3, 12),
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        degrees = config.shear_degrees * either_way(uniform) + 0.0
        return {"lean": degrees[:, 0], "slope": degrees[:, 1]}

    def matrices(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        slant = identities(len(sizes))
        slant[:, 0, 1] = np.tan(np.radians(params["lean"]))
        slant[:, 1, 0] = np.tan(np.radians(params["slope"]))
        return about_centre(slant, sizes)

    def swing(self, config: Config, phase: float) -> Params:
        return self.idle((1, 1)) | {"lean": phase * (float(config.shear_degrees) or SHOWN_DEGREES)}

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        lean, slope = round(params["lean"], 1), round(params["slope"], 1)
        if lean:  # y points down
            yield f"leaning {abs(lean):g}° {'left' if lean > 0 else 'right'}"
        if slope:
            yield f"sloping {abs(slope):g}° {'down' if slope > 0 else 'up'}"

    def spoken(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        return (words.replace("°", " degrees") for words in self.words(params, size))

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        degrees = float(config.shear_degrees)
        for way in ("lean", "slope"):
            for angle in (-degrees, degrees):
                params = self.idle(size) | {way: angle}
                yield Chosen("shear_degrees", " ".join(self.words(params, size)), params)

    def code(self, config: Config) -> Code:
        most = config.shear_degrees
        reach = f"shear=({-most}, {most}, {-most}, {most})"
        fill = f'interpolation="bilinear", fill={MEAN_COLOUR}'
        return Code(f"v2.RandomAffine(0, {reach}, {fill})")
