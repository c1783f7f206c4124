"""Passes of the network that run at the same time share the processor's cores.

Alone, a pass is fastest on all cores. Two passes with a thread on every core each are slower than
one after the other: each layer ends with threads that wait for one another, and waiting takes
processor time. With fewer threads each they hardly meet, and together are faster than passes on all
cores in turn, since no layer splits perfectly.

Passes run in threads of their own, one of which has all that need several cores. For OpenMP keeps
helpers for every thread that ever computed with several, and once there are more of these than
cores, all of them wait in a way that makes a pass last a third longer.
"""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TypeVar

import torch

from demo.serving.lines import Line

T = TypeVar("T")


class Cores:
    """Runs passes; those that run at once have no more threads than there are cores.

    Passes begin in the order in which they were asked for. Those of batches wait in a line of their
    own and only its first one waits here, so that a single photo comes after one pass of a batch,
    however many batches there are.

    Args:
        count: cores of this process.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._passes, self._batches = Line(count), Line(1)
        self._changing = threading.Lock()
        # They start when they are first needed; whoever is alone gets the first.
        # PyTorch sets up a thread when it is first asked there, by what was set anywhere last.
        self._threads = [
            ThreadPoolExecutor(1, f"network-{i}", initializer=torch.get_num_threads)
            for i in range(count)
        ]
        self._free = list(range(count))

    def run(self, work: Callable[[], T], batch: bool = False) -> T:
        """Wait for a core, then do the work with the threads there are for it.

        A pass that has begun keeps its threads when others join.

        Args:
            work: may not ask for cores itself.
            batch: this is one of many passes, and takes long.

        Raises:
            Exception: whatever the work raises.
        """
        with self._batches.place() if batch else nullcontext(), self._passes.place():
            with self._changing:
                number = min(self._free)
                self._free.remove(number)
                threads = max(1, self.count // (self.count - len(self._free)))
            try:
                context = contextvars.copy_context()
                return self._threads[number].submit(context.run, _with, threads, work).result()
            finally:
                with self._changing:
                    self._free.append(number)


def _with(threads: int, work: Callable[[], T]) -> T:
    torch.set_num_threads(threads)  # of this thread, and of threads yet to come
    try:
        return work()
    finally:
        leave_cores_to_passes()


def leave_cores_to_passes() -> None:
    """Let PyTorch compute with one thread wherever it does not run a pass."""
    torch.set_num_threads(1)


CORES = Cores(torch.get_num_threads())


def on_cores(device: torch.device, work: Callable[[], T], batch: bool = False) -> T:
    """For passes on this device: :meth:`Cores.run` of this process; on a GPU they run at once."""
    return CORES.run(work, batch) if device.type == "cpu" else work()
