"""An HTML component whose value is JSON, and not text."""

from typing import Any, TypeGuard

import gradio as gr


class JsonHtml(gr.HTML):
    """HTML with any JSON as its value; that of Gradio's own must be text.

    Subclasses convert the JSON to what a handler gets, and back. To update a component, Gradio
    constructs it anew with options of its own, so subclasses must accept any options.
    """

    def preprocess(self, payload: Any) -> Any:
        """The value for a handler, from the browser's JSON."""
        return payload

    def postprocess(self, value: Any) -> Any:
        """The JSON for the browser, from a handler's value."""
        return value

    def api_info(self) -> dict[str, Any]:
        """JSON schema of the value."""
        return {"type": "object"}


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether ``value`` is an integer (no bool) that JavaScript represents exactly."""
    return type(value) is int and abs(value) < 2**53
