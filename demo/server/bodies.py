"""The bodies of requests: how large, how slow, and how much of them lies in memory."""

import asyncio
import time
from collections import Counter

from starlette.types import Message, Receive

MAX_REQUEST = 1024 * 1024  # bytes of one that is no upload
TOO_LARGE = (
    f"This request is larger than {MAX_REQUEST // 1024} KiB. Upload photos as files, and send their"
    " paths."
)
# A megabyte of brackets costs the thread that answers everybody two seconds; 100 photos of a call
# are some 1,000 values.
MAX_VALUES = 10_000
TOO_MANY_VALUES = f"This request holds more than {MAX_VALUES:,} values. Send fewer at a time."
BODY_S = 30.0  # until it is there
# Of uploads, which go to the disk: a phone with a bad connection is waited for, silence is not.
SILENCE_S = 20.0
START_S, LEAST_RATE = 60.0, 4096  # seconds to begin with, then bytes a second on average
# Bodies smaller than SMALL always find room; of the rest so much may lie in memory.
SMALL = 64 * 1024
MAX_IN_MEMORY, MAX_BYTES_HELD_OF_ADDRESS = 32 * 1024 * 1024, 16 * 1024 * 1024


class BodyError(Exception):
    """A body that is not read to its end.

    Attributes:
        status: of the answer.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Bodies:
    """Reads the bodies of requests into memory, all visitors' together within a limit."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()  # bytes, by address

    async def read(self, receive: Receive, address: str) -> bytearray:
        """A whole body; it counts until it is given to :meth:`forget`.

        Raises:
            BodyError: if it is too large or too slow, holds too much, or there is no room.
        """
        body = bytearray()
        until = time.monotonic() + BODY_S
        try:
            while True:
                left = max(0.0, until - time.monotonic())
                message = await asyncio.wait_for(receive(), left)
                before = len(body)
                body += message.get("body", b"")
                self._count(address, before, len(body))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    if _values(body) > MAX_VALUES:
                        raise BodyError(413, TOO_MANY_VALUES)
                    return body
        except BaseException as error:
            self.forget(body, address)
            if isinstance(error, asyncio.TimeoutError):
                raise BodyError(408, f"This request took longer than {BODY_S:g} s.") from None
            raise

    def _count(self, address: str, before: int, size: int) -> None:
        if size <= SMALL:
            return
        self._held[address] += size - max(before, SMALL)
        if size > MAX_REQUEST:
            raise BodyError(413, TOO_LARGE)
        if self._held[address] > MAX_BYTES_HELD_OF_ADDRESS or self._held.total() > MAX_IN_MEMORY:
            raise BodyError(
                503, "The server is busy with other large requests. Try again in a minute, or"
                " upload photos as files and send their paths.",
            )  # fmt: skip

    def forget(self, body: bytearray, address: str) -> None:
        """A body is not needed any more."""
        if len(body) > SMALL:
            self._held[address] -= len(body) - SMALL
            if not self._held[address]:
                del self._held[address]


def _values(body: bytearray) -> int:
    """At least as many as a JSON has values; commas within its texts count too."""
    return sum(body.count(mark) for mark in (b",", b"[", b"{"))


def paced(receive: Receive) -> Receive:
    """A ``receive`` of an upload that hangs up on who sends nothing, or next to nothing."""
    started, size, over = time.monotonic(), 0, False

    async def paced_receive() -> Message:
        nonlocal size, over
        if over:
            return await receive()
        left = started + START_S + size / LEAST_RATE - time.monotonic()
        try:
            message = await asyncio.wait_for(receive(), max(0.0, min(SILENCE_S, left)))
        except asyncio.TimeoutError:
            return {"type": "http.disconnect"}
        size += len(message.get("body", b""))
        over = not message.get("more_body")
        return message

    return paced_receive


def replay(body: bytes | bytearray, receive: Receive) -> Receive:
    """A ``receive`` that gives the body that was read, then whatever follows."""
    waiting: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
