"""Ctrl-C and ``kill`` while training."""

import signal
from collections.abc import Generator
from contextlib import contextmanager

import torch
from accelerate import Accelerator

from model.errors import StoppedError


class StopSignal:
    """Ctrl-C or ``kill``: finish the batch, save, leave. A second one stops at once."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.received: set[int] = set()
        self._ends_at_once = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: object) -> None:
        # Launchers answer Ctrl-C with a SIGTERM of their own: only the same signal twice is haste.
        if number in self.received or self._ends_at_once:
            raise StoppedError(number)
        self.received.add(number)

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Inside the block, where nothing is lost, a signal ends the program where it is.

        Raises:
            StoppedError: also if one came before.
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
        """Whether any process was asked to stop; all of them return the same."""
        if self.accelerator.num_processes == 1:
            return bool(self.received)
        flag = torch.tensor(float(bool(self.received)), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum") > 0)
