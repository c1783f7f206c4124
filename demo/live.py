"""The live camera: a frame is sent and answered by a box, and only then the next one is sent."""

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

MAX_FRAME = 600_000  # characters; a frame of 640 pixels takes a tenth of that
START = "data:image/jpeg;base64,"
NO_FRAME = "what was sent is no frame of a camera: load the page again."


@dataclass(frozen=True)
class Frame:
    """What the browser sends: a number that the answer repeats, and a JPEG."""

    number: int
    content: bytes


class LiveCamera(JsonHtml):
    """A button, and the camera's picture with a box over it; ``input`` fires for each frame.

    Handlers return what :func:`look` does. Frames are not stored.
    """

    def __init__(self, value: dict[str, Any] | None = None, **options: Any) -> None:
        super().__init__(
            value, html_template=(WEB / "live.html").read_text(), apply_default_css=False,
            js_on_load=script("live"), **options,
        )  # fmt: skip

    def preprocess(self, payload: Any) -> Frame:
        """The frame that the browser sent.

        Raises:
            UserError: if it is none.
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
    """The detection in a frame, as JSON for the browser.

    Returns:
        number of the frame; size: its width and height; bbox_xyxy in its pixels; kind ("sure" or
        not) and words of the verdict; colour of the box and its plate, and of their text.

    Raises:
        UserError: if the frame cannot be read.
    """
    loaded = load_fitted(frame.content, detector_of(checkpoint).reading_side())
    detection = detect(checkpoint, loaded)
    verdict = detection.verdict(threshold)
    colour = class_colour(detection.class_name)
    end = f" {percent(detection.score, 0)}" if verdict.kind == "sure" else "."
    return {
        "number": frame.number, "size": list(detection.image_size),
        "bbox_xyxy": [round(v, 1) for v in detection.bbox_xyxy],
        "kind": verdict.kind, "words": verdict.text + end,
        "colour": markup.css_colour(colour), "text": markup.css_colour(text_colour(colour)),
    }  # fmt: skip
