"""Handling of Ctrl-C and ``kill`` during training."""

import signal
from collections.abc import Generator
from contextlib import contextmanager

import torch
from accelerate import Accelerator

from model.errors import StoppedError


class StopSignal:
    """Ctrl-C or ``kill``: the run finishes its batch, saves and ends. A second one ends it now."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.received: set[int] = set()
        self._ends_at_once = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: object) -> None:
        # Launchers send a SIGTERM after Ctrl-C, so only the same signal twice ends at once.
        if number in self.received or self._ends_at_once:
            raise StoppedError(number)
        self.received.add(number)

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Let a signal end the program at once inside the block, where nothing can be lost.

        Raises:
            StoppedError: on a signal, also one that came before the block.
        """
        self._ends_at_once = True
        try:
            if self.received:
                raise StoppedError(self.number)
            yield
        finally:
            self._ends_at_once = False

    @property
    def number(self) -> int:
        """The signal that was received; SIGINT if only another process received one."""
        return signal.SIGTERM if self.received == {signal.SIGTERM} else signal.SIGINT

    def requested(self) -> bool:
        """Whether any process received a signal; the same in all processes."""
        if self.accelerator.num_processes == 1:
            return bool(self.received)
        flag = torch.tensor(float(bool(self.received)), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum") > 0)
