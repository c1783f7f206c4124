"""A small stand-in of the Hugging Face Hub: makes repositories, takes commits and large files.

It answers what ``huggingface_hub`` asks while it uploads a folder (create, preupload, LFS batch,
commit, list), keeps what was sent, and refuses with ``refusal`` if one is set.
"""

import base64
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

LARGE_FILES = ("*.safetensors", "*.jpg", "*.png", "*.onnx")


@dataclass
class Hub:
    """What the stand-in was told.

    Attributes:
        created: the body of each request for a new repository.
        files: content by path; one repository is all a test needs.
        stored: large files by their SHA-256.
        tokens: of every request.
        refusal: ``(status, message)`` for requests that would make a repository.
    """

    endpoint: str = ""
    created: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    hardware: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    refusal: tuple[int, str] | None = None

    def commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            kind, value = line["key"], line["value"]
            if kind == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif kind == "lfsFile":
                self.files[value["path"]] = self.stored[value["oid"]]
            elif kind == "deletedFile":
                del self.files[value["path"]]
            elif kind != "header":
                raise ValueError(f"the stand-in knows no {kind}")


class HubServer(ThreadingHTTPServer):
    """Listens on a free port of this machine."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub = hub


class Handler(BaseHTTPRequestHandler):
    """One connection to the stand-in."""

    protocol_version = "HTTP/1.1"
    server: HubServer

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if not self.hub.created:
            self.answer({"error": "Repository not found"}, 404, "RepoNotFound")
        elif "/tree/" in path:
            rows = [{"type": "file", "path": p, "size": len(c), "oid": "0"}
                    for p, c in self.hub.files.items()]  # fmt: skip
            self.answer(rows)
        else:
            siblings = [{"rfilename": p} for p in self.hub.files]
            self.answer({"id": self.hub.created[0]["name"], "sha": "0", "siblings": siblings})

    def do_PUT(self) -> None:
        self.hub.stored[self.path.rsplit("/", 1)[1]] = self.body()
        self.answer({})

    def do_POST(self) -> None:
        self.hub.tokens.add(self.headers.get("Authorization", ""))
        path, body = self.path.partition("?")[0], self.body()
        if path == "/api/repos/create":
            self.create(json.loads(body))
        elif "/preupload/" in path:
            self.answer({"files": [self.mode(f["path"]) for f in json.loads(body)["files"]]})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [self.large(o) for o in json.loads(body)["objects"]]
            self.answer({"transfer": "basic", "objects": objects})
        elif "/commit/" in path:
            self.hub.commit([json.loads(line) for line in body.splitlines()])
            repository = path.partition("/commit/")[0].removeprefix("/api/")
            url = f"{self.hub.endpoint}/{repository.removeprefix('models/')}/commit/0"
            self.answer({"success": True, "commitOid": "0", "commitUrl": url})
        elif path.endswith("/hardware"):
            self.hub.hardware.append(json.loads(body)["flavor"])
            self.answer({"stage": "BUILDING"})
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        else:
            self.answer({"error": f"the stand-in does not know {path}"}, 501)

    def create(self, wanted: dict[str, Any]) -> None:
        if self.hub.refusal:
            status, message = self.hub.refusal
            self.answer({"error": message}, status)
            return
        self.hub.created.append(wanted)
        prefix = "spaces/" if wanted.get("type") == "space" else ""
        self.answer(
            {"url": f"{self.hub.endpoint}/{prefix}{wanted['organization']}/{wanted['name']}"}
        )

    def mode(self, path: str) -> dict[str, Any]:
        large = any(fnmatch(path, pattern) for pattern in LARGE_FILES)
        kind = "lfs" if large else "regular"
        return {"path": path, "uploadMode": kind, "shouldIgnore": False}

    def large(self, wanted: dict[str, Any]) -> dict[str, Any]:
        href = f"{self.hub.endpoint}/store/{wanted['oid']}"
        return {**wanted, "actions": {"upload": {"href": href}}}

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, content: Any, status: int = 200, code: str = "") -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def running_hub() -> Generator[Hub]:
    """The stand-in, listening."""
    hub = Hub()
    server = HubServer(hub)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
