"""A semaphore that serves threads in the order in which they came."""

import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager


class Line:
    """A semaphore that is fair.

    Python's own locks give a free place to the first thread that asks *then*: one that leaves and
    comes back at once finds it still free, and threads that wait never get it.

    Args:
        places: how many threads may be inside at the same time.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[threading.Event] = deque()
        self._changing = threading.Lock()

    @contextmanager
    def place(self) -> Generator[None]:
        """Wait until all that came earlier had their turn and a place is free; hold it inside."""
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
