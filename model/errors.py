"""The one exception that means "the input is bad, and here is what to do about it"."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """A problem the user can solve. Its text is one clear sentence: what is wrong, and the cure."""


def run_cli(main: Callable[[], int | None], debug: bool) -> int:
    """Run a command line's ``main`` and turn a :class:`UserError` into one line on stderr.

    Returns:
        The exit status: what ``main`` returned (``None`` is 0), 1 after a ``UserError``, 130 after
        Ctrl-C. With ``debug`` nothing is caught, so the traceback shows.
    """
    if debug:
        return main() or 0
    try:
        return main() or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
