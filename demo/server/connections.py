"""Closes connections that are idle, send half a request or tiny chunks, or do not read answers.

An application sees a request only when its headers are complete, and uvicorn waits for those for
ever: only uvicorn's protocol class, which sees the bytes, can limit that time. A body may come in
chunks of one byte, and each is parsed in Python before the application sees any: megabytes of them
block the event loop for minutes.
"""

import asyncio
from contextlib import suppress
from typing import Any

import h11
from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.h11_impl import H11Protocol

try:
    import resource
except ImportError:  # Windows
    resource = None

HEADERS_S = 10.0  # from the first byte, or from the connection, to the end of the headers
WRITE_TIMEOUT_S = 30.0  # for a client to read some 50 KB of an answer
MANY_CHUNKS, LEAST_CHUNK = 1000, 512  # beyond so many chunks, their least average size in bytes
TINY_CHUNKS = (
    f"The body of this request comes in chunks of less than {LEAST_CHUNK} bytes: send larger ones."
)
OPEN_FILES = 65536  # limit of the process, where the system allows that many


class CountingConnection(h11.Connection):
    """Parses requests, and refuses a body of many tiny chunks."""

    _chunks = _bytes = 0
    has_tiny_chunks = False

    def next_event(self) -> Any:
        """The next part of a request.

        Raises:
            h11.RemoteProtocolError: if it is no request, or its body comes in too small chunks.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._bytes += len(event.data)
            if self._chunks > max(MANY_CHUNKS, self._bytes / LEAST_CHUNK):
                self.has_tiny_chunks = True
                raise h11.RemoteProtocolError(TINY_CHUNKS)
        return event


class TimeoutProtocol(H11Protocol):
    """uvicorn's protocol, with limits on the headers of each request and the chunks of its body."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._counting = CountingConnection(h11.SERVER)
        self.conn: h11.Connection = self._counting
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the timer for the headers of the first request."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._headers_received()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Stop the timer when headers are complete, and start it for the next request."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._headers_received()
        if (self.cycle is None or self.cycle.response_complete) and not self._timer:
            self._await_headers()

    def on_response_complete(self) -> None:
        """Stop the timer if a request received during this answer is answered next."""
        before = self.cycle
        super().on_response_complete()
        if self.cycle is not before:
            self._headers_received()

    def send_400_response(self, msg: str) -> None:
        """Answer 400 and close, or only close in the middle of another answer."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(TINY_CHUNKS if self._counting.has_tiny_chunks else msg)
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """The send buffer is full: close unless the client reads on in time."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read on: stop the timer."""
        super().resume_writing()
        if self._write_timer:
            self._write_timer.cancel()
            self._write_timer = None

    def _await_headers(self) -> None:
        self._timer = self.loop.call_later(HEADERS_S, self._close)

    def _headers_received(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        # A connection that became a WebSocket has left the set of connections.
        if self in self.connections and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


def close_silent_connections() -> None:
    """Let servers that are started from now on use :class:`TimeoutProtocol`.

    Gradio builds uvicorn's configuration and has no setting for the protocol class.
    """
    HTTP_PROTOCOLS["auto"] = f"{__name__}:{TimeoutProtocol.__name__}"


def allow_many_connections() -> None:
    """Raise the limit on open files to :data:`OPEN_FILES`, or as far as the system allows.

    The soft limit of a shell is 1,024; a process may raise it to the much higher hard limit.
    """
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS has a third limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
