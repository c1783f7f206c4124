"""Gradio's server behind the checks of this page.

They decide who may call (by host name and origin), how large a request may be and which of Gradio's
endpoints are open, since this page needs only some; and they add security headers to every answer.
"""

import errno
import logging
import os
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from gradio.routes import App, ORJSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.server.bodies import MAX_REQUEST, TOO_LARGE, Bodies, BodyError, paced, replay
from demo.server.connections import allow_many_connections, close_silent_connections
from demo.server.direct import DIRECT, DirectCalls, Limited
from demo.server.first_page import ANSWERS, FirstPage
from demo.server.queue import READERS, TOO_MANY, FairQueue
from demo.server.sessions import LightSessions
from demo.server.uploads import use_storage_limits
from demo.server.visitors import Visitor, visitor_of
from demo.serving import calls
from model.errors import UserError

log = logging.getLogger("demo")

UPLOAD = "/gradio_api/upload"
ANSWER = "/gradio_api/call/"
# Tools for language models (MCP), where they are switched on. For each call of one Gradio calls
# itself, from this machine, and a thread waits for the answer.
TOOLS = "/gradio_api/mcp"
# The endpoints that this page and clients of its API use. Gradio's others are closed: they fetch
# other URLs, convert videos, record the screen, or keep connections or made-up upload ids.
API = "/gradio_api/"
OPEN = (
    "app_id", "cancel", "info", "mcp", "openapi.json", "reset", "startup-events", "theme.css",
    "upload",
)  # fmt: skip
OPEN_BELOW = ("api/", "call/", "file=", "mcp/", "queue/", "run/")
BLOCKED_PATHS = ("/monitoring", "/openapi.json", f"{TOOLS}/messages", f"{TOOLS}/sse",
                 f"{API}file=http")  # fmt: skip
# Answers that Gradio renders for each request, in 15 to 45 ms of a core.
MADE_ANEW = ("", "/config", "/gradio_api/info", "/gradio_api/openapi.json")
FORWARDED, FORWARDED_FOR = b"x-forwarded-host", b"x-forwarded-for"
MAX_UPLOADS, MAX_STREAMS = 32, 64  # concurrent ones of one address
NOTHING_LEFT = 'data: {"msg": "close_stream", "event_id": null}\n\n'
TOO_MANY_UPLOADS = f"{MAX_UPLOADS} uploads of yours are under way. Try again when one has ended."
TOO_MANY_STREAMS = f"You read {MAX_STREAMS} answers at the same time. End one, then ask again."
SPACE_FRAMES = ("https://huggingface.co", "https://*.hf.space")
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class Visitors:
    """Who may call the server.

    Attributes:
        host: the address the server listens on.
        origins: other sites, like ``https://example.org``, that may call or embed this page.
        public: the page has a public name we do not know: a tunnel, or a Space.
    """

    host: str
    origins: tuple[str, ...] = ()
    public: bool = False

    @property
    def hosts(self) -> list[str]:
        """Host names this server answers to.

        Any other site could otherwise let its own name point to a server for this machine alone
        ("DNS rebinding"), and read what only this machine may.
        """
        if self.public or not is_loopback(self.host):
            return ["*"]
        named = [urlsplit(origin).hostname or "" for origin in self.origins]
        return ["localhost", "127.0.0.1", "[::1]", self.host, *named]

    def allows(self, headers: Headers) -> bool:
        """Whether a request comes from this page, from an allowed site, or from no site at all.

        A public page answers everyone anyway: there the browser keeps the answer from other sites,
        because nothing in it permits them to read it.
        """
        origin = headers.get("origin")
        if origin is None or self.public or origin in self.origins:
            return True
        forwarded = headers.get("x-forwarded-host", "").split(",")[0].strip()
        site = origin.partition("://")[2]  # empty for "null", what a page without an address sends
        return bool(site) and site in (headers.get("host"), forwarded)

    @property
    def frames(self) -> str:
        """Sites that may embed this page, in the syntax of Content-Security-Policy."""
        space = SPACE_FRAMES if os.environ.get("SPACE_ID") else ()
        return " ".join(("'self'", *space, *self.origins))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on this address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def checked_origin(text: str) -> str:
    """The origin ``text`` as browsers write it: ``https://example.org``, without a path.

    Raises:
        UserError: if it is not one.
    """
    problem = UserError(f"--allow-origin {text[:80]!r} is no site: write it like https://site.org.")
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises ValueError for an invalid one
    except ValueError:
        raise problem from None
    rest = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in ("http", "https") or not parts.hostname or rest:
        raise problem
    return f"{parts.scheme}://{parts.netloc}".lower()


