"""Requests that cost much and are answered at once: how many each address may have."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from weakref import WeakValueDictionary

from starlette.types import Receive

from demo.server.visitors import Visitor
from demo.serving import calls

DIRECT = ("/gradio_api/run/", "/gradio_api/api/")
MAX_DIRECT = 8  # of one address
MAX_WAITING = 64


class Limited:
    """Counts what each address has at the same time, of which it may have ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now: Counter[str] = Counter()

    @contextmanager
    def one(self, address: str) -> Generator[bool]:
        """Around one of them; gives whether the address may have it."""
        if self._now[address] >= self._most:
            yield False
            return
        self._now[address] += 1
        try:
            yield True
        finally:
            self._now[address] -= 1
            self._now += Counter()  # forgets those who have none


class DirectCalls:
    """Lets some calls of each address through at a time, and ends those whose caller is gone."""

    def __init__(self) -> None:
        self._places: WeakValueDictionary[str, _Places] = WeakValueDictionary()

    @asynccontextmanager
    async def place(self, visitor: Visitor, receive: Receive) -> AsyncGenerator[bool]:
        """Around the work on a call; gives whether there is a place for it, maybe later.

        The body of the request was read; what ``receive`` still tells is that its caller left.
        """
        places = self._places.setdefault(visitor.address, _Places())
        if places.waiting >= MAX_WAITING:
            yield False
            return
        call = calls.Call(*visitor)
        watch = asyncio.create_task(_end_when_gone(call, receive))
        places.waiting += 1
        try:
            async with places.free:
                calls.current.set(call)
                yield True
        finally:
            places.waiting -= 1
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch


class _Places:
    def __init__(self) -> None:
        self.free, self.waiting = asyncio.Semaphore(MAX_DIRECT), 0


async def _end_when_gone(call: calls.Call, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    call.ended = True
