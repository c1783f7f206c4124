"""The one exception that means "the input is bad, and here is what to do about it"."""

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class UserError(Exception):
    """A problem the user can solve. Its text is one clear sentence: what is wrong, and the cure."""


class StoppedError(KeyboardInterrupt):
    """A signal asked the program to stop, and what it had is saved."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def one_line(text: str) -> str:
    """A text for a terminal: without characters that would move its cursor or break the line.

    A file may be called anything, even what is no text at all.

    Example:
        >>> one_line("a\\n.jpg")
        'a\\\\n.jpg'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def run_cli(main: Callable[[], int | None], debug: bool) -> int:
    """Run a command line's ``main`` and turn a :class:`UserError` into one line on stderr.

    Arguments are parsed inside ``main``, so that what is cleared up is so after ``--help`` too.

    Returns:
        The exit status: what ``main`` returned (``None`` is 0), 1 after a ``UserError``, 130 after
        Ctrl-C, 143 after SIGTERM. With ``debug`` nothing is caught, so the traceback shows.
    """
    try:
        return main() or 0
    except UserError as error:
        if debug:
            raise
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        if debug:
            raise
        print("interrupted.", file=sys.stderr)
        # 128 + the signal's number, as a shell reports a program that a signal ended.
        return 128 + (error.number if isinstance(error, StoppedError) else signal.SIGINT)
    finally:
        _remove_empty_compiler_cache()


def _remove_empty_compiler_cache() -> None:
    """PyTorch makes a folder for compiled kernels when imported; nothing here compiles any."""
    if utilities := sys.modules.get("torch._inductor.runtime.cache_dir_utils"):
        with suppress(OSError):  # it is not empty: another program's kernels lie there
            Path(utilities.default_cache_dir()).rmdir()
