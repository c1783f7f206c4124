"""Limits per address on concurrent requests, above all on calls that bypass the queue."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from weakref import WeakValueDictionary

from starlette.types import Receive

from demo.server.visitors import Visitor
from demo.serving import calls

DIRECT = ("/gradio_api/run/", "/gradio_api/api/")
MAX_DIRECT = 8  # running calls of one address
MAX_WAITING = 64  # running and waiting calls of one address


class Limited:
    """Counts concurrent uses by address; each address may have ``most`` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now: Counter[str] = Counter()

    @contextmanager
    def one(self, address: str) -> Generator[bool]:
        """Count one use during the block; yields whether the address may have it."""
        if self._now[address] >= self._most:
            yield False
            return
        self._now[address] += 1
        try:
            yield True
        finally:
            self._now[address] -= 1
            self._now += Counter()  # removes addresses with a count of 0


class DirectCalls:
    """Runs :data:`MAX_DIRECT` calls of each address at a time; ends those whose caller is gone."""

    def __init__(self) -> None:
        self._places: WeakValueDictionary[str, _Places] = WeakValueDictionary()

    @asynccontextmanager
    async def place(self, visitor: Visitor, receive: Receive) -> AsyncGenerator[bool]:
        """Wait for a place and hold it during the block; yields ``False`` if too many wait.

        The body of the request was read, so ``receive`` can only report that its caller left.
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
