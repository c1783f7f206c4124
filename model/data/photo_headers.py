"""Size and EXIF orientation of a photo without decoding it; whether its file is whole."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from model.data.image_pixels import upright_size
from model.data.images import load_fitted, read_headers
from model.errors import UserError


class PhotoHeader(NamedTuple):
    """What a photo's file says of itself.

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
        try:
            if isinstance(header, UserError):
                raise header
            if not header.is_whole:
                load_fitted(file, 64)
        except UserError as error:
            yield 0, 0, 1, str(error)
        else:
            yield *header.size, header.orientation, "", file.stat().st_size
