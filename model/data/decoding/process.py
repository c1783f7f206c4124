"""The main program's side of a worker: start it, send requests with a deadline, kill it."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from PIL import Image

from model.data.decoding.messages import (
    MAX_PROFILE,
    READY,
    Answer,
    Header,
    Request,
    packed,
    pixels_header,
    receive,
    receive_header,
)
from model.data.image_pixels import LoadedImage
from model.errors import UserError

SEND_BUFFER = 2**19  # bytes: most photos are sent in one go
START_S = 60.0  # usually a tenth of a second; the machine may be very busy
LONGEST_SENTENCE = 5000  # characters; a path has 4,096 at most
_ROOT = Path(__file__).resolve().parents[3]
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path'];"
    " from model.data.decoding.worker import main; main()"
)
# One arena and one thread: others only take address space. Freed memory goes back at once.
_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(2**22),
    "MALLOC_TRIM_THRESHOLD_": str(2**24), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
}  # fmt: skip
_NEEDED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")  # to find libraries


@dataclass(frozen=True)
class Limits:
    """The limits of a worker.

    Attributes:
        memory: bytes of address space; libraries take some 80 MiB of them, but no memory.
        seconds: wall-clock time for each photo.
        processor_s: CPU time for each photo; ``None`` for no separate limit.
        nice: niceness added to the process.
    """

    memory: int
    seconds: float
    processor_s: float | None = None
    nice: int = 0


Outcome = LoadedImage | Header
"""The image has no EXIF; it keeps a colour profile if that is small."""


class WorkerGoneError(Exception):
    """A worker ended in the middle of a photo."""


class TooSlowError(WorkerGoneError):
    """The worker was ended because the photo took too long."""


class WorkerDiedError(WorkerGoneError):
    """The worker ended because its decoder crashed."""


class TryAgainError(Exception):
    """A photo may need more memory than this worker has; the text is the worker's error."""


class WorkerProcess:
    """A process that decodes one photo at a time. Starting it takes about 0.1 s.

    Raises:
        RuntimeError: if it does not start; the text says why.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._connection, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        with theirs:
            self._process = _STARTER.start(theirs, limits)
            if sys.platform == "win32":
                assert self._process.stdin
                with self._process.stdin as stdin:
                    stdin.write(theirs.share(self._process.pid))
        try:
            self._connection.settimeout(START_S)
            receive(self._connection, len(READY))
        except BaseException as error:
            self._process.kill()
            assert self._process.stderr
            stderr = self._process.stderr.read().decode(errors="replace").strip()
            self.kill()
            if isinstance(error, (EOFError, OSError)):
                reason = stderr.splitlines()[-1] if stderr else repr(error)
                raise RuntimeError(
                    f"a process that decodes images did not start: {reason}"
                ) from error
            raise
        assert self._process.stderr
        self._process.stderr.close()

    @property
    def is_alive(self) -> bool:
        """Whether it takes requests; false after :meth:`kill`, or if it ended by itself."""
        return self._connection.fileno() >= 0 and self._process.poll() is None

    def ask(self, request: Request, source: IO[bytes] | bytes) -> Outcome:
        """Have a photo decoded; ``source`` is an open file, or its bytes.

        Raises:
            UserError: if the photo is refused.
            TryAgainError: if it may need more memory.
            TooSlowError: if it takes too long.
            WorkerDiedError: if the worker does not survive it. After these two it is gone.
        """
        with self._deaths_named():
            self._send(request, source)
            return self._receive(request)

    def ask_each(
        self, jobs: Sequence[tuple[Request, IO[bytes]]]
    ) -> Iterator[Outcome | UserError | WorkerGoneError]:
        """:meth:`ask` for several files; the worker knows the next one before it has done the last.

        Ends early, after the :class:`WorkerGoneError`, if the worker does not survive one.
        """
        for i, (request, _) in enumerate(jobs):
            try:
                with self._deaths_named():
                    for job in jobs[:2] if i == 0 else jobs[i + 1 : i + 2]:
                        self._send(*job)
                    outcome: Outcome | UserError = self._receive(request)
            except UserError as error:
                outcome = error
            except WorkerGoneError as error:
                yield error
                return
            yield outcome

    @contextmanager
    def _deaths_named(self) -> Generator[None]:
        try:
            self._connection.settimeout(self.limits.seconds)
            yield
        except (UserError, TryAgainError):
            raise
        except TimeoutError:
            self.kill()
            raise TooSlowError from None
        except (EOFError, OSError, ValueError, TypeError, OverflowError) as error:
            # It ended, or a photo has taken it over and it sends nonsense.
            self.kill()
            if -self._process.returncode in _TIME_IS_UP:
                raise TooSlowError from None
            raise WorkerDiedError from error
        except BaseException:  # Ctrl-C: its answer would be taken for that of the next request
            self.kill()
            raise

    def _send(self, request: Request, source: IO[bytes] | bytes) -> None:
        request = request._replace(processor_s=self.limits.processor_s)
        if isinstance(source, bytes):
            self._connection.sendall(packed(request._replace(n_bytes=len(source))))
            self._connection.sendall(source)
        elif hasattr(socket, "send_fds"):
            header = packed(request)
            sent = socket.send_fds(self._connection, [header], [source.fileno()])
            self._connection.sendall(header[sent:])
        else:
            source.seek(0)
            self._send(request, source.read())

    def _receive(self, request: Request) -> Outcome:
        deadline = time.monotonic() + self.limits.seconds
        answer = Answer(*receive_header(self._connection, deadline))
        if answer.again:
            raise TryAgainError(answer.problem)
        if answer.problem:
            raise UserError(" ".join(str(answer.problem).split())[:LONGEST_SENTENCE])
        # A photo that has taken the worker over could send anything.
        width, height = _checked_size(answer.size, request)
        if request.header_only:
            if answer.orientation not in range(1, 9):
                raise ValueError(f"an orientation of {answer.orientation}")
            return Header((width, height), answer.orientation, bool(answer.is_whole))
        original_size = _checked_size(answer.original_size, request._replace(longest_side=None))
        if not 0 <= answer.profile_bytes <= MAX_PROFILE:
            raise ValueError(f"a profile of {answer.profile_bytes} bytes")
        receive(self._connection, len(pixels_header((width, height))), deadline)
        pixels = receive(self._connection, 3 * width * height, deadline)
        image = Image.frombytes("RGB", (width, height), cast(bytes, pixels))
        if profile := receive(self._connection, answer.profile_bytes, deadline):
            image.info["icc_profile"] = bytes(profile)
        return LoadedImage(image, original_size)

    def kill(self) -> None:
        """End it now, whatever it is doing."""
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """In a fork of the program: the worker stays the program's own."""
        self._connection.close()
        self._process.returncode = 0  # else Popen would wait for it


