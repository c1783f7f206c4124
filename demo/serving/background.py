"""Long work that is done once, in a background thread, and reports its progress."""

import threading
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Step(NamedTuple):
    """The progress of the work: what it does, and how many files of how many are done."""

    what: str = "looking through the folder"
    done: int = 0
    total: int = 0


class BackgroundWork(Generic[T]):
    """Runs ``work`` once, in a thread, and keeps its result.

    Args:
        work: gets a function ``(what, done, total)`` to report its progress with.
    """

    def __init__(self, work: Callable[[Callable[[str, int, int], None]], T]) -> None:
        self._work, self._lock = work, threading.Lock()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._ended = threading.Event()
        self.step = Step()
        self.result: T | None = None

    def start(self) -> None:
        """Start the work, unless it was started before and has not failed."""
        with self._lock:
            if self._thread and not (self._ended.is_set() and self._failure):
                return
            self._failure = None
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the work, at most ``seconds``; returns whether it has ended.

        Raises:
            Exception: whatever the work raised.
        """
        if self._ended.wait(seconds) and self._failure:
            raise self._failure
        return self._ended.is_set()

    def _run(self) -> None:
        try:
            self.result = self._work(self._tell)
        except BaseException as failure:  # raised in threads that wait
            self._failure = failure
        finally:
            self._ended.set()

    def _tell(self, what: str, done: int, total: int) -> None:
        self.step = Step(what, done, total)
