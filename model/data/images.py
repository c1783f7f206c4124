"""Any image people have -> one upright RGB ``PIL.Image``. The only place that opens images.

Handles what real uploads bring: EXIF rotation, transparency (laid over white), 16-bit and float
grey (scaled, not saturated), palettes, CMYK, animations (first frame), WebP, AVIF, and HEIC where
the optional ``pillow-heif`` is installed. Memory is bounded: see :mod:`model.data.image_memory`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from model.data.image_formats import IMAGE_SUFFIXES
from model.data.image_memory import BUDGET, MAX_DECODED_BYTES, decoding_bytes
from model.data.image_opening import (
    OpenedImage,
    bytes_in,
    name_of,
    open_image,
    open_stream,
    problems_named,
    turn_upright,
)
from model.data.image_pixels import reduced_size, reduction, resized_rgb, turned_size
from model.errors import UserError

MAX_PIXELS = 100_000_000
_OPENING_BYTES = 32 * 2**20  # reserved for reading a header, and enough for most small photos

ImageSource = str | Path | bytes | Image.Image | np.ndarray


@dataclass(frozen=True)
class LoadedImage:
    """An upright RGB image and the ``(width, height)`` of the upright original it came from."""

    image: Image.Image
    original_size: tuple[int, int]


@dataclass(frozen=True)
class _Wish:
    """What a caller wants of an image.

    Attributes:
        name: of the image in error texts.
        longest_side: pixels; ``None`` for full size.
        max_pixels: images with more are refused.
    """

    name: str
    longest_side: int | None
    max_pixels: int


def load_image(source: ImageSource, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open anything image-like as an upright RGB image at its full size.

    Args:
        source: a path, the bytes of a file, a PIL image, or an array ``(H, W)``, ``(H, W, 1)``,
            ``(H, W, 3)`` or ``(H, W, 4)`` of uint8, uint16, or floats in 0..1.
        max_pixels: images with more are refused before they are decoded, and so are those that
            take more than :data:`model.data.image_memory.MAX_DECODED_BYTES` to decode.

    Raises:
        UserError: if it is missing, empty, damaged, too large or no image; the text names the file.
    """
    return load_fitted(source, None, max_pixels).image


def load_fitted(
    source: ImageSource, longest_side: int | None, max_pixels: int = MAX_PIXELS
) -> LoadedImage:
    """Like :func:`load_image`, shrunk so that no side exceeds ``longest_side`` (never enlarged).

    For JPEGs the decoder itself shrinks by a power of two first, which makes a 12-megapixel photo
    several times faster to read; boxes stay exact because they scale with ``original_size``.
    """
    wish = _Wish(name_of(source), longest_side, max_pixels)
    if isinstance(source, np.ndarray):
        source = _from_array(source)
    if isinstance(source, Image.Image):
        opened = OpenedImage(source, source.size)
        with BUDGET.reserve(_bytes_needed(opened, wish)), problems_named(wish.name):
            return _decoded(opened, wish)
    with open_stream(source, wish.name) as stream:
        return _from_stream(stream, wish)


def find_images(paths: list[Path]) -> list[Path]:
    """The files named, and the images inside the folders named (recursively, sorted).

    Raises:
        UserError: if a path does not exist or nothing is found.
    """
    found: list[Path] = []
    for path in paths:
        try:
            found += _images_at(path)
        except OSError as error:  # a name longer than the system allows, a disk that fails
            raise UserError(f"{name_of(path)} cannot be read: {error.strerror}.") from error
    if not found:
        names = ", ".join(map(str, paths))
        raise UserError(f"no images in {names}. Looked for {' '.join(sorted(IMAGE_SUFFIXES))}.")
    return found


