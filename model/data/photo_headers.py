"""Size and EXIF orientation of a photo without decoding it; whether its file is whole."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from model.data.decoding.messages import Header
from model.data.decoding.pool import BusyError
from model.data.image_pixels import upright_size
from model.data.images import load_fitted, read_header, read_headers
from model.errors import UserError


class PhotoHeader(NamedTuple):
    """What the header of a photo file says.

    Attributes:
        width, height: in pixels as stored, before it is turned upright.
        orientation: of EXIF, 1 to 8; 1 is upright.
        problem: why it cannot be read; empty if it can.
        n_bytes: of the file.
    """

    width: int
    height: int
    orientation: int = 1
    problem: str = ""
    n_bytes: int = 0

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height when shown."""
        return upright_size((self.width, self.height), self.orientation)


def read_photo_headers(paths: Sequence[str]) -> Iterator[tuple]:
    """The fields of a :class:`PhotoHeader` for each file, in order; decoders run in workers.

    A file that does not end as its format has it is decoded, to see whether it was cut off.
    """
    files = [Path(path) for path in paths]
    for file, header in zip(files, read_headers(files), strict=True):
        yield _fields(file, header)


def read_photo_header(path: str) -> PhotoHeader:
    """A header alone, read within the current visitor's request if there is one.

    Raises:
        BusyError: if the decoders are busy with the photos of others.
    """
    file = Path(path)
    try:
        return PhotoHeader(*_fields(file, read_header(file)))
    except BusyError:
        raise
    except UserError as error:
        return PhotoHeader(*_fields(file, error))


def _fields(file: Path, header: Header | UserError) -> tuple:
    try:
        if isinstance(header, UserError):
            raise header
        if not header.is_whole:
            load_fitted(file, 64)
    except BusyError:
        raise
    except UserError as error:
        return 0, 0, 1, str(error)
    return *header.size, header.orientation, "", file.stat().st_size
