"""Limits on the bodies of requests: their size, their speed, and how much is in memory."""

import asyncio
import time
from collections import Counter

from starlette.types import Message, Receive

MAX_REQUEST = 1024 * 1024  # bytes, of any request but an upload
TOO_LARGE = (
    f"This request is larger than {MAX_REQUEST // 1024} KiB. Upload photos as files, and send their"
    " paths."
)
# Parsing a megabyte of brackets blocks the event loop for two seconds; a call with 100 photos has
# about 1,000 values.
MAX_VALUES = 10_000
TOO_MANY_VALUES = f"This request holds more than {MAX_VALUES:,} values. Send fewer at a time."
BODY_S = 30.0  # until a body is complete
# Uploads go to the disk, so a slow phone is waited for, but not one that sends nothing.
SILENCE_S = 20.0
START_S, LEAST_RATE = 60.0, 4096  # seconds of grace, then the least average in bytes a second
# Only what a body has beyond SMALL bytes counts towards the limits below, in bytes.
SMALL = 64 * 1024
MAX_IN_MEMORY, MAX_BYTES_HELD_OF_ADDRESS = 32 * 1024 * 1024, 16 * 1024 * 1024


class BodyError(Exception):
    """Raised for a body that is refused before it is read to its end.

    Attributes:
        status: HTTP status of the answer.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Bodies:
    """Reads the bodies of requests into memory, all visitors' together within a limit."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()  # bytes, by address

    async def read(self, receive: Receive, address: str) -> bytearray:
        """Read a whole body, which counts towards the limits until it is passed to `forget`.

        Raises:
            BodyError: if it is too large or too slow, holds too much, or there is no room.
        """
        body = bytearray()
        deadline = time.monotonic() + BODY_S
        try:
            while True:
                left = max(0.0, deadline - time.monotonic())
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
        """Stop counting a body, which is not needed any more."""
        if len(body) > SMALL:
            self._held[address] -= len(body) - SMALL
            if not self._held[address]:
                del self._held[address]


def _values(body: bytearray) -> int:
    """Estimate the number of values in a JSON text; commas within strings count too."""
    return sum(body.count(mark) for mark in (b",", b"[", b"{"))


def paced(receive: Receive) -> Receive:
    """Wrap the ``receive`` of an upload: a client that sends too slowly is disconnected."""
    started, size, is_complete = time.monotonic(), 0, False

    async def paced_receive() -> Message:
        nonlocal size, is_complete
        if is_complete:
            return await receive()
        left = started + START_S + size / LEAST_RATE - time.monotonic()
        try:
            message = await asyncio.wait_for(receive(), max(0.0, min(SILENCE_S, left)))
        except asyncio.TimeoutError:
            return {"type": "http.disconnect"}
        size += len(message.get("body", b""))
        is_complete = not message.get("more_body")
        return message

    return paced_receive


def replay(body: bytes | bytearray, receive: Receive) -> Receive:
    """Wrap a ``receive`` whose body has been read: it returns that body, then what follows."""
    waiting: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
