"""A component in which boxes are drawn on a photo, by mouse, touch or keyboard."""

import json
import math
from collections.abc import Sequence
from typing import Any, TypedDict

import gradio as gr

from demo.json_html import JsonHtml
from demo.web_files import WEB, script
from model.classes import MAX_NAME_LENGTH, VOC_CLASSES, shown_name

MAX_BOXES = 100  # VOC has a photo with 42


class EditedBox(TypedDict):
    """A box in pixels of the photo, and its class, ``""`` if it has none."""

    bbox_xyxy: tuple[float, float, float, float]
    class_name: str


class EditorValue(TypedDict):
    """What the component shows.

    ``image`` is an address the browser can load, or ``None``; ``image_size`` is ``(width,
    height)`` of what the boxes are in pixels of, which may be larger than the picture shown;
    ``alt`` describes the photo; ``selected`` is the index of a box, or ``None``;
    ``photo`` is its key, see :attr:`demo.choice.PhotoChoice.key`.
    """

    image: str | None
    image_size: tuple[int, int]
    alt: str
    boxes: list[EditedBox]
    selected: int | None
    photo: str


class Edit(TypedDict):
    """The boxes as the visitor edited them; ``selected`` is the index of one, or ``None``."""

    boxes: list[EditedBox]
    selected: int | None


class BoxEditor(JsonHtml):
    """Shows an :class:`EditorValue`; ``input`` fires when the visitor has changed a box.

    Listen with ``trigger_mode="always_last"``: held arrow keys come faster than an answer.

    Args:
        value: an :class:`EditorValue`, or ``None``.
        class_names: classes to choose from, in addition to those of the boxes of a photo.
        max_boxes: with so many boxes, a new one replaces the selected one.
        options: of :class:`gradio.HTML`.
    """

    def __init__(
        self,
        value: EditorValue | None = None,
        *,
        class_names: Sequence[str] = VOC_CLASSES,
        max_boxes: int = MAX_BOXES,
        **options: Any,
    ) -> None:
        # Not as props: Gradio loses those of a component that is updated before its tab is opened.
        shown = {name: shown_name(name) for name in (*VOC_CLASSES, *class_names)}
        constants = (
            f"const CLASS_NAMES = {json.dumps(list(class_names))};\n"
            f"const SHOWN_NAMES = {json.dumps({k: v for k, v in shown.items() if k != v})};\n"
            f"const MAX_BOXES = {max_boxes};\n"
        )
        super().__init__(
            value,
            html_template=(WEB / "box_editor.html").read_text(),
            css_template=(WEB / "box_editor.css").read_text(),
            js_on_load=constants + script("box_editor"),
            apply_default_css=False,
            max_boxes=max_boxes,
            **options,
        )

    def preprocess(self, payload: Any) -> Edit:
        """The boxes and the selection, checked; everything else that the browser sends is ignored.

        Raises:
            gr.Error: if they are not boxes. Class names may be any.
        """
        if not payload:
            return Edit(boxes=[], selected=None)
        try:
            boxes = [self._box(box) for box in payload["boxes"]]
            selected = payload.get("selected")
        except (TypeError, KeyError, ValueError, AttributeError):
            raise gr.Error("the boxes that were sent cannot be read; reload the page.") from None
        if len(boxes) > self.props["max_boxes"]:
            raise gr.Error(f"there can be at most {self.props['max_boxes']} boxes; delete some.")
        is_index = isinstance(selected, int) and 0 <= selected < len(boxes)
        return Edit(boxes=boxes, selected=selected if is_index else None)

    def _box(self, payload: dict) -> EditedBox:
        x1, y1, x2, y2 = (float(v) for v in payload["bbox_xyxy"])
        if not all(map(math.isfinite, (x1, y1, x2, y2))):
            raise ValueError("not finite")
        name = payload["class_name"]
        if name and (not isinstance(name, str) or len(name) > MAX_NAME_LENGTH):
            raise ValueError("no name of a class")
        return EditedBox(bbox_xyxy=(x1, y1, x2, y2), class_name=name or "")
