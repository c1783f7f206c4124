"""Answers to the page, compressed as they come; Gradio compresses only its own files."""

from gradio.brotli_middleware import BrotliResponder, Mode
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

# Pictures travel as base64 in JSON, so even the quickest compression takes off a quarter; and the
# window holds what was drawn before, so that the same picture does not travel twice.
WINDOW_BITS = 20
MINIMUM = 400  # bytes


class Compressed:
    """Around a server: whatever it answers is compressed, streams as well, message by message.

    ``brotli`` and ``gzip`` say how hard to try.
    """

    def __init__(self, app: ASGIApp, brotli: int = 2, gzip: int = 1) -> None:
        self.app, self.brotli = app, brotli
        # Nothing is left out: by itself it leaves out streams of events.
        self.gzip = GZipMiddleware(app, MINIMUM, gzip, exclude_content_types=())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        # Browsers take brotli only over HTTPS and from this machine.
        if "br" in Headers(scope=scope).get("accept-encoding", ""):
            app: ASGIApp = BrotliResponder(
                self.app, self.brotli, Mode.text, WINDOW_BITS, 0, MINIMUM
            )
        else:
            app = self.gzip
        await app(scope, receive, send)
