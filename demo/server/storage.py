"""How much visitors may store on this server, and whose files are removed to make room."""

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
MIN_COUNTED = MIB // 16  # for a small file: its folder takes room too
# Free space left on the disk: this many bytes, or this share of a small disk.
RESERVE, RESERVE_SHARE = 512 * MIB, 0.05
# A photo that a call used not longer ago than this is in use, and not removed.
LOOKED_AT_S = 30 * 60
# Gradio answers with status 413 if the message contains "maximum allowed size".
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
    used: float | None = None  # time of the last call that used it


class Storage:
    """Counts the files of all visitors by owner, an address; each has a folder of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: OrderedDict[Path, _Stored] = OrderedDict()  # the oldest first
        self._sizes: Counter[str] = Counter()  # by owner
        self._coming: Counter[str] = Counter()

    def expect(self, owner: str, size: int) -> None:
        """Reserve room for ``size`` bytes that are about to come, until :meth:`received`.

        Raises:
            MultiPartException: if the files of this owner take up too much.
            OSError: ``ENOSPC``, if those of all owners do, or the disk is full.
        """
        with self._lock:
            self._coming[owner] += size
            try:
                self._make_room(owner)
            except BaseException:
                self._coming[owner] -= size
                raise

    def received(self, owner: str, size: int) -> None:
        """Release a reservation: the bytes have come and are counted, or will not come."""
        with self._lock:
            self._coming[owner] -= size
            if not self._coming[owner]:
                del self._coming[owner]

    def add(self, folder: Path, owner: str, size: int) -> None:
        """Count a file of ``size`` bytes that was stored in this folder."""
        size = max(size, MIN_COUNTED)
        with self._lock:
            before = self._stored.get(folder)
            self._forget(folder)
            # Uploading the same file again keeps the time when it was last used.
            self._stored[folder] = _Stored(size, owner, before.used if before else None)
            self._sizes[owner] += size

    def use(self, folder: Path) -> None:
        """Note that a call uses the file in this folder now."""
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
            if not folder.is_dir():  # removed because of its age
                self._forget(folder)
        while too_much_of_owner():
            if not self._drop_oldest(owner):
                raise MultiPartException(TOO_MUCH_OF_VISITOR)
        while too_much():
            if not self._drop_oldest():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _drop_oldest(self, owner: str | None = None) -> bool:
        """Remove the oldest file that is not in use; returns whether there was one."""
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
    """The owner of the files of the current call: its address."""
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
