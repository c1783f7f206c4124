"""Turn decoded pixels of any mode into upright, smaller RGB, without full-size copies."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from model.errors import UserError

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_TILE_SIDE = 512  # pixels: large enough for speed; threads keep the memory of a tile's copies
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


class LoadedImage(NamedTuple):
    """An upright RGB image, and the ``(width, height)`` of the upright original it came from."""

    image: Image.Image
    original_size: tuple[int, int]


def refuse_too_many_pixels(size: tuple[int, int], max_pixels: int, name: str) -> None:
    """Raise ``UserError`` for an image with more than ``max_pixels``."""
    width, height = size
    if width * height > max_pixels:
        raise UserError(
            f"{name} has {width} x {height} pixels, more than the limit of"
            f" {max_pixels / 1e6:.0f} megapixels. Shrink it first."
        )


def upright_rgb(
    image: Image.Image, stored_size: tuple[int, int], longest_side: int | None
) -> LoadedImage:
    """A loaded image turned as its EXIF says, as RGB, no side longer than ``longest_side``.

    Args:
        image: not modified; returned itself if there is nothing to change.
        stored_size: ``(width, height)`` before the decoder shrank it.
        longest_side: pixels; ``None`` for full size.
    """
    orientation = exif_orientation(image)
    target = image.size
    if longest_side is not None:
        fitted = fitted_size(stored_size, longest_side)
        target = min(fitted[0], image.width), min(fitted[1], image.height)
    rgb = resized_rgb(image, upright_size(target, orientation), orientation)
    return LoadedImage(rgb, upright_size(stored_size, orientation))


def fitted_size(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    """``size`` shrunk, never enlarged, so that no side exceeds ``longest_side``."""
    scale = min(1.0, longest_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""The transposition that makes a stored image upright, by EXIF orientation; 1 is upright."""


def exif_orientation(image: Image.Image) -> int:
    """1 to 8, as EXIF numbers them; 1 is upright, or broken EXIF."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        # As in problems_named: broken EXIF raises anything. The photo itself may be fine.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


class Reduction(NamedTuple):
    """How many columns and rows are averaged into one."""

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


def resized_rgb(image: Image.Image, target: tuple[int, int], orientation: int = 1) -> Image.Image:
    """A loaded image turned, as RGB, of ``target`` size.

    Args:
        image: of any mode; not modified, returned itself if there is nothing to change.
        target: ``(width, height)`` after turning, not larger than the image.
        orientation: of EXIF, by which it is turned.
    """
    size = upright_size(image.size, orientation)
    factors = reduction(size, target)
    small = _reduced_rgb(image, factors, orientation)
    if small.size == target:
        return small
    box = (0, 0, size[0] / factors.x, size[1] / factors.y)
    return small.resize(target, Image.Resampling.BILINEAR, box=box)


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """``(width, height)`` after turning, of an image stored with this ``size``."""
    return size[::-1] if orientation >= 5 else size


def turned_box(box: Box, stored: tuple[int, int], orientation: int) -> Box:
    """A box on the stored photo, moved to the photo as EXIF turns it.

    Args:
        box: ``xyxy`` in pixels of the stored photo.
        stored: its width and height.
        orientation: of EXIF, 1 to 8.
    """
    width, height = stored
    x1, y1, x2, y2 = box
    if orientation in (2, 3, 7, 8):  # left and right are exchanged
        x1, x2 = width - x2, width - x1
    if orientation in (3, 4, 6, 7):  # top and bottom are exchanged
        y1, y2 = height - y2, height - y1
    return (y1, x1, y2, x2) if orientation >= 5 else (x1, y1, x2, y2)


def _reduced_rgb(image: Image.Image, factors: Reduction, orientation: int) -> Image.Image:
    if image.mode == "RGB" and orientation == 1 and not image.has_transparency_data:
        if factors == (1, 1):
            return image
        small = image.reduce(factors)
        # EXIF stays behind: it would turn the upright image once more.
        small.info = {k: v for k, v in image.info.items() if k == "icc_profile"}
        return small
    white = _white_level(image)
    size = upright_size(image.size, orientation)
    back = {6: 8, 8: 6}.get(orientation, orientation)  # the turn that undoes it
    small = Image.new("RGB", reduced_size(size, factors))
    for box in _tiles(size, factors):
        tile = _as_rgb(image.crop(turned_box(box, size, back)), white)
        tile = tile.transpose(UPRIGHT[orientation]) if orientation > 1 else tile
        small.paste(tile.reduce(factors), (box[0] // factors.x, box[1] // factors.y))
    return small


def _tiles(size: tuple[int, int], factors: Reduction) -> Iterator[tuple[int, int, int, int]]:
    width, height = (max(1, _TILE_SIDE // f) * f for f in factors)
    for top in range(0, size[1], height):
        for left in range(0, size[0], width):
            yield left, top, min(left + width, size[0]), min(top + height, size[1])


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
    """The value of white in a grey image of more than 8 bits.

    Cameras of 10, 12 or 14 bits store their values as they are in files of 16 or 32. So white is
    the largest number of the fewest bits that hold all values: better too light than black.
    """
    tiles = (image.crop(box) for box in _tiles(image.size, Reduction(1, 1)))
    brightest = max(float(np.nanmax(np.asarray(tile), initial=0.0)) for tile in tiles)
    if image.mode == "F":
        return 1.0 if brightest <= 1.0 else 255.0
    return next((w for w in (255.0, 1023.0, 4095.0, 16383.0) if brightest <= w), 65535.0)
