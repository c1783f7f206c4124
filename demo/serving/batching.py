"""Requests of several threads at the same time are answered in one batch.

A pass over four photos takes less time than four passes: the weights are read once, and the layers
are larger. So requests that come during a pass wait, and the next pass takes all of them.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from demo.serving.lines import Line

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Calls ``run`` for one batch at a time, of all items that came during the previous one.

    Args:
        run: items -> their answers, in order.
        limit: most items of a batch.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Sequence[Answer]], limit: int) -> None:
        self._run = run
        self._limit = limit
        self._waiting: list[tuple[Item, Future[Answer]]] = []
        self._lock = threading.Lock()  # of _waiting
        self._turn = Line(1)

    def __call__(self, item: Item) -> Answer:
        """The answer to one item; may be called by any number of threads.

        Raises:
            Exception: whatever ``run`` raised for the batch.
        """
        answer: Future[Answer] = Future()
        with self._lock:
            self._waiting.append((item, answer))
        while not answer.done():
            with self._turn.place():
                if not answer.done():
                    self._run_batch()
        return answer.result()

    def _run_batch(self) -> None:
        with self._lock:
            batch = self._waiting[: self._limit]
            del self._waiting[: self._limit]
        try:
            answered = list(zip(batch, self._run([item for item, _ in batch]), strict=True))
        except BaseException as error:
            for _, answer in batch:
                answer.set_exception(error)
        else:
            for (_, answer), value in answered:
                answer.set_result(value)
