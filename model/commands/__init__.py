"""The command lines, one a file: ``python -m model.predict`` runs ``predict.py`` of this folder.

They may import everything; nothing imports them.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import tyro

from model.errors import run_cli

Options = TypeVar("Options")


def run(main: Callable[[Options], int | None], options: type[Options], words: str | None) -> None:
    """What ``python -m model.NAME`` does: parse, run, end with the exit status.

    Args:
        options: what it takes; a dataclass with a field ``debug``.
        words: for ``--help``.
    """
    prog = f"python -m model.{Path(sys.argv[0]).stem}"
    arguments = {"prog": prog, "description": words}
    sys.exit(run_cli(lambda: main(tyro.cli(options, **arguments)), debug="--debug" in sys.argv))
