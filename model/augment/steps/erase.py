"""Patches cover parts of the photo, like objects in the foreground.

Zhong et al. 2017, "Random Erasing Data Augmentation". The boxes stay: a half-covered object is
still where it was.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from model.augment.normalisation import MEAN_COLOUR
from model.augment.steps.base import Box, Chosen, Code, Config, Params, PixelStep, Setting
from model.augment.streams import either_way
from model.words import percent

PATCHES = 3


class Erase(PixelStep):
    """``patches``: ``3 x 4`` left, top, right and bottom, in shares of the photo."""

    name, title, group, draws = "erase", "erased patches", "quality", 4 * PATCHES
    settings = (
        Setting(
            "erase", "Erase", "patches cover up to this share of the picture; the box stays",
            low=0, high=0.5, default=0, off=0, mild=0, strong=0.4, surprise_range=(0.05, 0.25),
            too_much=0.35,
            warning="Patches this large can hide an object whose box is still asked for.",
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        size, shape, left, top = np.moveaxis(uniform.reshape(-1, PATCHES, 4), -1, 0)
        area, aspect = config.erase / PATCHES * size, 2 ** either_way(shape)
        width, height = np.sqrt(area * aspect), np.sqrt(area / aspect)
        left, top = left * (1 - width), top * (1 - height)
        return {"patches": np.stack([left, top, left + width, top + height], axis=-1)}

    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        photo = photo.copy()
        for patch in params["patches"]:
            corners = [round(v * n) for v, n in zip(patch, photo.size * 2, strict=True)]
            photo.paste(MEAN_COLOUR, (corners[0], corners[1], corners[2], corners[3]))
        return photo

    def hidden(self, params: Params, bbox_xyxy: np.ndarray) -> np.ndarray:
        return _covered(bbox_xyxy, np.asarray(params["patches"]))

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        covered = float(_covered(np.array([0.0, 0, 1, 1]), np.asarray(params["patches"])))
        if share := round(100 * covered):
            yield f"{share} % erased"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        # The largest patches, side by side over the centre of the object.
        side = (config.erase / PATCHES) ** 0.5
        x, y = (box[0] + box[2]) / 2 / size[0], (box[1] + box[3]) / 2 / size[1]
        left = min(max(x - PATCHES * side / 2, 0), max(1 - PATCHES * side, 0))
        top = min(max(y - side / 2, 0), 1 - side)
        lefts = [min(left + index * side, 1 - side) for index in range(PATCHES)]
        patches = [[start, top, start + side, top + side] for start in lefts]
        yield Chosen("erase", f"{percent(config.erase, 0)} erased", {"patches": patches})

    def code(self, config: Config) -> Code:
        most = round(config.erase / PATCHES, 6)
        one = f"v2.RandomErasing(1, (0, {most}), (0.5, 2), value={list(MEAN_COLOUR)})"
        return Code(f"*[{one} for _ in range({PATCHES})]")


def _covered(boxes: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """Share ``(...,)`` of boxes ``(..., 4)`` under patches ``(..., 3, 4)``, which may overlap."""
    low, high = np.tile(boxes[..., None, :2], 2), np.tile(boxes[..., None, 2:], 2)
    within = np.clip(patches, low, high)
    # Edges of all patches form a grid, each cell of which is covered wholly or not at all.
    pairs = ([within[..., i], within[..., i + 2]] for i in (0, 1))
    xs, ys = (np.sort(np.concatenate(pair, axis=-1)) for pair in pairs)
    x, y = (xs[..., :-1] + xs[..., 1:]) / 2, (ys[..., :-1] + ys[..., 1:]) / 2
    across = (within[..., 0, None] < x[..., None, :]) & (x[..., None, :] < within[..., 2, None])
    down = (within[..., 1, None] < y[..., None, :]) & (y[..., None, :] < within[..., 3, None])
    cells = (across[..., :, None] & down[..., None, :]).any(axis=-3)
    area = (cells * np.diff(xs)[..., :, None] * np.diff(ys)[..., None, :]).sum(axis=(-2, -1))
    return area / np.maximum(np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1), 1e-12)
