"""Size and EXIF orientation of a photo without decoding it; whether its file is whole."""

import os
from typing import IO, NamedTuple

from PIL import ExifTags, Image

from model.data.decoding.decoder import open_image
from model.data.image_opening import open_file, problems_named
from model.data.images import load_fitted
from model.errors import UserError

_ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
_TAIL = 32  # bytes in which the end of a whole file is looked for


class PhotoHeader(NamedTuple):
    """What a photo's file says of itself.

    Attributes:
        width, height: in pixels as stored, before it is turned upright.
        orientation: of EXIF, 1 to 8; 1 is upright.
        problem: why it cannot be read; empty if it can.
    """

    width: int
    height: int
    orientation: int = 1
    problem: str = ""

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height when shown."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_header(path: str) -> tuple:
    """The fields of a :class:`PhotoHeader`.

    A file that does not end as its format has it is decoded, to see whether it was cut off.
    """
    try:
        with open_file(path, path) as stream:
            image = open_image(stream, path)
            with problems_named(path):
                orientation = _orientation(image)
                width, height = image.size
            whole = _ends_well(stream, image.format)
        if not whole:
            load_fitted(path, 64)
    except UserError as error:
        return 0, 0, 1, str(error)
    return width, height, orientation, ""


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1  # broken EXIF raises anything; the photo itself may be fine
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _ends_well(stream: IO[bytes], format_: str | None) -> bool:
    end = _ENDS.get(format_ or "")
    if not end:
        return True
    length = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, length - _TAIL))
    return end in stream.read()
