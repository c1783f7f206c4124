"""Errors of opening and decoding files, each as one sentence in a ``UserError``."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image

from model.errors import UserError

_LONGEST_NAME = 4096  # of a path on any system


def name_of(source: object) -> str:
    """What to call a source in an error text."""
    if not isinstance(source, (str, Path)):
        return "the image"
    name = str(source)
    return name if len(name) <= _LONGEST_NAME else f"{name[:40]}..."


@contextmanager
def problems_named(name: str) -> Generator[None]:
    """Turn whatever a decoder raises inside the block into a ``UserError`` that names the file."""
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
        first = error.args[0] if error.args else ""
        words = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(error)
        reason = " ".join(words.split())[:120] or type(error).__name__
        raise UserError(
            f"{name} is damaged and cannot be decoded ({reason}). Save or download it again."
        ) from error


@contextmanager
def open_file(source: str | Path, name: str) -> Generator[IO[bytes]]:
    """An image file, open for reading.

    Raises:
        UserError: if there is no such file, or none that may be read.
    """
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
