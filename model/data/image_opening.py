"""A file or bytes from anyone -> an opened image, or one sentence that says what is wrong.

This is the border to third-party decoders. Whatever they raise, their callers see a ``UserError``.
"""

import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from PIL import ExifTags, Image, ImageFile, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from model.data.image_formats import HEIC, names_in_words, readable_formats
from model.errors import UserError

# Text of a PNG is decompressed when the file is opened; Pillow's own limit is 64 MiB.
PngImagePlugin.MAX_TEXT_MEMORY = 4 * 2**20  # type: ignore[bad-assignment]  # Pillow's own number
MAX_TAG_BYTES = 8 * 2**20  # of one TIFF or EXIF directory
_LONGEST_NAME = 4096  # of a path on any system


@dataclass(frozen=True)
class OpenedImage:
    """An image whose header is read and whose pixels are not.

    Attributes:
        image: a JPEG may have been told to shrink while decoding.
        stored_size: ``(width, height)`` as stored, before that.
    """

    image: Image.Image
    stored_size: tuple[int, int]


def name_of(source: object) -> str:
    """What to call a source in an error text."""
    if not isinstance(source, (str, Path)):
        return "the image"
    name = str(source)
    return name if len(name) <= _LONGEST_NAME else f"{name[:40]}..."


@contextmanager
def problems_named(name: str) -> Generator[None]:
    """Turn whatever a decoder raises inside the block into a ``UserError`` that names the file."""
    with warnings.catch_warnings():
        # Remarks on odd metadata, and on sizes for which our own limit speaks.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            yield
        except UserError:
            raise
        except Image.DecompressionBombError as error:
            raise UserError(f"{name} is too large to open ({error}). Shrink it first.") from None
        except MemoryError as error:
            raise UserError(f"{name} needs more memory than there is. Shrink it first.") from error
        except Exception as error:
            # Not a list of types: decoders raise RuntimeError, IndexError, struct.error, TypeError,
            # OverflowError, zlib.error and more on damaged files, and their next release others.
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise UserError(
                f"{name} is damaged and cannot be decoded ({reason}). Save or download it again."
            ) from error


@contextmanager
def open_stream(source: str | Path | bytes, name: str) -> Generator[IO[bytes]]:
    """The bytes of a source as a stream that can be read again from its start.

    Raises:
        UserError: if there is no such file, or none that may be read.
    """
    if isinstance(source, bytes):
        yield BytesIO(source)
        return
    try:
        path = Path(source)
        if path.exists() and not path.is_file():
            what = "a folder, not an image. Name a file in it" if path.is_dir() else "no image file"
            raise UserError(f"{name} is {what}.")
        stream = path.open("rb")
    except FileNotFoundError:
        raise UserError(f"{name} does not exist. Check the path.") from None
    except PermissionError:
        raise UserError(f"{name} cannot be read: permission denied.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{name} cannot be read: {reason}.") from None
    with stream:
        yield stream


def bytes_in(stream: IO[bytes]) -> int:
    """The length of a stream."""
    return stream.seek(0, os.SEEK_END)


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
    if (
        head[4:8] == b"ftyp"
        and head[8:11] in (b"hei", b"hev", b"mif")
        and HEIC not in readable_formats()
    ):
        return (
            f"{name} is a HEIC photo, which needs an optional package: pip install pillow-heif,"
            " or save the photo as JPEG."
        )
    return f"{name} is not an image this program can read. Use {names_in_words()}."


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turn_upright(image: Image.Image) -> Image.Transpose | None:
    """What makes a loaded image upright, by its EXIF; ``None`` for nothing, or broken EXIF."""
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        # As in problems_named: broken EXIF raises anything. The photo itself may be fine.
        return None


class _MeteredStream:
    """Reads of a stream, until they add up to :data:`MAX_TAG_BYTES`."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MAX_TAG_BYTES
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise OSError("more tags than can be held")
        return data


def _limit_tag_memory() -> None:
    """Let Pillow stop reading a TIFF or EXIF directory that takes absurd memory.

    Each of its 65,535 tags may claim all bytes of the file, and Pillow copies them for each. There
    is no setting for it. Reading ends there as at the end of a truncated file: what was read
    before, which is what decoding needs, counts.
    """
    load = TiffImagePlugin.ImageFileDirectory_v2.load

    def load_metered(self: TiffImagePlugin.ImageFileDirectory_v2, fp: Any) -> None:
        load(self, _MeteredStream(fp))  # type: ignore[arg-type]

    TiffImagePlugin.ImageFileDirectory_v2.load = load_metered  # type: ignore[method-assign]


_limit_tag_memory()
