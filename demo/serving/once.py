"""What is wanted several times is computed once: by one request, or by several at the same time."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class computed_once(Generic[T]):  # noqa: N801 (used like a property)
    """A property that is computed when it is first asked for; of objects of one thread.

    ``functools.cached_property`` has one lock for all objects before Python 3.12: while one photo
    is being read, no other one would be.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Note under which name it is kept."""
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        """The value, kept where it is found before this is asked again."""
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


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
