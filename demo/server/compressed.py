"""Compression of answers while they are streamed; Gradio compresses only its static files."""

from gradio.brotli_middleware import BrotliResponder, Mode
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

# Pictures are sent as base64 in JSON, so even the quickest compression takes off a quarter; and the
# window holds earlier pictures, so that the same one is not sent twice.
WINDOW_BITS = 20
MINIMUM = 400  # bytes


class Compressed:
    """ASGI middleware that compresses every answer; streams are compressed message by message.

    ``brotli`` and ``gzip`` are compression levels.
    """

    def __init__(self, app: ASGIApp, brotli: int = 2, gzip: int = 1) -> None:
        self.app, self.brotli = app, brotli
        # Event streams are excluded by default.
        self.gzip = GZipMiddleware(app, MINIMUM, gzip, exclude_content_types=())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        # Browsers accept brotli only over HTTPS and from this machine.
        if "br" in Headers(scope=scope).get("accept-encoding", ""):
            app: ASGIApp = BrotliResponder(
                self.app, self.brotli, Mode.text, WINDOW_BITS, 0, MINIMUM
            )
        else:
            app = self.gzip
        await app(scope, receive, send)
