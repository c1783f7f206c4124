"""Places that are given out in the order in which they were asked for."""

import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager


class Line:
    """A semaphore that is fair.

    Python's own locks give a place that becomes free to whoever asks first *then*: a thread that
    leaves and comes back at once finds it still free, and those who wait never get it.

    Args:
        places: how many may be inside at the same time.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[threading.Event] = deque()
        self._changing = threading.Lock()

    @contextmanager
    def place(self) -> Generator[None]:
        """Wait until all who came earlier had their turn and a place is free; inside, keep it."""
        with self._changing:
            called = threading.Event()
            if self._free:
                self._free -= 1
                called.set()
            else:
                self._waiting.append(called)
        called.wait()
        try:
            yield
        finally:
            with self._changing:
                if self._waiting:
                    self._waiting.popleft().set()
                else:
                    self._free += 1
