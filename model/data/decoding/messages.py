"""The protocol of a worker's socket: a length, JSON of that length, then plain bytes."""

import json
import socket
import struct
import time
from typing import Any, NamedTuple

_LENGTH = struct.Struct(">I")
_LONGEST_HEADER = 64 * 1024  # bytes; names of files are at most 4 kB
MAX_PROFILE = 64 * 1024  # bytes of a colour profile: cameras and screens have a few thousand
READY = b"ready"  # sent by a worker once it has started


class Request(NamedTuple):
    """A photo to decode.

    Attributes:
        name: of the photo in error texts.
        longest_side: no side of the answer is longer; ``None`` for full size.
        max_pixels: photos with more are refused.
        n_bytes: of the file, which follows; ``None`` if its file descriptor is sent along.
        processor_s: the system ends the worker after so much processor time; ``None`` for no limit.
        first_try: a large photo that fails may be tried again with more memory.
        header_only: read only the header, no pixels.
    """

    name: str
    longest_side: int | None
    max_pixels: int
    n_bytes: int | None = None
    processor_s: float | None = None
    first_try: bool = False
    header_only: bool = False


class Header(NamedTuple):
    """The header of an image file.

    Attributes:
        size: ``(width, height)`` in pixels as stored, before it is turned upright.
        orientation: of EXIF, 1 to 8; 1 is upright.
        is_whole: whether the file ends as its format requires; if not, it may be truncated.
    """

    size: tuple[int, int]
    orientation: int
    is_whole: bool


class Answer(NamedTuple):
    """The answer to a request; a PPM file and its colour profile follow, unless header only.

    Attributes:
        size: ``(width, height)`` of the RGB image that follows, or as stored if none does.
        original_size: ``(width, height)`` of the photo in the file, once upright.
        profile_bytes: length of the colour profile.
        problem: a sentence if the photo is refused; then no image follows.
        again: the first try failed, and a second one with more memory may not.
        orientation, is_whole: if only the header was asked for; see :class:`Header`.
    """

    size: tuple[int, int] = (0, 0)
    original_size: tuple[int, int] = (0, 0)
    profile_bytes: int = 0
    problem: str = ""
    again: bool = False
    orientation: int = 1
    is_whole: bool = True


def packed(message: Request | Answer) -> bytes:
    """A message, encoded for the socket."""
    content = json.dumps(message).encode()
    return _LENGTH.pack(len(content)) + content


def pixels_header(size: tuple[int, int]) -> bytes:
    """The header of a PPM file with an RGB image."""
    return b"P6\n%d %d\n255\n" % size


def receive(connection: socket.socket, n_bytes: int, deadline: float | None = None) -> bytearray:
    """Exactly ``n_bytes`` bytes, received before ``deadline`` on the monotonic clock.

    Raises:
        EOFError: if the other side closes the connection first.
        TimeoutError: if they do not arrive in time.
    """
    content = bytearray(n_bytes)
    rest = memoryview(content)
    while rest:
        if deadline is not None:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
        got = connection.recv_into(rest)
        if not got:
            raise EOFError
        rest = rest[got:]
    return content


def receive_header(
    connection: socket.socket, deadline: float | None = None, length: bytes = b""
) -> list[Any]:
    """The fields of a message; ``length`` holds the bytes of it that were already received.

    Raises:
        EOFError, TimeoutError: as :func:`receive`.
        ValueError: if it is no message.
    """
    length += receive(connection, _LENGTH.size - len(length), deadline)
    (n_bytes,) = _LENGTH.unpack(length)
    if n_bytes > _LONGEST_HEADER:
        raise ValueError(f"a header of {n_bytes} bytes")
    return json.loads(receive(connection, n_bytes, deadline))
