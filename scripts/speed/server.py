"""The demo in a separate process, and a client with little overhead."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
BOUNDARY = "photo-follows"


@contextmanager
def server(port: int, *arguments: str, **environment: str) -> Generator[psutil.Process]:
    """Start the demo and yield its process at once; see :func:`wait_for_page`."""
    command = [sys.executable, "demo/app.py", "--port", str(port), *arguments]
    variables = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", **environment}
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=variables)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def wait_for_page(port: int, seconds: float = 120) -> None:
    """Wait until the server answers with its page.

    Raises:
        TimeoutError: if it does not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read()
            return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"no page on port {port}")


def free_port() -> int:
    """A free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """A visitor of the API with a connection per call; not thread-safe.

    It uses ``http.client``, because other clients take a tenth of the time of a pass.
    """

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        """The body of the response.

        Raises:
            RuntimeError: if its status is not 200.
        """
        headers = {"Content-Type": kind} if kind else {}
        self.connection.request(method, f"/gradio_api/{path}", body, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {content[:300]!r}")
        return content

    def upload(self, photo: bytes) -> dict[str, Any]:
        """Upload a JPEG; return the file data that API calls take."""
        head = (
            f"--{BOUNDARY}\r\nContent-Disposition: form-data;"
            ' name="files"; filename="photo.jpg"\r\n\r\n'
        )
        body = head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        (path,) = json.loads(self.request("POST", "upload", body, kind))
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def call(self, name: str, *data: object) -> Any:
        """Call an endpoint and return its first output.

        Raises:
            RuntimeError: if the call fails.
        """
        body = json.dumps({"data": data}).encode()
        event = json.loads(self.request("POST", f"call/{name}", body, "application/json"))
        answer = self.request("GET", f"call/{name}/{event['event_id']}")
        self.connection.close()  # the server closes idle connections
        _, _, result = answer.partition(b"event: complete\ndata: ")
        if not result:
            raise RuntimeError(f"/{name} failed: {answer[:300]!r}")
        return json.loads(result)[0]

    def detect(self, photo: bytes) -> None:
        """Upload a JPEG and ask for its largest object."""
        self.call("detect", self.upload(photo), "", "")
