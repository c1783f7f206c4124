"""The HTML of the page: given our own link preview and a first view, and compressed.

Gradio writes its own title, description and picture into the page, twice, and the page is blank
until all its scripts have run.
"""

import re

from gradio.route_utils import get_root_url
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.server.compressed import Compressed
from demo.web_files import WEB, render

TITLE = "Largest-object detector"
DESCRIPTION = (
    "Drop a photo: what is its largest object, and where? And see what rotation, zoom and colour do"
    " to the photo, to the box and to the answer before you train on them."
)
PICTURE, PICTURE_PATH, PICTURE_SIZE = WEB / "link-preview.jpg", "/link-preview.jpg", (1200, 630)
PICTURE_ALT = "A photo and its box before and after augmentation."
ANSWERS = "/gradio_api/queue/data"
_GRADIOS_TAGS = re.compile(r'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>')


class FirstPage:
    """ASGI middleware around Gradio: changes the answer to ``/``, serves the preview's picture.

    ``first_view`` is HTML that is shown until Gradio's scripts have built the page.
    """

    def __init__(self, app: ASGIApp, first_view: str = "") -> None:
        self.app, self.first_view = app, first_view
        self.page, self.answers = Compressed(self._previewed, 5, 6), Compressed(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path == PICTURE_PATH:
            await FileResponse(PICTURE)(scope, receive, send)
        elif path == "/":
            # Without the query, which the page's load event reads. Gradio would misread some of it:
            # ``page`` is a page number of our Dataset tab, and the name of a page to Gradio.
            await self.page({**scope, "query_string": b""}, receive, send)
        elif path.rstrip("/") == ANSWERS:
            await self.answers(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _previewed(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        body = bytearray()

        async def send_previewed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            content = bytes(body)
            if content and "text/html" in Headers(raw=start["headers"]).get("content-type", ""):
                tags = preview(Request(scope))
                content = with_preview(content.decode(), tags, self.first_view).encode()
                MutableHeaders(raw=start["headers"])["content-length"] = str(len(content))
            await send(start)
            await send({"type": "http.response.body", "body": content})

        await self.app(scope, receive, send_previewed)


def preview(request: Request) -> str:
    """The meta tags of the link preview, with the absolute URL of the picture that they need."""
    root = get_root_url(request, "/", request.scope.get("root_path"))
    width, height = PICTURE_SIZE
    return render(
        "first_head.html", title=TITLE, description=DESCRIPTION, picture=root + PICTURE_PATH,
        width=width, height=height, alt=PICTURE_ALT,
    )  # fmt: skip


def with_preview(html: str, tags: str, first_view: str = "") -> str:
    """The page with ``tags`` in its head instead of Gradio's, and ``first_view`` in its body."""
    # Gradio's tags are removed only before the first script, which holds values of the page.
    head, script, rest = html.partition("<script")
    head = _GRADIOS_TAGS.sub("", head).replace("<head>", f"<head>\n{tags}", 1)
    before, app, after = rest.rpartition("<gradio-app")
    # Not with +: Markup escapes the plain strings that are added to it.
    return "".join([head, script, before, first_view, app, after])
