"""How much visitors may store on this server, and whose files go when there is no more room."""

import errno
import os
import shutil
import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path

from gradio.utils import get_upload_folder
from starlette.formparsers import MultiPartException

from demo.serving import calls
from model.errors import UserError

MIB = 1024 * 1024
MAX_FILES = 100  # of one request
MAX_OF_REQUEST = 200 * MIB
MAX_BYTES_OF_ADDRESS = 400 * MIB
MAX_IN_ALL = 2048 * MIB
MIN_COUNTED = MIB // 16  # of a file: its folder takes room too, however small it is
# What stays free of the disk: this, or a share of a small one.
RESERVE, RESERVE_SHARE = 512 * MIB, 0.05
# A photo that a call asked about not longer ago than this is one somebody looks at.
LOOKED_AT_S = 30 * 60
# Gradio answers with status 413 whatever has "maximum allowed size" in it.
TOO_MUCH_OF_VISITOR = (
    f"Your photos here have the maximum allowed size of {MAX_BYTES_OF_ADDRESS // MIB} MB together,"
    " and you are looking at all of them. Try again in half an hour."
)
TOO_MUCH_OF_REQUEST = (
    f"This upload exceeds the maximum allowed size of {MAX_OF_REQUEST // MIB} MB. Send the photos"
    " one by one."
)


@dataclass
class _Stored:
    size: int
    owner: str
    used: float | None = None  # when a call last asked about it


class Storage:
    """The files of all visitors, each in a folder of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: OrderedDict[Path, _Stored] = OrderedDict()  # the oldest first
        self._sizes: Counter[str] = Counter()  # by owner
        self._coming: Counter[str] = Counter()

    def expect(self, owner: str, size: int) -> None:
        """Make room for so many bytes that are about to come; see :meth:`received`.

        Raises:
            MultiPartException: if the owner has too much.
            OSError: ``ENOSPC``, if all have.
        """
        with self._lock:
            self._coming[owner] += size
            try:
                self._make_room(owner)
            except BaseException:
                self._coming[owner] -= size
                raise

    def received(self, owner: str, size: int) -> None:
        """Bytes that were expected are there, or will not come."""
        with self._lock:
            self._coming[owner] -= size
            if not self._coming[owner]:
                del self._coming[owner]

    def add(self, folder: Path, owner: str, size: int) -> None:
        """A folder with a file of an owner is there."""
        size = max(size, MIN_COUNTED)
        with self._lock:
            before = self._stored.get(folder)
            self._forget(folder)
            # Who sends the same file again does not make it one that nobody looks at.
            self._stored[folder] = _Stored(size, owner, before.used if before else None)
            self._sizes[owner] += size

    def use(self, folder: Path) -> None:
        """Somebody looks at the file in this folder."""
        with self._lock:
            if stored := self._stored.get(folder):
                stored.used = time.monotonic()
                self._stored.move_to_end(folder)

    def _make_room(self, owner: str) -> None:
        def too_much_of_owner() -> bool:
            return self._sizes[owner] + self._coming[owner] > MAX_BYTES_OF_ADDRESS

        def too_much() -> bool:
            taken = self._sizes.total() + self._coming.total()
            return taken > MAX_IN_ALL or _disk_is_full()

        if not (too_much_of_owner() or too_much()):
            return
        for folder in list(self._stored):
            if not folder.is_dir():  # too old, and removed for that
                self._forget(folder)
        while too_much_of_owner():
            if not self._drop_oldest(owner):
                raise MultiPartException(TOO_MUCH_OF_VISITOR)
        while too_much():
            if not self._drop_oldest():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _drop_oldest(self, owner: str | None = None) -> bool:
        """Remove the oldest file nobody looks at; whether there was one."""
        recent = time.monotonic() - LOOKED_AT_S
        for folder, stored in self._stored.items():
            recently_used = stored.used is not None and stored.used > recent
            if not recently_used and owner in (None, stored.owner):
                shutil.rmtree(folder, ignore_errors=True)
                self._forget(folder)
                return True
        return False

    def _forget(self, folder: Path) -> None:
        if stored := self._stored.pop(folder, None):
            self._sizes[stored.owner] -= stored.size
            if not self._sizes[stored.owner]:
                del self._sizes[stored.owner]


STORAGE = Storage()


def owner() -> str:
    """Whom the files of this call belong to."""
    return calls.this_call().address


def stored(path: Path) -> None:
    """Count a file that was made for a visitor, in a folder of its own.

    Raises:
        UserError: if there is no room for it.
    """
    size = path.stat().st_size
    try:
        STORAGE.expect(owner(), size)
    except MultiPartException as error:
        path.unlink()
        raise UserError(error.message) from None
    except OSError:
        path.unlink()
        raise
    STORAGE.add(path.parent, owner(), size)
    STORAGE.received(owner(), size)


def _disk_is_full() -> bool:
    place = Path(get_upload_folder())
    usage = shutil.disk_usage(place if place.is_dir() else place.parent)
    return usage.free < min(RESERVE, RESERVE_SHARE * usage.total)
