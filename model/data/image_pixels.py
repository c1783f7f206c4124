"""Decoded pixels of any mode -> upright RGB, smaller on the way, without full-size copies."""

from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
from PIL import Image

_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_TILE_SIDE = 512  # pixels: large enough for speed; threads keep the memory of a tile's copies
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


class Reduction(NamedTuple):
    """How many columns and rows become one."""

    x: int
    y: int


def reduction(size: tuple[int, int], target: tuple[int, int]) -> Reduction:
    """The whole factors that leave an image of ``size`` at least twice as large as ``target``.

    The rest is left to a proper filter; ``Image.resize(reducing_gap=2.0)`` does the same.
    """
    return Reduction(*(max(1, int(s / t / 2.0)) for s, t in zip(size, target, strict=True)))


def reduced_size(size: tuple[int, int], factors: Reduction) -> tuple[int, int]:
    """``size`` over ``factors``, rounded up."""
    return -(-size[0] // factors.x), -(-size[1] // factors.y)


def resized_rgb(
    image: Image.Image, target: tuple[int, int], turn: Image.Transpose | None = None
) -> Image.Image:
    """A loaded image turned, as RGB, of ``target`` size; always a new image.

    Args:
        image: of any mode; left as it is.
        target: ``(width, height)`` after turning, not larger than the image.
        turn: as ``Image.transpose`` takes it; ``None`` for an image that is upright.
    """
    size = turned_size(image.size, turn)
    factors = reduction(size, target)
    small = _reduced_rgb(image, factors, turn)
    if small.size == target:
        return small
    box = (0, 0, size[0] / factors.x, size[1] / factors.y)
    return small.resize(target, Image.Resampling.BILINEAR, box=box)


def turned_size(size: tuple[int, int], turn: Image.Transpose | None) -> tuple[int, int]:
    """``(width, height)`` after turning."""
    return size[::-1] if turn in _SWAPPING else size


_SWAPPING = frozenset({
    Image.Transpose.TRANSPOSE, Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270,
})  # fmt: skip


def _reduced_rgb(
    image: Image.Image, factors: Reduction, turn: Image.Transpose | None
) -> Image.Image:
    if image.mode == "RGB" and turn is None and not image.has_transparency_data:
        small = image.reduce(factors)
        # EXIF stays behind: it would turn the upright image once more.
        small.info = {k: v for k, v in image.info.items() if k == "icc_profile"}
        return small
    white = _white_level(image)
    size = turned_size(image.size, turn)
    small = Image.new("RGB", reduced_size(size, factors))
    for box in _tiles(size, factors):
        tile = _as_rgb(image.crop(_before_turn(box, image.size, turn)), white)
        tile = tile.transpose(turn) if turn is not None else tile
        small.paste(tile.reduce(factors), (box[0] // factors.x, box[1] // factors.y))
    return small


Box = tuple[int, int, int, int]  # left, top, right, bottom


def _tiles(size: tuple[int, int], factors: Reduction) -> Iterator[Box]:
    width, height = (max(1, _TILE_SIDE // f) * f for f in factors)
    for top in range(0, size[1], height):
        for left in range(0, size[0], width):
            yield left, top, min(left + width, size[0]), min(top + height, size[1])


def _before_turn(box: Box, size: tuple[int, int], turn: Image.Transpose | None) -> Box:
    """Where a box of the turned image lies in the image of ``size`` as it is stored."""
    left, top, right, bottom = box
    if turn in _SWAPPING:
        left, top, right, bottom = top, left, bottom, right
    if turn in _FROM_THE_RIGHT:
        left, right = size[0] - right, size[0] - left
    if turn in _FROM_BELOW:
        top, bottom = size[1] - bottom, size[1] - top
    return left, top, right, bottom


_FROM_THE_RIGHT = frozenset({
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE,
})  # fmt: skip
_FROM_BELOW = frozenset({
    Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
})  # fmt: skip


def _as_rgb(image: Image.Image, white: float) -> Image.Image:
    if image.mode in _DEEP_MODES:
        image = _scaled_to_8_bits(image, white)
    if image.has_transparency_data:
        image = image.convert(_PREMULTIPLIED.get(image.mode, image.mode)).convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _scaled_to_8_bits(image: Image.Image, white: float) -> Image.Image:
    """Grey with more than 8 bits. Pillow's own convert() cuts at 255, which turns photos white."""
    with np.errstate(invalid="ignore"):  # NaN and infinity are dealt with below
        values = np.asarray(image, dtype=np.float64) / white * 255
    return Image.fromarray(np.nan_to_num(values).clip(0, 255).round().astype(np.uint8))


def _white_level(image: Image.Image) -> float:
    """The value of white in a grey image of more than 8 bits."""
    if image.mode == "F":
        tiles = (image.crop(box) for box in _tiles(image.size, Reduction(1, 1)))
        brightest = max(float(np.nanmax(np.asarray(tile), initial=0.0)) for tile in tiles)
        return 1.0 if brightest <= 1.0 else 255.0
    if image.mode == "I":
        _, brightest = cast(tuple[float, float], image.getextrema())  # a pair for one channel
        return 255.0 if brightest <= 255 else 65535.0
    return 65535.0
