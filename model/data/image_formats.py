"""The formats this project reads, in one place: what Pillow may try, file suffixes, names in texts.

Pillow alone knows some forty formats and hands PostScript to Ghostscript, whatever the file is
called. Uploads come from strangers, so nothing that is not in this list is ever tried.
"""

from dataclasses import dataclass
from functools import cache

from PIL import Image


@dataclass(frozen=True)
class ImageFormat:
    """A format.

    Attributes:
        name: as people write it.
        pillow_name: of Pillow's plugin.
        suffixes: of its files, lower case.
        decoder_bytes: a pixel, that decoding takes besides the decoded image at its peak; at most,
            for :mod:`model.data.image_memory` knows more of JPEG and TIFF.
    """

    name: str
    pillow_name: str
    suffixes: tuple[str, ...]
    decoder_bytes: int


# Needs the optional package pillow-heif.
HEIC = ImageFormat("HEIC", "HEIF", (".heic", ".heif"), 12)
FORMATS = (
    ImageFormat("JPEG", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), 8),
    ImageFormat("PNG", "PNG", (".png",), 1),
    ImageFormat("WebP", "WEBP", (".webp",), 16),
    ImageFormat("AVIF", "AVIF", (".avif",), 16),
    ImageFormat("GIF", "GIF", (".gif",), 4),
    ImageFormat("TIFF", "TIFF", (".tif", ".tiff"), 8),
    ImageFormat("BMP", "BMP", (".bmp",), 4),
    ImageFormat("PPM", "PPM", (".ppm", ".pgm"), 4),
    HEIC,
)
IMAGE_SUFFIXES = frozenset(suffix for each in FORMATS for suffix in each.suffixes)


@cache
def heic_is_readable() -> bool:
    """Whether ``pillow-heif`` is installed; registers its plugin with Pillow."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def readable_formats() -> tuple[ImageFormat, ...]:
    """:data:`FORMATS`, without HEIC where ``pillow-heif`` is not installed."""
    return tuple(each for each in FORMATS if each is not HEIC or heic_is_readable())


def format_of(image: Image.Image) -> ImageFormat | None:
    """The format an image was opened from; ``None`` if it came from elsewhere."""
    # MPO is several JPEGs in one file, as many phones write them; the JPEG plugin reads them.
    name = "JPEG" if image.format == "MPO" else image.format
    return next((each for each in FORMATS if each.pillow_name == name), None)


def names_in_words() -> str:
    """The readable formats for a sentence: ``JPEG, PNG, ... or PPM``."""
    *most, last = [each.name for each in readable_formats()]
    return f"{', '.join(most)} or {last}"
