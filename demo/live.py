"""The camera while it moves: a frame is sent, answered by a box, and only then comes the next."""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.inspection import detect, detector_of
from demo.json_html import JsonHtml, is_whole
from demo.views import markup
from demo.web_files import WEB, script
from model.data.images import load_fitted
from model.draw import class_colour, text_colour
from model.errors import UserError
from model.words import percent

MAX_FRAME = 600_000  # characters; a frame of 640 pixels takes a tenth
START = "data:image/jpeg;base64,"
NO_FRAME = "what was sent is no frame of a camera: load the page again."


@dataclass(frozen=True)
class Frame:
    """What the browser sends: a number to know the answer by, and a JPEG."""

    number: int
    content: bytes


class LiveCamera(JsonHtml):
    """A button, and the camera with a box over it; ``input`` fires for each frame.

    The value that a handler gives is what :func:`look` returns. Frames are kept nowhere.
    """

    def __init__(self, value: dict[str, Any] | None = None, **options: Any) -> None:
        super().__init__(
            value, html_template=(WEB / "live.html").read_text(), apply_default_css=False,
            js_on_load=script("live"), **options,
        )  # fmt: skip

    def preprocess(self, payload: Any) -> Frame:
        """The frame.

        Raises:
            UserError: for anything else.
        """
        payload = payload if isinstance(payload, dict) else {}
        number, text = payload.get("number"), payload.get("frame")
        if not is_whole(number) or not isinstance(text, str) or len(text) > MAX_FRAME:
            raise UserError(NO_FRAME)
        try:
            content = base64.b64decode(text.removeprefix(START), validate=True)
        except binascii.Error:
            raise UserError(NO_FRAME) from None
        return Frame(number, content)


def look(frame: Frame, checkpoint: Path, threshold: float) -> dict[str, Any]:
    """What the detector says of a frame, as JSON for the browser.

    Returns:
        number: of the frame; size: width and height; bbox_xyxy in its pixels; kind, words and
        colours: as everywhere on the page.

    Raises:
        UserError: if the frame cannot be read.
    """
    loaded = load_fitted(frame.content, detector_of(checkpoint).reading_side())
    d = detect(checkpoint, loaded)
    said = d.verdict(threshold)
    colour = class_colour(d.class_name)
    words = f"{said.text} {percent(d.score, 0)}" if said.kind == "sure" else f"{said.text}."
    return {
        "number": frame.number, "size": list(d.image_size),
        "bbox_xyxy": [round(v, 1) for v in d.bbox_xyxy], "kind": said.kind, "words": words,
        "colour": markup.css_colour(colour), "text": markup.css_colour(text_colour(colour)),
    }  # fmt: skip
