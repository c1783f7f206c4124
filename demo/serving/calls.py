"""The call that a thread works on: whose it is, and whether anybody still waits for its answer."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

NOBODY_WAITS = "Nobody was there to read the answer to this call, so it was ended. Ask again."


class CallEndedError(Exception):
    """Raised in work on a call whose answer nobody waits for any more."""


class StopPressedError(CallEndedError):
    """Raised in work that its visitor stopped; the results until then are shown."""


@dataclass(eq=False)
class Call:
    """A call that is being answered; :func:`raise_if_ended` checks its flags.

    Attributes:
        address: where the call came from; empty outside of requests.
        session: the page or client at that address, if it named itself.
        ended: nobody will read the answer.
        stopped: its visitor pressed Stop, and waits for the results there are.
    """

    address: str = ""
    session: str = ""
    ended: bool = False
    stopped: bool = False


current: ContextVar[Call] = ContextVar("call")


def this_call() -> Call:
    """The call that this thread works on; outside of requests a new one without an address."""
    return current.get(Call())


def raise_if_ended() -> None:
    """Stop the work on a call that has ended; long work calls this between its parts.

    Raises:
        CallEndedError: if nobody waits for the answer any more.
        StopPressedError: if its visitor pressed Stop.
    """
    call = this_call()
    if call.ended:
        raise CallEndedError(NOBODY_WAITS)
    if call.stopped:
        raise StopPressedError


class RunningWork:
    """The runs of one kind of long work, by the visitors that can stop them.

    Gradio's own ``cancels`` shows the word "Error" over the result if its page learns that the call
    has ended before it learns that this was requested.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], Call] = {}

    @contextmanager
    def stoppable(self) -> Generator[None]:
        """Let the visitor stop this block; each has only one run at a time."""
        call = this_call()
        visitor = (call.address, call.session)
        self._running[visitor] = call
        try:
            yield
        finally:
            if self._running.get(visitor) is call:
                del self._running[visitor]

    def stop(self) -> None:
        """Stop the run of the visitor who makes the current call, if there is one."""
        caller = this_call()
        if call := self._running.get((caller.address, caller.session)):
            call.stopped = True