_api_info: ContextVar[dict[str, Any] | None] = ContextVar("api_info", default=None)


class GuardedApp(App):
    """Gradio's server behind :class:`RequestGuard` and :class:`FirstPage`."""

    def __init__(self, visitors: Visitors, first_view: str = "") -> None:
        super().__init__(default_response_class=ORJSONResponse)
        use_storage_limits()
        close_silent_connections()
        allow_many_connections()
        self.state_holder = LightSessions()
        self.visitors, self.first_view = visitors, first_view
        self.add_exception_handler(OSError, _storage_answer)
        self.add_exception_handler(ClientDisconnect, _hung_up)
        for kind in (RequestValidationError, FnIndexInferError, TypeError, KeyError, ValueError):
            self.add_exception_handler(kind, _unknown_request)

    @property
    def api_info(self) -> dict[str, Any] | None:
        """The description of the API, kept for the current request alone.

        Gradio caches one for all requests, whose examples name the server as the first request did:
        whoever asks first could have everybody's photos sent to another server.
        """
        return _api_info.get()

    @api_info.setter
    def api_info(self, info: dict[str, Any] | None) -> None:
        _api_info.set(info)

    def build_middleware_stack(self) -> ASGIApp:
        """Gradio's own stack with ours around it, the outermost last."""
        gradio = EndedStreams(super().build_middleware_stack())
        page = FirstPage(gradio, self.first_view)
        stack: ASGIApp = RequestGuard(page, self.visitors, self._is_done_with)
        if self.visitors.origins:
            stack = CORSMiddleware(
                stack, allow_origins=self.visitors.origins, allow_methods=["*"], allow_headers=["*"]
            )
        return TrustedHostMiddleware(stack, self.visitors.hosts, www_redirect=False)

    def _is_done_with(self, session: str) -> bool:
        return cast(FairQueue, self.get_blocks()._queue).is_done_with(session)


class EndedStreams:
    """ASGI middleware that ends the stream of an answer that does not exist, or no longer.

    Gradio tells the reader so, then raises, which would log a traceback for each.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            # What Starlette raises for an HTTPException after the start of an answer was sent.
            if not isinstance(error.__cause__, HTTPException):
                raise
            await send({"type": "http.response.body"})


async def _storage_answer(_: Request, error: Exception) -> PlainTextResponse:
    """Answer a request that failed because the disk is full, or its path too long for a file."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return PlainTextResponse("There is nothing here.", 404)
    if not isinstance(error, OSError) or error.errno not in DISK_FULL:
        raise error
    log.error("an upload could not be stored: %s", error)
    return PlainTextResponse(
        "The disk of this server is full, so the file was not stored. Try again later.", 507
    )


async def _hung_up(_: Request, __: Exception) -> PlainTextResponse:
    """Answer an upload that stopped halfway, or was too slow and still has a client."""
    return PlainTextResponse(
        "This upload was too slow, or stopped.", 408, headers={"Connection": "close"}
    )


async def _unknown_request(request: Request, error: Exception) -> PlainTextResponse:
    """Answer a request Gradio does not understand: its own answer repeats it, or there is none."""
    log.warning("malformed request to %.100r: %.200r", request.url.path, error)
    return PlainTextResponse(
        "This is no request the server knows. Its API is described on the page /?view=api.", 422
    )


