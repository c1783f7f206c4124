"""The exception for problems that users can solve, and how command lines report it."""

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class UserError(Exception):
    """A problem the user can solve. Its text says what is wrong, and what to do about it."""


class StoppedError(KeyboardInterrupt):
    """A signal asked the program to stop, and its state is saved."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def one_line(text: str) -> str:
    """``text`` with control characters and line breaks escaped, for a terminal.

    File names may hold any characters, even bytes that are no text.

    Example:
        >>> one_line("a\\n.jpg")
        'a\\\\n.jpg'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def run_cli(main: Callable[[], int | None], debug: bool) -> int:
    """Run a command line's ``main`` and turn a :class:`UserError` into one line on stderr.

    Arguments are parsed inside ``main``, so that clean-up also follows ``--help``.

    Returns:
        The exit status: what ``main`` returned (``None`` is 0), 1 after a ``UserError``, 130 after
        Ctrl-C, 143 after SIGTERM. With ``debug`` errors are not caught: Python shows a traceback.
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
        # 128 + signal number, as shells report it.
        return 128 + (error.number if isinstance(error, StoppedError) else signal.SIGINT)
    finally:
        _remove_empty_compiler_cache()


def _remove_empty_compiler_cache() -> None:
    """Remove the folder for compiled kernels that importing PyTorch creates; it is not used."""
    if utilities := sys.modules.get("torch._inductor.runtime.cache_dir_utils"):
        with suppress(OSError):  # not empty: it holds kernels of another program
            Path(utilities.default_cache_dir()).rmdir()