_TIME_IS_UP = {
    getattr(signal, name).value
    for name in ("SIGPROF", "SIGALRM", "SIGXCPU")
    if hasattr(signal, name)
}


def _checked_size(size: object, request: Request) -> tuple[int, int]:
    width, height = size  # type: ignore[misc]  # a ValueError or TypeError says what it is not
    if type(width) is not int or type(height) is not int or min(width, height) < 1:
        raise ValueError(f"a size of {width} x {height}")
    if width * height > request.max_pixels or max(width, height) > (
        request.longest_side or width + height
    ):
        raise ValueError(f"a size of {width} x {height}")
    return width, height


class _Starter:
    """Starts workers from one thread, which lives as long as the program.

    A worker asks Linux to be ended with the *thread* that started it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue | None = None

    def start(self, theirs: socket.socket, limits: Limits) -> subprocess.Popen:
        """A new process with the socket ``theirs`` as its standard input."""
        with self._lock:
            if self._jobs is None:
                self._jobs = queue.SimpleQueue()
                threading.Thread(target=_start_each, args=(self._jobs,), daemon=True).start()
        started: Future[subprocess.Popen] = Future()
        self._jobs.put((theirs, limits, started))
        return started.result()


def _start_each(jobs: queue.SimpleQueue) -> None:
    while True:
        theirs, limits, started = jobs.get()
        try:
            started.set_result(_start(theirs, limits))
        except BaseException as error:
            started.set_exception(error)


def _start(theirs: socket.socket, limits: Limits) -> subprocess.Popen:
    path = [os.path.abspath(entry) for entry in sys.path]
    settings = {
        "path": path if str(_ROOT) in path else [*path, str(_ROOT)],
        "memory": limits.memory, "nice": limits.nice, "parent": os.getpid(),
    }  # fmt: skip
    environment = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    return subprocess.Popen(
        # Isolated; the path is the program's, so it needs no site packages; writes no bytecode.
        [sys.executable, "-I", "-S", "-B", "-c", _BOOT, json.dumps(settings)],
        stdin=subprocess.PIPE if sys.platform == "win32" else theirs.fileno(),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=_ENVIRONMENT | environment, cwd=os.path.abspath(os.sep),
    )  # fmt: skip


_STARTER = _Starter()


def after_fork() -> None:
    """Replace the starter in a fork, which lacks the thread that starts workers."""
    global _STARTER
    _STARTER = _Starter()