class RequestGuard:
    """ASGI middleware that refuses requests, limits others, and adds headers to every answer.

    ``is_done_with`` tells whether a session has no more answers to read.
    """

    def __init__(
        self, app: ASGIApp, visitors: Visitors,
        is_done_with: Callable[[str], bool] = lambda session: False,
    ) -> None:  # fmt: skip
        self.app, self.visitors, self.is_done_with = app, visitors, is_done_with
        self.bodies = Bodies()
        self.direct, self.made_anew = DirectCalls(), DirectCalls()
        self.uploads, self.streams = Limited(MAX_UPLOADS), Limited(MAX_STREAMS)
        self.headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": f"frame-ancestors {visitors.frames}; object-src 'none'",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        headers = Headers(scope=scope)
        if refusal := self.refusal(scope["path"], headers):
            await refusal(scope, receive, send_with_headers)
            return
        scope = {**scope, "headers": self.believed(scope["headers"])}
        visitor = visitor_of(HTTPConnection(scope))
        if scope["path"].startswith(TOOLS):
            scope["headers"] = _forwarded_for(visitor, scope["headers"])
        calls.current.set(calls.Call(*visitor))
        if scope["path"].rstrip("/") == UPLOAD:
            await self._upload(scope, receive, send_with_headers, visitor)
            return
        try:
            body = await self.bodies.read(receive, visitor.address)
        except BodyError as error:
            closing = {"Connection": "close"}
            answer = PlainTextResponse(str(error), error.status, headers=closing)
            await answer(scope, receive, send_with_headers)
            return
        try:
            await self._pass_on(scope, body, receive, send_with_headers, visitor)
        finally:
            self.bodies.forget(body, visitor.address)

    async def _upload(self, scope: Scope, receive: Receive, send: Send, visitor: Visitor) -> None:
        with self.uploads.one(visitor.address) as is_free:
            app = self.app if is_free else PlainTextResponse(TOO_MANY_UPLOADS, 503)
            # Without its query, an id to ask for its progress by: Gradio would keep each for ever.
            await app({**scope, "query_string": b""}, paced(receive), send)

    async def _pass_on(
        self, scope: Scope, body: bytearray, receive: Receive, send: Send, visitor: Visitor
    ) -> None:
        path, replayed = scope["path"], replay(body, receive)
        is_tool = path.startswith(TOOLS) and scope["method"] == "POST"
        is_made_anew = path.rstrip("/") in MADE_ANEW
        if is_tool or is_made_anew or path.startswith(DIRECT):
            places = self.made_anew if is_made_anew else self.direct
            async with places.place(visitor, receive) as is_free:
                app = self.app if is_free else PlainTextResponse(TOO_MANY, 503)
                await app(scope, replayed, send)
        elif (key := _stream_key(scope)) and path.rstrip("/") == ANSWERS and self.is_done_with(key):
            # Gradio's page opens a stream even when the answer came by an earlier one, which it has
            # closed; Gradio would keep this one open until the session's next answer.
            ended = PlainTextResponse(NOTHING_LEFT, media_type="text/event-stream")
            await ended(scope, replayed, send)
        elif key:
            with self.streams.one(visitor.address) as is_free:
                app = self.app if is_free else PlainTextResponse(TOO_MANY_STREAMS, 503)
                async with READERS.reading(key):
                    await app(scope, replayed, send)
        else:
            await self.app(scope, replayed, send)

    def believed(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers of a request that are passed on to Gradio.

        Gradio would permit any Origin to read the answer (except on localhost), use any forwarded
        host name as that of the page, and answer a Range with the headers of the request.
        """
        kept = [(name, value) for name, value in headers if name not in (b"origin", b"range")]
        hosts = self.visitors.hosts
        if hosts == ["*"]:
            return kept
        return [
            (name, value)
            for name, value in kept
            if name != FORWARDED or _without_port(value.decode("latin-1")) in hosts
        ]

    def refusal(self, path: str, headers: Headers) -> PlainTextResponse | None:
        """The answer to a request that is refused, ``None`` for others."""
        below = path.removeprefix(API)
        is_open = below == path or below.rstrip("/") in OPEN or below.startswith(OPEN_BELOW)
        if not is_open or path.lower().startswith(BLOCKED_PATHS):
            return PlainTextResponse("There is nothing here.", 404)
        if not self.visitors.allows(headers):
            return PlainTextResponse(
                "This server answers no other sites. Whoever runs it can allow one with"
                " --allow-origin.", 403,
            )  # fmt: skip
        length = headers.get("content-length", "0")
        if path.rstrip("/") != UPLOAD and (not length.isdecimal() or int(length) > MAX_REQUEST):
            return PlainTextResponse(TOO_LARGE, 413)
        return None


def _forwarded_for(
    visitor: Visitor, headers: list[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Headers of a tool call with the visitor's address: Gradio's own call repeats them."""
    kept = [(name, value) for name, value in headers if name != FORWARDED_FOR]
    return [*kept, (FORWARDED_FOR, visitor.address.partition("/")[0].encode("latin-1", "replace"))]


def _without_port(host: str) -> str:
    return re.sub(r":\d+$", "", host.strip()).lower()


def _stream_key(scope: Scope) -> str:
    """The session or the event id whose answer a request reads; empty for other requests."""
    if scope["method"] != "GET":
        return ""
    if scope["path"].rstrip("/") == ANSWERS:
        return dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("session_hash", "")
    return scope["path"].rpartition("/")[2] if scope["path"].startswith(ANSWER) else ""
