"""Passes of the network that run at the same time share the processor's cores.

Alone, a pass is fastest on all cores. Two passes with a thread on every core each are slower than
one after the other: at the end of each layer threads wait for one another, and waiting takes
processor time. With fewer threads each they hardly compete, and together are faster than passes on
all cores in turn, since no layer splits perfectly.

Passes run in a fixed set of threads, of which the first free one is used, so that few of them ever
compute on several cores: OpenMP keeps worker threads for each that did, and once these outnumber
the cores, they wait in a way that makes a pass last a third longer.
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
    """Runs passes; all that run at the same time have no more threads than there are cores.

    Passes start in the order of the calls of :meth:`run`. Those of batches wait in a line of their
    own, of which only the first waits with the others, so that a single photo comes after one pass
    of a batch, however many batches there are.

    Args:
        count: cores of this process.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._passes, self._batches = Line(count), Line(1)
        self._changing = threading.Lock()
        # They start when first needed; a pass that runs alone gets the first. PyTorch sets up a
        # thread at its first call there, with the number of threads that was last set anywhere.
        self._threads = [
            ThreadPoolExecutor(1, f"network-{i}", initializer=torch.get_num_threads)
            for i in range(count)
        ]
        self._free = list(range(count))

    def run(self, work: Callable[[], T], batch: bool = False) -> T:
        """Wait for a core, then do the work with its share of the threads, and return its result.

        A pass that has started keeps its threads when others start.

        Args:
            work: must not call this method itself.
            batch: whether this is one of many passes, and takes long.

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
    """Let PyTorch use one thread for all other computations."""
    torch.set_num_threads(1)


CORES = Cores(torch.get_num_threads())


def on_cores(device: torch.device, work: Callable[[], T], batch: bool = False) -> T:
    """Run a pass on this device: by :meth:`Cores.run` on the CPU, at once on a GPU."""
    return CORES.run(work, batch) if device.type == "cpu" else work()
