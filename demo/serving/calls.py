"""The call this thread works for: whose it is, and whether anybody still waits for its answer."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

NOBODY_WAITS = "Nobody was there to read the answer to this call, so it was ended. Ask again."


class CallEndedError(Exception):
    """Work that nobody wants any more."""


class StopPressedError(CallEndedError):
    """Work that its visitor stopped: what was done until then is shown."""


@dataclass(eq=False)
class Call:
    """A call that is being answered.

    Attributes:
        address: where the call came from; empty if nobody called.
        session: the page or client at that address, if it named itself.
        ended: nobody will read the answer; :func:`raise_if_ended` tells those who work on it.
        stopped: its visitor pressed Stop, and waits for what there is; it tells them this as well.
    """

    address: str = ""
    session: str = ""
    ended: bool = False
    stopped: bool = False


current: ContextVar[Call] = ContextVar("call")


def this_call() -> Call:
    """The call this thread works for; outside of requests a new one, which is nobody's."""
    return current.get(Call())


def raise_if_ended() -> None:
    """To be asked between two parts of a long work.

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

    Gradio's own ``cancels`` shows the word "Error" over the result if its page hears of the end
    before it hears that the end was asked for.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], Call] = {}

    @contextmanager
    def stoppable(self) -> Generator[None]:
        """Around a run, of which a visitor has only one at a time."""
        call = this_call()
        visitor = (call.address, call.session)
        self._running[visitor] = call
        try:
            yield
        finally:
            if self._running.get(visitor) is call:
                del self._running[visitor]

    def stop(self) -> None:
        """Stop the run of the visitor whose call this is, if there is one."""
        stopping = this_call()
        if call := self._running.get((stopping.address, stopping.session)):
            call.stopped = True
