"""The check of the data set: made once, when it is first asked for, while others look on."""

import threading
from typing import NamedTuple

from model.data.check import Report, check
from model.data.dataset import Dataset


class Step(NamedTuple):
    """What the check is at: what it does, with how many files it is done, and of how many."""

    what: str = "looking through the folder"
    done: int = 0
    total: int = 0


class Checking:
    """Checks a data set in a thread of its own; the report is remembered.

    Args:
        dataset: to check; what of it was read already is not read again.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self._lock = dataset, threading.Lock()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._ended = threading.Event()
        self.step = Step()
        self.report: Report | None = None

    def start(self) -> None:
        """Begin, unless it was begun; after a failure begin again."""
        with self._lock:
            if self._thread and not (self._ended.is_set() and self._failure):
                return
            self._failure = None
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, name="check", daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it ended, if need be after so many seconds.

        Raises:
            UserError: if the data set cannot be checked, or whatever else went wrong.
        """
        if self._ended.wait(seconds) and self._failure:
            raise self._failure
        return self._ended.is_set()

    def _run(self) -> None:
        try:
            self._dataset.progress = self._tell
            self.report = check(self._dataset, progress=self._tell)
        except BaseException as failure:  # raised in those who wait
            self._failure = failure
        finally:
            self._ended.set()

    def _tell(self, what: str, done: int, total: int) -> None:
        self.step = Step(what, done, total)
