"""Seen at an angle: each corner of the photo moves inwards on its own."""

from collections.abc import Iterator

import numpy as np

from model.augment.normalisation import MEAN_COLOUR
from model.augment.steps.base import Box, Chosen, Code, Config, GeometricStep, Params, Setting

SHOWN = 0.3  # strength of the swing where the setting is off
CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)  # in shares of the photo
# For each side that can be farther away: which corners move along x and y.
FAR = {
    "top": np.array([[1, 0], [1, 0], [0, 0], [0, 0]]),
    "bottom": np.array([[0, 0], [0, 0], [1, 0], [1, 0]]),
    "left": np.array([[0, 1], [0, 0], [0, 0], [0, 1]]),
    "right": np.array([[0, 0], [0, 1], [0, 1], [0, 0]]),
}


class Perspective(GeometricStep):
    """``corners``: ``4 x 2`` shares of half the width and height by which corners move inwards.

    Clockwise from the top left. Above two thirds, corners could pass each other, so one half is the
    maximum.
    """

    name, title, draws = "perspective", "perspective", 8
    settings = (
        Setting(
            "perspective", "Perspective", "corners move inwards by up to this share of half a side",
            low=0, high=0.5, default=0, off=0, mild=0, strong=0.4, surprise_range=(0.05, 0.3),
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        return {"corners": config.perspective * uniform.reshape(-1, 4, 2)}

    def matrices(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        size = sizes[:, None, :]
        before = CORNERS * size
        after = before + np.asarray(params["corners"]) * (0.5 - CORNERS) * size
        x, y, u, v = before[..., 0], before[..., 1], after[..., 0], after[..., 1]
        # u = (ax + by + c) / (gx + hy + 1) and v likewise, for each corner: eight equations.
        one, none = np.ones_like(x), np.zeros_like(x)
        across = np.stack([x, y, one, none, none, none, -u * x, -u * y], axis=-1)
        down = np.stack([none, none, none, x, y, one, -v * x, -v * y], axis=-1)
        moved = np.concatenate([u, v], axis=1)[..., None]
        entries = np.linalg.solve(np.concatenate([across, down], axis=1), moved)[..., 0]
        return np.concatenate([entries, one[:, :1]], axis=1).reshape(-1, 3, 3)

    def swing(self, config: Config, phase: float) -> Params:
        moving = FAR["top"] if phase > 0 else FAR["bottom"]
        return {"corners": (abs(phase) * (config.perspective or SHOWN) * moving).tolist()}

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        if most := round(100 * np.max(params["corners"])):
            yield f"corners in by up to {most} %"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        for side, moving in FAR.items():
            corners = (config.perspective * moving).tolist()
            yield Chosen("perspective", f"{side} far away", {"corners": corners})

    def code(self, config: Config) -> Code:
        rest = f'1, interpolation="bilinear", fill={MEAN_COLOUR}'
        return Code(f"v2.RandomPerspective({config.perspective}, {rest})")
