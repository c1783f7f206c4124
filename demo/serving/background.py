"""Long work that is done once, in a thread of its own, while others look on."""

import threading
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Step(NamedTuple):
    """What the work is at: what it does, with how many files it is done, and of how many."""

    what: str = "looking through the folder"
    done: int = 0
    total: int = 0


class BackgroundWork(Generic[T]):
    """Works in a thread, once; the result is remembered.

    Args:
        work: what is done; it is given a function that it tells how far it is.
    """

    def __init__(self, work: Callable[[Callable[[str, int, int], None]], T]) -> None:
        self._work, self._lock = work, threading.Lock()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._ended = threading.Event()
        self.step = Step()
        self.result: T | None = None

    def start(self) -> None:
        """Begin, unless it was begun; after a failure begin again."""
        with self._lock:
            if self._thread and not (self._ended.is_set() and self._failure):
                return
            self._failure = None
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it ended, if need be after so many seconds.

        Raises:
            UserError: if the work failed for a reason to tell; other failures as they are.
        """
        if self._ended.wait(seconds) and self._failure:
            raise self._failure
        return self._ended.is_set()

    def _run(self) -> None:
        try:
            self.result = self._work(self._tell)
        except BaseException as failure:  # raised in those who wait
            self._failure = failure
        finally:
            self._ended.set()

    def _tell(self, what: str, done: int, total: int) -> None:
        self.step = Step(what, done, total)
