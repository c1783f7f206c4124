"""The server as Gradio makes it, with the checks of this page in front of everything else.

Who may call (the name it was called by, the page the call comes from), how much a request may hold,
which of Gradio's own doors stay shut because this page has no use for them, and what a browser is
told about each answer.
"""

import errno
import logging
import os
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from gradio.routes import App, ORJSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.server.first_page import FirstPage
from demo.server.sessions import LightSessions
from demo.server.uploads import parse_carefully
from model.errors import UserError

log = logging.getLogger("demo")

# Uploads have their own limit, ``max_file_size``. A photo may also be part of a request, as base64.
MAX_REQUEST = 1024 * 1024  # bytes
UPLOAD = "/gradio_api/upload"
# They fetch other addresses, convert videos, or keep what a visitor has on screen.
SHUT = (
    "/gradio_api/component_server", "/gradio_api/custom_component", "/gradio_api/deep_link",
    "/gradio_api/process_recording", "/gradio_api/proxy=", "/gradio_api/run-history",
    "/gradio_api/stream", "/gradio_api/vibe-", "/gradio_api/undo-vibe-", "/gradio_api/file=http",
    "/gradio_api/file/", "/monitoring",
)  # fmt: skip
SPACE_FRAMES = ("https://huggingface.co", "https://*.hf.space")
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclass(frozen=True)
class Visitors:
    """Who may call.

    Attributes:
        host: the address the server listens on.
        origins: other sites, like ``https://example.org``, that may call or show this page.
        public: the page has a public name we do not know: a tunnel, or a Space.
    """

    host: str
    origins: tuple[str, ...] = ()
    public: bool = False

    @property
    def hosts(self) -> list[str]:
        """Names this server may be called by.

        Listening on this machine alone, a page of any other site could make its own name point
        here ("DNS rebinding") and read what only this machine may.
        """
        if self.public or not is_loopback(self.host):
            return ["*"]
        named = [urlsplit(origin).hostname or "" for origin in self.origins]
        return ["localhost", "127.0.0.1", "[::1]", self.host, *named]

    def welcomes(self, headers: Headers) -> bool:
        """Whether a request comes from this page, from an allowed site, or from no site at all.

        A public page answers everyone anyway: there the browser keeps the answer from other sites,
        because nothing in it permits them to read it.
        """
        origin = headers.get("origin")
        if origin is None or self.public or origin in self.origins:
            return True
        forwarded = headers.get("x-forwarded-host", "").split(",")[0].strip()
        site = urlsplit(origin).netloc  # empty for "null", what a page without an address sends
        return bool(site) and site in (headers.get("host"), forwarded)

    @property
    def frames(self) -> str:
        """Pages that may show this one, as Content-Security-Policy wants them."""
        space = SPACE_FRAMES if os.environ.get("SPACE_ID") else ()
        return " ".join(("'self'", *space, *self.origins))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on this address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def checked_origin(text: str) -> str:
    """A site as browsers name it: ``https://example.org``, without a path.

    Raises:
        UserError: if it is not one.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise UserError(f"--allow-origin {text[:80]!r} is no site: write it like https://site.org.")
    return f"{parts.scheme}://{parts.netloc}".lower()


class GuardedApp(App):
    """Gradio's server behind :class:`Door`."""

    def __init__(self, visitors: Visitors) -> None:
        super().__init__(default_response_class=ORJSONResponse)
        parse_carefully()
        self.state_holder = LightSessions()
        self.visitors = visitors
        self.add_exception_handler(OSError, _storage_answer)
        for kind in (RequestValidationError, FnIndexInferError, TypeError, KeyError, ValueError):
            self.add_exception_handler(kind, _unknown_request)

    def build_middleware_stack(self) -> ASGIApp:
        """Gradio's own stack, and ours around it: the last one here is asked first."""
        stack: ASGIApp = Door(FirstPage(super().build_middleware_stack()), self.visitors)
        if self.visitors.origins:
            stack = CORSMiddleware(
                stack, allow_origins=self.visitors.origins, allow_methods=["*"], allow_headers=["*"]
            )
        return TrustedHostMiddleware(stack, self.visitors.hosts, www_redirect=False)


async def _storage_answer(_: Request, error: Exception) -> PlainTextResponse:
    """An upload the disk did not take."""
    if not isinstance(error, OSError) or error.errno not in DISK_FULL:
        raise error
    log.error("an upload could not be stored", exc_info=error)
    return PlainTextResponse(
        "The disk of this server is full, so the file was not stored. Try again later.", 507
    )


async def _unknown_request(_: Request, error: Exception) -> PlainTextResponse:
    """A request Gradio cannot make sense of. Its own answer repeats it, or is no answer at all."""
    log.warning("a request that is none", exc_info=error)
    return PlainTextResponse(
        "This is no request the server knows. Its API is described on the page /?view=api.", 422
    )


class Door:
    """Refuses what the page has no use for, and adds headers to every answer."""

    def __init__(self, app: ASGIApp, visitors: Visitors) -> None:
        self.app = app
        self.visitors = visitors
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
        if scope["path"].rstrip("/") != UPLOAD:
            body = await whole_body(receive)
            if body is None:
                await _too_large()(scope, receive, send_with_headers)
                return
            receive = _replay(body, receive)
        # Gradio would answer any origin with permission to read, except on localhost.
        kept = [(name, value) for name, value in scope["headers"] if name != b"origin"]
        await self.app({**scope, "headers": kept}, receive, send_with_headers)

    def refusal(self, path: str, headers: Headers) -> PlainTextResponse | None:
        """The answer to what is not let in."""
        if path.lower().startswith(SHUT):
            return PlainTextResponse("There is nothing here.", 404)
        if not self.visitors.welcomes(headers):
            return PlainTextResponse(
                "This server answers no other sites. Whoever runs it can allow one with"
                " --allow-origin.", 403,
            )  # fmt: skip
        length = headers.get("content-length", "0")
        if path.rstrip("/") != UPLOAD and (not length.isdecimal() or int(length) > MAX_REQUEST):
            return _too_large()
        return None


def _too_large() -> PlainTextResponse:
    return PlainTextResponse(
        f"This request is larger than {MAX_REQUEST // 1024} KiB. Upload photos as files, and send"
        " their paths.", 413,
    )  # fmt: skip


async def whole_body(receive: Receive) -> bytes | None:
    """The body of a request, ``None`` if it is larger than :data:`MAX_REQUEST`."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_REQUEST:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body that was read, then whatever follows."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
