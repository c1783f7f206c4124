"""Threads that ask at the same time are answered together.

A pass over four photos takes less time than four passes: the weights are read once, and the layers
are larger. So whoever finds a pass under way waits, and the next one takes all who wait.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from demo.serving.lines import Line

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(eq=False)
class _Job(Generic[Item, Answer]):
    item: Item
    answer: Answer | None = None
    failure: BaseException | None = None
    done: bool = False


class Batcher(Generic[Item, Answer]):
    """Calls ``run`` for one batch at a time, of all that came while the last one was under way.

    Args:
        run: items -> their answers, in order.
        limit: most items of a batch.
    """

    def __init__(self, run: Callable[[Sequence[Item]], Sequence[Answer]], limit: int) -> None:
        self._run = run
        self._limit = limit
        self._waiting: list[_Job[Item, Answer]] = []
        self._arriving = threading.Lock()
        self._turn = Line(1)

    def __call__(self, item: Item) -> Answer:
        """The answer to one item; for any number of threads.

        Raises:
            Exception: whatever ``run`` raised for the batch.
        """
        job: _Job[Item, Answer] = _Job(item)
        with self._arriving:
            self._waiting.append(job)
        while not job.done:
            with self._turn.place():
                if not job.done:
                    self._answer_those_who_wait()
        if job.failure is not None:
            raise job.failure
        return job.answer  # type: ignore[return-value]

    def _answer_those_who_wait(self) -> None:
        with self._arriving:
            batch = self._waiting[: self._limit]
            del self._waiting[: self._limit]
        try:
            answers = self._run([job.item for job in batch])
            for job, answer in zip(batch, answers, strict=True):
                job.answer = answer
        except BaseException as error:
            for job in batch:
                job.failure = error
        for job in batch:
            job.done = True
