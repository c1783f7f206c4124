"""Start and end of the server: its temporary folder, and SIGTERM.

Imports nothing heavy: a container may be stopped while the rest is still being imported.
"""

import atexit
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from filelock import FileLock

from model.errors import UserError

PREFIX = "largest-object-"
LOCK = ".lock"
JUST_MADE_S = 60.0  # a folder this young without a lock belongs to a server that is starting


at_the_end = ExitStack()
"""What is cleaned up before the program exits, however it does."""


def prepare() -> None:
    """Make the temporary folder, and handle SIGTERM.

    To be called before Gradio is imported, which reads the folder only once. By default SIGTERM
    ends a program at once, and its files stay behind; process 1 of a container does not end at all.
    """
    signal.signal(signal.SIGTERM, _leave)
    atexit.register(at_the_end.close)
    try:
        at_the_end.enter_context(temporary_folder())
    except UserError as error:
        sys.exit(f"error: {error}")


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """Clean up and end the program, with the exit status of one that a signal ended.

    Not by raising :class:`SystemExit`: where Python ignores exceptions, in a ``__del__`` or while a
    module is being imported, it would ignore that one as well, and the program would go on.
    """
    signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the clean-up
    at_the_end.close()
    with suppress(RuntimeError):  # the signal came during a write to the same stream
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(128 + number)


def run(main: Callable[[], int]) -> NoReturn:
    """Run the program, clean up, and exit with its status.

    Python's own shutdown is skipped: it waits for threads that are busy with a photo, and frees
    every object.
    """
    try:
        with at_the_end:
            status = main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@contextmanager
def temporary_folder() -> Generator[Path]:
    """A folder for all uploads and downloads of visitors; removed at the end.

    Gradio is told to use it, so that it serves no file of another program. It lies in
    ``$GRADIO_TEMP_DIR``, else in the system's temporary folder. Folders of servers that were killed
    are removed.

    Raises:
        UserError: if it cannot be made.
    """
    base = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    try:
        base.mkdir(parents=True, exist_ok=True)
        sweep(base)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base)).resolve()
    except OSError as error:
        raise UserError(
            f"cannot write to {base} ({error.strerror}), where uploads would go. Name another"
            " folder in GRADIO_TEMP_DIR."
        ) from None
    try:
        # The system frees the lock of a process that is gone, however it ended.
        with FileLock(folder / LOCK):
            os.environ["GRADIO_TEMP_DIR"] = str(folder / "files")
            os.environ["GRADIO_EXAMPLES_CACHE"] = str(folder / "examples")
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(base: Path) -> None:
    """Remove the folders in ``base`` whose server is gone."""
    for folder in base.glob(f"{PREFIX}*"):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        status = folder.lstat()
        is_folder = folder.is_dir() and not folder.is_symlink()
        if not is_folder or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
            return False
        if not (folder / LOCK).is_file():
            return time.time() - status.st_mtime > JUST_MADE_S
        with FileLock(folder / LOCK, timeout=0):
            return True
    except OSError:  # removed meanwhile; or its server runs (FileLock's Timeout is an OSError)
        return False
