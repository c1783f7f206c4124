"""The demo in a process of its own, and a client that costs little beside it."""

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
    """The demo; how long it took to start is up to the caller."""
    command = [sys.executable, "demo/app.py", "--port", str(port), *arguments]
    all_of_it = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", **environment}
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=all_of_it)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def wait_for_page(port: int, seconds: float = 120) -> None:
    """Until the page is answered.

    Raises:
        TimeoutError: if it is not, in so many seconds.
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
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """One visitor of the API, a connection for every call; for one thread.

    Python's own HTTP client: a richer one takes as long as a tenth of a pass of the network.
    """

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def request(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        """The body of an answer.

        Raises:
            RuntimeError: unless its status is 200.
        """
        headers = {"Content-Type": kind} if kind else {}
        self.connection.request(method, f"/gradio_api/{path}", body, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {content[:300]!r}")
        return content

    def upload(self, photo: bytes) -> dict[str, Any]:
        """Send a JPEG; what the API wants to hear of it."""
        head = (
            f"--{BOUNDARY}\r\nContent-Disposition: form-data;"
            ' name="files"; filename="photo.jpg"\r\n\r\n'
        )
        body = head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        (path,) = json.loads(self.request("POST", "upload", body, kind))
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def call(self, name: str, *data: object) -> Any:
        """One request to an endpoint and its whole answer, as ``curl`` does it.

        Returns:
            What the endpoint says.

        Raises:
            RuntimeError: if the answer is an error.
        """
        body = json.dumps({"data": data}).encode()
        event = json.loads(self.request("POST", f"call/{name}", body, "application/json"))
        answer = self.request("GET", f"call/{name}/{event['event_id']}")
        self.connection.close()  # or the server would, when it is idle for long
        _, _, result = answer.partition(b"event: complete\ndata: ")
        if not result:
            raise RuntimeError(f"/{name} failed: {answer[:300]!r}")
        return json.loads(result)[0]

    def detect(self, photo: bytes) -> None:
        """Upload a JPEG and ask for its largest object."""
        self.call("detect", self.upload(photo), "", "")
