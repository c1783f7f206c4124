"""Files made for a visitor to download."""

import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gradio.utils import get_upload_folder

from demo.server.storage import stored
from model.errors import UserError

KEEP_S = 15 * 60


def as_download(name: str, content: bytes | str) -> str:
    """Write a file for download and return its path; see :func:`new_download`."""
    with new_download(name) as path:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@contextmanager
def new_download(name: str) -> Generator[Path]:
    """Yield the path to write a file for download to; its folder's name cannot be guessed.

    Gradio serves files from there, so it makes no copy. The first call after :data:`KEEP_S`
    seconds removes the file. Nothing is left if the block fails.

    Raises:
        UserError: if it cannot be written.
    """
    base, folder = Path(get_upload_folder()) / "take-away", None
    try:
        base.mkdir(parents=True, exist_ok=True)
        sweep(base)
        folder = Path(tempfile.mkdtemp(dir=base))
        path = folder / name
        yield path
        stored(path)
    except BaseException as error:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise UserError(
                f"the file could not be made: this server cannot write it ({error.strerror}). Try"
                " again later."
            ) from error
        raise


def sweep(base: Path, older_than: float = KEEP_S) -> None:
    """Remove the folders in ``base`` that are older than ``older_than`` seconds."""
    for folder in base.iterdir():
        try:
            old = time.time() - folder.stat().st_mtime > older_than
        except FileNotFoundError:  # another visitor's sweep was faster
            continue
        if old:
            shutil.rmtree(folder, ignore_errors=True)
