"""Values that are computed once: for one request, or for several at the same time."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class computed_once(Generic[T]):  # noqa: N801 (used like a property)
    """A property that is computed at its first use, for objects that one thread uses.

    ``functools.cached_property`` has one lock for all objects before Python 3.12: while one photo
    is being read, no other one would be.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Note the name under which the value is stored in the object."""
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        """Compute the value; stored in the object's dictionary, it is found there the next time."""
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


class ComputeOnceCache(Generic[T]):
    """A cache of the latest results, which computes each once.

    Args:
        kept: number of results; the oldest is dropped first.
    """

    def __init__(self, kept: int) -> None:
        self._size, self._lock = kept, Lock()
        self._results: OrderedDict[Hashable, Future[T]] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The result for ``key``; the first thread that asks computes it, others wait for it.

        Raises:
            Exception: what ``compute`` raises, in all threads that wait; the next call tries again.
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
