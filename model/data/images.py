"""Read any image as an upright RGB ``PIL.Image``. The only module that opens images.

Handles what real uploads bring: EXIF rotation, transparency (laid over white), 16-bit and float
grey (scaled, not saturated), palettes, CMYK, animations (first frame), WebP, AVIF, and HEIC where
the optional ``pillow-heif`` is installed. Files are decoded in worker processes with limits on time
and memory: see :mod:`model.data.decoding`.
"""

import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from model.data.decoding.messages import MAX_PROFILE, Header, Request
from model.data.decoding.pool import OWN_WORKERS, decode, decode_each
from model.data.image_formats import IMAGE_SUFFIXES
from model.data.image_opening import name_of, open_file, problems_named
from model.data.image_pixels import LoadedImage, refuse_too_many_pixels, upright_rgb
from model.errors import UserError

MAX_PIXELS = 100_000_000
GROUP = 16  # photos a worker is given together

ImageSource = str | Path | bytes | Image.Image | np.ndarray


def load_image(source: ImageSource, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open anything image-like as an upright RGB image at its full size.

    Args:
        source: a path, the bytes of a file, a PIL image, or an array ``(H, W)``, ``(H, W, 1)``,
            ``(H, W, 3)`` or ``(H, W, 4)`` of uint8, uint16, or floats in 0..1.
        max_pixels: images with more are refused before they are decoded.

    Raises:
        UserError: if it is missing, empty, damaged, no image, or takes too much time or memory
            (:mod:`model.data.decoding.pool` has the limits); the text names the file.
    """
    return load_fitted(source, None, max_pixels).image


def load_fitted(
    source: ImageSource, longest_side: int | None, max_pixels: int = MAX_PIXELS
) -> LoadedImage:
    """Like :func:`load_image`, shrunk so that no side exceeds ``longest_side`` (never enlarged).

    For JPEGs the decoder itself shrinks by a power of two first, which makes a 12-megapixel photo
    several times faster to read; boxes stay exact because they scale with ``original_size``.
    """
    request = Request(name_of(source), longest_side, max_pixels)
    if isinstance(source, np.ndarray):
        source = _from_array(source)
    if isinstance(source, Image.Image):
        return _from_image(source, request)
    if isinstance(source, bytes):
        loaded = decode(source, request)
    else:
        with open_file(source, request.name) as stream:
            loaded = decode(stream, request)
    assert isinstance(loaded, LoadedImage)  # the request was not for a header alone
    return loaded


def load_each(files: Sequence[Path], longest_side: int | None) -> Iterator[LoadedImage | UserError]:
    """:func:`load_fitted` for many files, on all cores: images in order, or what is wrong with one.

    Only a few are held at a time, however many there are.
    """
    return _each(files, Request("", longest_side, MAX_PIXELS))


# No limit on pixels: reading a header takes no memory.
_HEADER_ONLY = Request("", None, sys.maxsize, header_only=True)


def read_header(file: Path) -> Header:
    """The header of an image file, read within the current visitor's request if there is one.

    Raises:
        UserError: as :func:`load_image`.
    """
    request = _HEADER_ONLY._replace(name=name_of(file))
    with open_file(file, request.name) as stream:
        header = decode(stream, request)
    assert isinstance(header, Header)
    return header


def read_headers(files: Sequence[Path]) -> Iterator[Header | UserError]:
    """The headers of many image files, in order; or what is wrong with one."""
    return _each(files, _HEADER_ONLY)


def _each(files: Sequence[Path], options: Request) -> Iterator[Any]:
    groups = [files[start : start + GROUP] for start in range(0, len(files), GROUP)]
    with ThreadPoolExecutor(OWN_WORKERS + 1, "load") as threads:
        ahead: deque[Future[list[Any]]] = deque()
        try:
            for group in groups:
                ahead.append(threads.submit(_ask_group, group, options))
                if len(ahead) > 2 * OWN_WORKERS:
                    yield from ahead.popleft().result()
            while ahead:
                yield from ahead.popleft().result()
        finally:  # the caller may stop early
            for future in ahead:
                future.cancel()


def _ask_group(files: Sequence[Path], options: Request) -> list[Any]:
    """Decode the program's own photos, which do not wait in the lines of visitors."""
    unreadable: dict[int, UserError] = {}
    jobs: list[tuple[Request, IO[bytes]]] = []
    with ExitStack() as opened:
        for i, file in enumerate(files):
            request = options._replace(name=name_of(file))
            try:
                jobs.append((request, opened.enter_context(open_file(file, request.name))))
            except UserError as error:
                unreadable[i] = error
        outcomes = iter(decode_each(jobs))
    return [unreadable.get(i) or next(outcomes) for i in range(len(files))]


def find_images(paths: list[Path]) -> list[Path]:
    """The files named, and the images inside the folders named (recursively, sorted).

    A file that does not exist is included: reading it raises an error that names it.

    Raises:
        UserError: if none exists or nothing is found.
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
    if not any(map(os.path.lexists, found)):
        raise UserError(f"{found[0]} does not exist. Name image files, or folders that hold some.")
    return found


def _images_at(path: Path) -> list[Path]:
    if path.is_dir():
        inside = path.rglob("*")
        return sorted(p for p in inside if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    return [path]


def _from_image(source: Image.Image, request: Request) -> LoadedImage:
    """Read a PIL image of the caller, which is trusted and decoded in this process."""
    refuse_too_many_pixels(source.size, request.max_pixels, request.name)
    with problems_named(request.name):
        source.load()
        image, original_size = upright_rgb(source, source.size, request.longest_side)
    image = image.copy() if image is source else image
    # EXIF must go: it would turn the upright image once more.
    image.info = {
        k: v for k, v in image.info.items() if k == "icc_profile" and len(v) <= MAX_PROFILE
    }
    return LoadedImage(image, original_size)


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
