"""Decode an untrusted image file to upright RGB. Runs in a worker, never in the main program."""

import os
from collections.abc import Callable
from typing import IO

from PIL import Image, ImageFile, UnidentifiedImageError

from model.data.decoding.messages import Header, Request
from model.data.image_formats import HEIC, names_in_words, readable_formats
from model.data.image_opening import problems_named
from model.data.image_pixels import (
    LoadedImage,
    exif_orientation,
    fitted_size,
    refuse_too_many_pixels,
    upright_rgb,
)
from model.errors import UserError

_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
_HEIC_BRANDS = (b"hei", b"hev", b"mif")
_TAIL = 32  # bytes in which the end of a whole file is looked for


def decode(
    stream: IO[bytes], request: Request, opened: Callable[[tuple[int, int]], None]
) -> LoadedImage:
    """Decode an image.

    Args:
        stream: of the file; must be seekable.
        request: the size that is wanted, and limits.
        opened: called with the size in the header before pixels are decoded.

    Raises:
        UserError: if it is empty, in another format, damaged or too large.
    """
    stream.seek(0)
    image = open_image(stream, request.name)
    stored_size = image.size
    opened(stored_size)
    refuse_too_many_pixels(stored_size, request.max_pixels, request.name)
    with problems_named(request.name):
        if request.longest_side is not None and image.format in ("JPEG", "MPO"):
            # The decoder itself shrinks by a power of two: several times faster for large photos.
            image.draft(None, fitted_size(stored_size, request.longest_side))
        announced = image.size
        image.load()
        if image.size != announced:  # the size of a HEIC is known for sure only now
            stored_size = image.size
    refuse_too_many_pixels(stored_size, request.max_pixels, request.name)
    with problems_named(request.name):
        return upright_rgb(image, stored_size, request.longest_side)


def read_header(stream: IO[bytes], name: str) -> Header:
    """Read the header of an image file, without decoding its pixels.

    Raises:
        UserError: if it is empty, in another format, or damaged.
    """
    image = open_image(stream, name)
    with problems_named(name):
        return Header(image.size, exif_orientation(image), _ends_well(stream, image.format))


def _ends_well(stream: IO[bytes], format_: str | None) -> bool:
    end = _ENDS.get(format_ or "")
    if not end:
        return True
    length = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, length - _TAIL))
    return end in stream.read()


def open_image(stream: IO[bytes], name: str) -> ImageFile.ImageFile:
    """Read the header of an image in one of the readable formats.

    Raises:
        UserError: if it is empty, in another format, or damaged.
    """
    allowed = [each.pillow_name for each in readable_formats()]
    with problems_named(name):
        try:
            return Image.open(stream, formats=allowed)
        except UnidentifiedImageError:
            stream.seek(0)
            raise UserError(_why_unidentified(name, stream.read(32))) from None


def _why_unidentified(name: str, head: bytes) -> str:
    if not head:
        return f"{name} is empty (0 bytes). Save or download it again."
    brand = head[8:11] if head[4:8] == b"ftyp" else b""
    if brand == b"avi" or (brand in _HEIC_BRANDS and HEIC in readable_formats()):
        return (
            f"{name} is damaged and cannot be decoded (it ends too early, or names no picture)."
            " Save or download it again."
        )
    if brand in _HEIC_BRANDS:
        return (
            f"{name} is a HEIC photo, which needs an optional package: pip install pillow-heif,"
            " or save the photo as JPEG."
        )
    return f"{name} is not an image this program can read. Use {names_in_words()}."
