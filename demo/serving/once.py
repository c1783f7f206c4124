"""What several requests want at the same time is computed once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class ComputeOnceCache(Generic[T]):
    """The latest few results by what they were computed from.

    Args:
        kept: how many; the oldest is forgotten first.
    """

    def __init__(self, kept: int) -> None:
        self._size, self._lock = kept, Lock()
        self._results: OrderedDict[Hashable, Future[T]] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The result for ``key``; whoever asks first computes it, others wait for it.

        Raises:
            Exception: what ``compute`` raises, for all who wait; the next one tries again.
        """
        with self._lock:
            result = self._results.get(key)
            if first := result is None:
                result = self._results[key] = Future()
                while len(self._results) > self._size:
                    self._results.popitem(last=False)
        if first:
            try:
                result.set_result(compute())
            except BaseException as error:
                with self._lock:
                    self._results.pop(key, None)
                result.set_exception(error)
        return result.result()
