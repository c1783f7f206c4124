"""The program of a worker process: decode one photo after the other until its socket closes.

It loads Pillow and NumPy, changes Pillow's settings, and then gives up what it does not need: root,
gaining privileges, most memory, writing files. Started by :mod:`model.data.decoding.process`.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from typing import IO, cast

# All plugins of model.data.image_formats. Pillow would import them when first needed, which is too
# late once root is given up: only root may be able to read the folder they lie in.
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    ImageFile,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    PpmImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from model.data.decoding.decoder import decode, read_header
from model.data.decoding.messages import (
    MAX_PROFILE,
    READY,
    Answer,
    Request,
    packed,
    receive,
    receive_header,
)
from model.data.image_formats import heic_is_readable
from model.data.image_pixels import LoadedImage
from model.errors import UserError

if sys.platform != "win32":
    import resource

LARGE = 8_000_000  # pixels: with fewer, a first try has all the memory it needs
IDLE_S = 0.5
ORPHAN_S = 10.0  # after which a worker whose main program is gone ends by itself
_NOBODY = 65534
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h


def main() -> None:
    """Serve the socket that is standard input; on Windows, the one described there."""
    settings = json.loads(sys.argv[1])
    connection = _connection()
    set_up_pillow()
    give_up_rights(settings["memory"], settings["nice"])
    _die_with(settings["parent"])
    connection.sendall(READY)
    # Nobody reads what libraries print from here on, and it would fill the pipe.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    with contextlib.suppress(EOFError, ConnectionError):  # the program is done
        while True:
            if not select.select([connection], [], [], IDLE_S)[0]:
                _give_back_memory()
            serve_one(connection)


def set_up_pillow() -> None:
    """Change settings of Pillow, which hold for this whole process."""
    warnings.simplefilter(
        "ignore"
    )  # on odd metadata, and on sizes, for which we have our own limit
    Image._initialized = 2  # no other plugin is ever loaded: PostScript starts Ghostscript
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    # Threads take address space, and cores from others.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # type: ignore[bad-assignment]
    if heic_is_readable():
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = 1  # type: ignore[bad-assignment]
        pillow_heif.options.THUMBNAILS = False  # type: ignore[bad-assignment]
        pillow_heif.register_heif_opener()


def give_up_rights(memory: int, nice: int) -> None:
    """Give up the rights that decoding does not need, as far as the platform allows it.

    Args:
        memory: bytes of address space, Python and its libraries included.
        nice: niceness added to this process.
    """
    if sys.platform == "win32":
        return
    os.setpgrp()  # Ctrl-C is for the program
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):  # a container may have taken root the right to do so
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, 16)
    with contextlib.suppress(ValueError, OSError):  # macOS has it in name only
        _limit(resource.RLIMIT_AS, memory)


def _limit(what: int, most: int) -> None:
    if sys.platform != "win32":
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _prctl(what: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(what, value, 0, 0, 0)


def _die_with(parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after setuid, which would clear it
    if sys.platform != "win32" and os.getppid() != parent:  # it ended before the call
        os._exit(1)


def _connection() -> socket.socket:
    if sys.platform == "win32":
        return socket.fromshare(sys.stdin.buffer.read())
    return socket.socket(fileno=0)


def _give_back_memory() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # a C library that keeps nothing has none
            ctypes.CDLL(None).malloc_trim(0)


def serve_one(connection: socket.socket) -> None:
    """Receive a request, and send the answer to it.

    Raises:
        EOFError: if there are no more.
    """
    request, stream = _next_request(connection)
    with stream, _alarms(request.processor_s):
        answer, image = _answer(request, stream)
        connection.sendall(packed(answer))
        if image is not None:
            # As PPM, which is a header and the bare pixels: no second copy of all of them is made.
            image.image.save(cast(IO[bytes], _Sender(connection)), "PPM")
            connection.sendall(_profile_of(image.image))


def _next_request(connection: socket.socket) -> tuple[Request, IO[bytes]]:
    if hasattr(socket, "recv_fds"):
        length, descriptors, *_ = socket.recv_fds(connection, 4, 1)
    else:
        length, descriptors = connection.recv(4), []
    if not length:
        raise EOFError
    request = Request(*receive_header(connection, length=length))
    if request.n_bytes is None:
        return request, os.fdopen(descriptors[0], "rb")
    return request, BytesIO(receive(connection, request.n_bytes))


@contextmanager
def _alarms(processor_s: float | None) -> Generator[None]:
    """End this process, inside a decoder too, once the photo has taken too long.

    The main program has its own timeout; the second alarm is for when that program is gone.
    """
    if sys.platform == "win32":
        yield
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime + ORPHAN_S) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard < 0 else min(soft, hard), hard))
    signal.setitimer(signal.ITIMER_REAL, ORPHAN_S)
    signal.setitimer(signal.ITIMER_PROF, processor_s or 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(request: Request, stream: IO[bytes]) -> tuple[Answer, LoadedImage | None]:
    if request.header_only:
        return _answer_header(request, stream), None
    sizes = [(0, 0)]
    try:
        image = decode(stream, request, sizes.append)
    except UserError as error:
        width, height = sizes[-1]  # 0 if it failed while opening, when WebP allocates its memory
        # A decoder that gets no memory may say so, or call the file broken.
        failed = isinstance(error.__cause__, MemoryError) or (
            error.__cause__ and not 0 < width * height <= LARGE
        )
        return Answer(problem=str(error), again=bool(request.first_try and failed)), None
    profile = _profile_of(image.image)
    return Answer(image.image.size, image.original_size, len(profile)), image


def _answer_header(request: Request, stream: IO[bytes]) -> Answer:
    try:
        size, orientation, is_whole = read_header(stream, request.name)
    except UserError as error:
        return Answer(problem=str(error))
    return Answer(size, size, orientation=orientation, is_whole=is_whole)


def _profile_of(image: Image.Image) -> bytes:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and len(profile) <= MAX_PROFILE else b""


class _Sender:
    """A file-like object that sends whatever is written to it."""

    def __init__(self, connection: socket.socket) -> None:
        self.write = connection.sendall

    def flush(self) -> None:
        """Do nothing: there is no buffer."""
