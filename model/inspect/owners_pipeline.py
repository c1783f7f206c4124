"""A pipeline that somebody names as ``my_file.py:transforms``."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.errors import UserError


def load_pipeline(name: str) -> Callable[..., Any]:
    """Run a Python file and take the pipeline out of it.

    It is the code of whoever starts the program: never call this with what a visitor sent.

    Args:
        name: ``FILE:NAME``; without ``:NAME`` it is ``transforms``.

    Raises:
        UserError: if the file is missing, fails, or has nothing of that name.
    """
    file, colon, attribute = name.rpartition(":")
    if not colon or "/" in attribute or "\\" in attribute or attribute.endswith(".py"):
        file, attribute = name, "transforms"
    path = Path(file).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file {path}: name a pipeline as my_file.py:transforms.")
    try:
        found = runpy.run_path(str(path), run_name=path.stem)
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise UserError(f"{path} cannot be run ({type(error).__name__}: {said}).") from error
    if attribute not in found:
        raise UserError(f"{path} has nothing called {attribute!r}: name it as {path}:NAME.")
    return found[attribute]
