"""The image formats this project reads: Pillow plugins, file suffixes, and names for texts.

Pillow alone knows some forty formats and hands PostScript to Ghostscript, whatever the file is
called. Uploads are untrusted, so no format outside this list is ever tried.
"""

import importlib.util
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class ImageFormat:
    """A format: its name as people write it, that of Pillow's plugin, and lower-case suffixes."""

    name: str
    pillow_name: str
    suffixes: tuple[str, ...]


# Needs the optional package pillow-heif.
HEIC = ImageFormat("HEIC", "HEIF", (".heic", ".heif"))
FORMATS = (
    ImageFormat("JPEG", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif")),
    ImageFormat("PNG", "PNG", (".png",)),
    ImageFormat("WebP", "WEBP", (".webp",)),
    ImageFormat("AVIF", "AVIF", (".avif",)),
    ImageFormat("GIF", "GIF", (".gif",)),
    ImageFormat("TIFF", "TIFF", (".tif", ".tiff")),
    ImageFormat("BMP", "BMP", (".bmp",)),
    ImageFormat("PPM", "PPM", (".ppm", ".pgm")),
    HEIC,
)
IMAGE_SUFFIXES = frozenset(suffix for each in FORMATS for suffix in each.suffixes)


@cache
def heic_is_readable() -> bool:
    """Whether ``pillow-heif`` is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def readable_formats() -> tuple[ImageFormat, ...]:
    """:data:`FORMATS`, without HEIC where ``pillow-heif`` is not installed."""
    return tuple(each for each in FORMATS if each is not HEIC or heic_is_readable())


def names_in_words() -> str:
    """The readable formats for a sentence: ``JPEG, PNG, ... or PPM``."""
    *most, last = [each.name for each in readable_formats()]
    return f"{', '.join(most)} or {last}"
