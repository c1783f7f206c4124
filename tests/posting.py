"""What a page posts: files, and a value for each of its components."""

from pathlib import Path
from typing import Any

import httpx

META = {"meta": {"_type": "gradio.FileData"}}


def upload(http: httpx.Client, path: Path, name: str = "") -> str:
    with path.open("rb") as stream:
        files = {"files": (name or path.name, stream)}
        return http.post("gradio_api/upload", files=files).json()[0]


def harmless(component: dict[str, Any]) -> Any:
    """A value a component takes; nothing of it names a photo."""
    return "" if component["type"] == "textbox" else component["props"].get("value")
