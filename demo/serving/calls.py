"""The call this thread works for: whose it is, and whether anybody still waits for its answer."""

from contextvars import ContextVar
from dataclasses import dataclass

NOBODY_WAITS = "Nobody was there to read the answer to this call, so it was ended. Ask again."


class CallEndedError(Exception):
    """Work that nobody wants any more."""


@dataclass(eq=False)
class Call:
    """A call that is being answered.

    Attributes:
        address: where the call came from; empty if nobody called.
        session: the page or client at that address, if it named itself.
        ended: nobody will read the answer; :func:`raise_if_ended` tells those who work on it.
    """

    address: str = ""
    session: str = ""
    ended: bool = False


current: ContextVar[Call] = ContextVar("call", default=Call())  # noqa: B039 (never changed)


def raise_if_ended() -> None:
    """To be asked between two parts of a long work.

    Raises:
        CallEndedError: if nobody waits for the answer any more.
    """
    if current.get().ended:
        raise CallEndedError(NOBODY_WAITS)
