"""Connections that say nothing, half of something, or do not listen, are closed.

An application hears of a request when its headers are there, and uvicorn waits for them for ever:
only its protocol, which sees the bytes, can bound that time.
"""

import asyncio
from contextlib import suppress
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.h11_impl import H11Protocol

try:
    import resource
except ImportError:  # Windows
    resource = None

HEADERS_S = 10.0  # from the first byte, or from the connection, to the end of the headers
UNHEARD_S = 30.0  # until some 50 KB of an answer are taken off
OPEN_FILES = 65536  # of the process, where the system allows that many


class TimeoutProtocol(H11Protocol):
    """uvicorn's protocol, with a time limit for the headers of each request."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._unheard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Somebody is there, and has not asked for anything."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        self._headers_received()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A piece of a request."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._headers_received()
        if (self.cycle is None or self.cycle.response_complete) and not self._timer:
            self._await_headers()

    def on_response_complete(self) -> None:
        """An answer is sent. A request that was sent before it may be answered now."""
        before = self.cycle
        super().on_response_complete()
        if self.cycle is not before:
            self._headers_received()

    def pause_writing(self) -> None:
        """As much of an answer waits to be sent as may wait."""
        super().pause_writing()
        self._unheard = self.loop.call_later(UNHEARD_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It was taken off."""
        super().resume_writing()
        if self._unheard:
            self._unheard.cancel()
            self._unheard = None

    def _await_headers(self) -> None:
        self._timer = self.loop.call_later(HEADERS_S, self._close)

    def _headers_received(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        # What became a WebSocket has left the set of connections.
        if self in self.connections and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


def close_silent_connections() -> None:
    """Let servers that are started from now on use :class:`TimeoutProtocol`.

    Gradio builds the configuration of uvicorn and takes no wishes for it.
    """
    HTTP_PROTOCOLS["auto"] = f"{__name__}:{TimeoutProtocol.__name__}"


def allow_many_connections() -> None:
    """Let the process have as many open files as the system allows, and some more than it may need.

    A shell allows 1,024 unless told; the limit up to which a process may ask is much higher.
    """
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS has a third limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
