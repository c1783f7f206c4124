"""Rotated about the centre of the photo."""

from collections.abc import Iterator

import numpy as np

from model.augment.geometry import about_centre, identities
from model.augment.normalisation import MEAN_COLOUR
from model.augment.steps.base import Box, Chosen, Code, Config, GeometricStep, Params, Setting
from model.augment.streams import either_way

SHOWN_DEGREES = 30.0  # limits of the swing where the setting is off
_ELLIPSE = """\
class Rotation(v2.RandomRotation):  # a box becomes the hull of its turned inscribed ellipse
    def transform(self, x, params):
        if not isinstance(x, tv_tensors.BoundingBoxes):
            return super().transform(x, params)
        (height, width), angle = x.canvas_size, math.radians(params["angle"])
        cos, sin = math.cos(angle), math.sin(angle)
        x1, y1, x2, y2 = x.as_subclass(torch.Tensor).unbind(-1)
        dx, dy, w, h = (x1 + x2 - width) / 2, (y1 + y2 - height) / 2, (x2 - x1) / 2, (y2 - y1) / 2
        cx, cy = width / 2 + dx * cos + dy * sin, height / 2 - dx * sin + dy * cos
        w, h = torch.hypot(w * cos, h * sin), torch.hypot(w * sin, h * cos)
        return tv_tensors.wrap(torch.stack([cx - w, cy - h, cx + w, cy + h], dim=-1), like=x)
"""


class Rotation(GeometricStep):
    """``angle``: degrees, counter-clockwise."""

    name, title, draws = "rotation", "rotation", 1
    settings = (
        Setting(
            "rotation_degrees", "Rotation", "turned by up to this many degrees, either way",
            low=0, high=180, default=4.0, off=0, mild=0, strong=60, surprise_range=(5, 40),
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        return {"angle": config.rotation_degrees * either_way(uniform[:, 0]) + 0.0}

    def matrices(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        angle = np.radians(params["angle"])
        turn = identities(len(sizes))
        # y points down, so a counter-clockwise turn on the screen has this sign pattern.
        turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
        turn[:, 0, 1], turn[:, 1, 0] = np.sin(angle), -np.sin(angle)
        return about_centre(turn, sizes)

    def swing(self, config: Config, phase: float) -> Params:
        return {"angle": phase * (float(config.rotation_degrees) or SHOWN_DEGREES)}

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        if angle := params["angle"]:
            yield f"{angle:+.0f}°" if abs(angle) >= 1 else f"{angle:+.2g}°"

    def spoken(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        for words in self.words(params, size):
            degrees = words[1:-1]
            yield f"turned {degrees} degree{'s' if degrees != '1' else ''}"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        degrees = float(config.rotation_degrees)
        # Half a turn is the same in both directions.
        for angle in (-degrees, degrees) if degrees < 180 else (degrees,):
            yield Chosen("rotation_degrees", f"{angle:+g}°", {"angle": angle})

    def code(self, config: Config) -> Code:
        rest = f'({config.rotation_degrees}, interpolation="bilinear", fill={MEAN_COLOUR})'
        if config.box_rule == "hull":
            return Code(f"v2.RandomRotation{rest}")
        return Code(f"Rotation{rest}", _ELLIPSE, ("import math",))
