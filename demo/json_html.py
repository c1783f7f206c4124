"""HTML whose value is not text."""

from typing import Any, TypeGuard

import gradio as gr


class JsonHtml(gr.HTML):
    """HTML with any JSON as its value, as the browser gets it; Gradio's own type allows text only.

    Subclasses say what a handler gets for it, and gives. Where a handler sets one, Gradio makes it
    anew with options of its own, so they have to take any.
    """

    def preprocess(self, payload: Any) -> Any:
        """What a handler gets."""
        return payload

    def postprocess(self, value: Any) -> Any:
        """For the browser."""
        return value

    def api_info(self) -> dict[str, Any]:
        """JSON schema of the value."""
        return {"type": "object"}


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether the browser can have counted so far: no ``true``, and nothing JavaScript rounds."""
    return type(value) is int and abs(value) < 2**53
