"""The command lines, one per file: ``python -m model.predict`` runs ``predict.py`` of this folder.

They may import everything; nothing else imports them.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import tyro

from model.errors import run_cli

Options = TypeVar("Options")


def run(main: Callable[[Options], int | None], options: type[Options], words: str | None) -> None:
    """Parse the arguments, run ``main``, and exit with its status.

    Args:
        options: dataclass of the options, with a field ``debug``.
        words: description for ``--help``.
    """
    prog = f"python -m model.{Path(sys.argv[0]).stem}"
    arguments = {"prog": prog, "description": words}
    sys.exit(run_cli(lambda: main(tyro.cli(options, **arguments)), debug="--debug" in sys.argv))
