"""Passes of the network that run at the same time share the processor's cores.

Alone, a pass is fastest on all cores. Two passes with a thread on every core each are slower than
one after the other: each layer ends with threads that wait for one another, and waiting takes
processor time. With fewer threads each they hardly meet, and together are faster than passes on all
cores in turn, since no layer splits perfectly.
"""

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from demo.serving.lines import Line


class Cores:
    """Deals out threads to the passes that run; no more of them at once than there are cores.

    Passes begin in the order in which they were asked for. Those of batches wait in a line of their
    own and only its first one waits here, so that a single photo comes after one pass of a batch,
    however many batches there are.

    Args:
        count: cores of this process.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._passes, self._batches = Line(count), Line(1)
        self._running = 0
        self._changing = threading.Lock()

    @contextmanager
    def share(self, batch: bool = False) -> Generator[int]:
        """Wait for a core; inside, PyTorch computes with the threads that are given.

        A pass that has begun keeps its threads when others join.

        Args:
            batch: this is one of many passes, and takes long.
        """
        with self._batches.place() if batch else nullcontext(), self._passes.place():
            with self._changing:
                self._running += 1
                threads = max(1, self.count // self._running)
            try:
                torch.set_num_threads(threads)  # of the calling thread, and of threads yet to come
                yield threads
            finally:
                torch.set_num_threads(self.count)
                with self._changing:
                    self._running -= 1


CORES = Cores(torch.get_num_threads())


def shared_cores(device: torch.device, batch: bool = False) -> AbstractContextManager:
    """For passes on this device: :meth:`Cores.share` of this process, nothing for a GPU."""
    return CORES.share(batch) if device.type == "cpu" else nullcontext()
