"""Writing files so that a crash, a full disk or Ctrl-C never damages an existing file."""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from model.errors import UserError


@contextmanager
def atomic_write(path: str | Path) -> Generator[Path]:
    """Yield a temporary path in the folder of ``path``; after success, move it to ``path``.

    The temporary name keeps the suffix, because Pillow and pandas choose the format by it.

    Example:
        >>> with atomic_write("out.csv") as temporary:
        ...     frame.to_csv(temporary)

    Raises:
        UserError: if the folder cannot be made or written to, or the disk is full. A file that was
            at ``path`` is then still there, unchanged.
    """
    path = Path(path)
    temporary = _temporary_beside(path)
    try:
        yield temporary
        # mkstemp makes files only its owner can read. The umask is read by setting it.
        os.umask(mask := os.umask(0))
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}. Make room or choose another place;"
            " nothing that was there before is lost."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: str | Path, content: str | bytes) -> None:
    """:func:`atomic_write` of bytes, or of a text as UTF-8.

    File names that are not UTF-8, which Python decodes with ``surrogateescape``, are written as
    their original bytes.
    """
    if isinstance(content, str):
        content = content.encode(errors="surrogateescape")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def distinct(names: Iterable[str], joint: str) -> list[str]:
    """The names, repeated ones numbered; all different even if case is ignored.

    Example:
        >>> distinct(["a", "b", "A"], "_")
        ['a', 'b', 'A_2']
    """
    taken: dict[str, str] = {}
    for name in names:
        numbered = (f"{name}{joint}{number}" for number in count(2))
        free = next(n for n in chain([name], numbered) if n.casefold() not in taken)
        taken[free.casefold()] = free
    return list(taken.values())


def ensure_writable(folder: Path) -> None:
    """Make ``folder`` if it is missing, and try to write a file into it.

    Raises:
        UserError: if that fails.
    """
    _temporary_beside(folder / "probe").unlink()


def ensure_room(folder: Path, n_bytes: int) -> None:
    """Check that the disk of an existing folder has ``n_bytes`` free.

    Raises:
        UserError: if it has not.
    """
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise UserError(
            f"{folder} needs {n_bytes / 2**20:,.0f} MiB of disk space and there are"
            f" {free / 2**20:,.0f} MiB. Make room or choose another place."
        )


def _temporary_beside(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix or ".tmp"
        )
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}. Choose a folder you may write to."
        ) from error
    os.close(handle)
    return Path(name)