def _images_at(path: Path) -> list[Path]:
    if path.is_dir():
        inside = path.rglob("*")
        return sorted(p for p in inside if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    if not path.exists():
        raise UserError(f"{path} does not exist. Name image files, or folders that hold some.")
    return [path]


def _from_stream(stream: IO[bytes], wish: _Wish) -> LoadedImage:
    # Some decoders copy the file, and its metadata out of it, when they open it.
    available = _OPENING_BYTES + 4 * bytes_in(stream)
    with BUDGET.reserve(available):
        result = _decoded_within(available, stream, wish)
    if isinstance(result, LoadedImage):
        return result
    # It is opened once more: nothing may be held while waiting for more, or all might wait for one
    # another.
    available += result
    with BUDGET.reserve(available):
        result = _decoded_within(available, stream, wish)
    assert isinstance(result, LoadedImage)
    return result


def _decoded_within(available: int, stream: IO[bytes], wish: _Wish) -> LoadedImage | int:
    """The image, or the bytes needed for it if they are more than are ``available``."""
    opened = _open(stream, wish)
    needed = _bytes_needed(opened, wish)
    if needed > available:
        return needed
    with problems_named(wish.name):
        return _decoded(opened, wish)


def _open(stream: IO[bytes], wish: _Wish) -> OpenedImage:
    image = open_image(stream, wish.name)
    stored_size = image.size
    if wish.longest_side is not None and image.format in ("JPEG", "MPO"):
        with problems_named(wish.name):
            image.draft(None, _fit(stored_size, wish.longest_side))
    return OpenedImage(image, stored_size)


def _bytes_needed(opened: OpenedImage, wish: _Wish) -> int:
    """Bytes decoding takes.

    Raises:
        UserError: if the image has too many pixels, or needs too many bytes.
    """
    width, height = opened.stored_size
    if width * height > wish.max_pixels:
        raise UserError(
            f"{wish.name} has {width} x {height} pixels, more than the limit of"
            f" {wish.max_pixels / 1e6:.0f} megapixels. Shrink it first."
        )
    size = opened.image.size
    kept_width, kept_height = reduced_size(size, reduction(size, _target(opened, wish)))
    with problems_named(wish.name):
        needed = decoding_bytes(opened.image, opened.stored_size, kept_width * kept_height)
    if needed > MAX_DECODED_BYTES:
        raise UserError(
            f"{wish.name} has {width} x {height} pixels, which take {needed / 1e9:.1f} GB to"
            f" decode, more than the limit of {MAX_DECODED_BYTES / 1e9:.1f} GB. Shrink it first."
        )
    return needed


def _target(opened: OpenedImage, wish: _Wish) -> tuple[int, int]:
    """The size wanted, not turned yet."""
    if wish.longest_side is None:
        return opened.image.size
    fitted = _fit(opened.stored_size, wish.longest_side)
    width, height = opened.image.size
    return min(fitted[0], width), min(fitted[1], height)


def _fit(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    scale = min(1.0, longest_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _decoded(opened: OpenedImage, wish: _Wish) -> LoadedImage:
    announced = opened.image.size
    opened.image.load()
    if opened.image.size != announced:  # the size of a HEIC is known for sure only now
        opened = OpenedImage(opened.image, opened.image.size)
    turn = turn_upright(opened.image)
    image = resized_rgb(opened.image, turned_size(_target(opened, wish), turn), turn)
    return LoadedImage(image, turned_size(opened.stored_size, turn))


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[2] in (3, 4)
    if not (grey or colour) or 0 in array.shape:
        raise UserError(
            f"an image array must be (height, width), or (height, width, 1, 3 or 4),"
            f" not {array.shape}."
        )
    if array.dtype == np.uint16:
        array = np.round(array / 257).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        # Not by their sum, which for float16 is infinite beyond 65,504.
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise UserError("a float image array must be finite and within 0..1; divide it by 255.")
        array = np.round(array.astype(np.float32) * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise UserError(f"an image array must be uint8, uint16 or float, not {array.dtype}.")
    return Image.fromarray(array)
