"""Artefacts of JPEG compression."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from model.augment.steps.base import Box, Chosen, Code, Config, Params, PixelStep, Setting

BEST = 100  # quality at which the photo is left as it is


class Jpeg(PixelStep):
    """``quality``: JPEG quality, 1 to 100; 100 leaves the photo as it is."""

    name, title, group, draws = "jpeg", "JPEG", "quality", 1
    settings = (
        Setting(
            "jpeg_loss", "JPEG", "saved at a quality of 100 less up to this",
            low=0, high=99, default=0, off=0, mild=0, strong=90, surprise_range=(20, 80),
            too_much=91, warning="Below a JPEG quality of 10 there is little left but blocks.",
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        return {"quality": np.rint(BEST - config.jpeg_loss * uniform[:, 0]).astype(int)}

    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        if params["quality"] >= BEST:
            return photo
        # JPEG blocks are 8 canvas pixels wide, so other sizes are compressed at canvas size.
        canvas = max(1, round(photo.width / scale[0])), max(1, round(photo.height / scale[1]))
        file = io.BytesIO()
        small = photo if canvas == photo.size else photo.resize(canvas, Image.Resampling.BILINEAR)
        small.save(file, "JPEG", quality=params["quality"])
        with Image.open(file) as saved:
            return saved.convert("RGB").resize(photo.size, Image.Resampling.BILINEAR)

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        if params["quality"] < BEST:
            yield f"JPEG quality {params['quality']}"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        quality = round(BEST - config.jpeg_loss)
        yield Chosen("jpeg_loss", f"JPEG quality {quality}", {"quality": quality})

    def code(self, config: Config) -> Code:
        return Code(f"v2.JPEG(({max(1, round(BEST - config.jpeg_loss))}, {BEST}))")
