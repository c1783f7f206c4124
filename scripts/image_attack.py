"""Send hostile files to a running server; measure the waits of the sender and other visitors."""

import contextlib
import json
import tempfile
import threading
import time
import uuid
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from hostile_images import FILES
from speed.server import free_port, wait_for_page
from speed.server import server as demo_on

ROOT = Path(__file__).resolve().parent.parent
CAT = ROOT / "examples" / "cat.jpg"
OWNER_S, OTHER_S, MIB = 8.0, 4.0, 1536  # limits: waits of sender and others; memory over idle
MAX_UPLOAD = 39_000_000  # bytes; the server takes no more than 40 MB
AT_ONCE = 8
ALONE = 24  # files sent to one server: fewer than it keeps
# Addresses of the attackers; the other visitor has 203.0.113.9.
NEIGHBOURHOODS = {
    "one address": ["192.0.2.1"],
    "eight addresses": [f"192.0.2.{i}" for i in range(11, 19)],
    "the address of the visitor": ["203.0.113.9"],
}
WORST = (
    "JPEG, many scans", "BMP, run that leaps", "GIF, comments", "PNG, profiles",
    "BMP, runs of empty lines", "JPEG, empty segments", "PNG, unknown chunks", "JPEG, many scans",
)  # fmt: skip


class Memory:
    """Peak memory of a process with its children, polled in a thread."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.idle = self.most = self.now()
        threading.Thread(target=self._watch, daemon=True).start()

    def now(self) -> int:
        """Present memory in MiB; shared pages count once."""
        total = 0
        for each in [self._process, *self._process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += each.memory_full_info().pss
        return total // 2**20

    def _watch(self) -> None:
        while self._process.is_running():
            self.most = max(self.most, self.now())
            time.sleep(0.2)  # polling takes time from the server


@contextmanager
def server() -> Generator[tuple[str, psutil.Process]]:
    """The address of a demo on a free port, and its process."""
    port = free_port()
    with demo_on(port) as process:
        wait_for_page(port)
        yield f"http://127.0.0.1:{port}", process


class Visitor:
    """A visitor with an address, as forwarded by a proxy on the server's machine."""

    def __init__(self, server: str, address: str) -> None:
        headers = {"X-Forwarded-For": address}
        self._client = httpx.Client(base_url=f"{server}/gradio_api/", timeout=120, headers=headers)

    def detect(self, file: Path) -> tuple[float, str]:
        """Seconds from the upload to the answer of ``/detect``, and the answer."""
        started = time.monotonic()
        try:
            photo = self._uploaded(file)
            call = self._client.post("call/detect", json={"data": [photo, "", ""]})
            call.raise_for_status()
            events = self._client.get(f"call/detect/{call.json()['event_id']}").text
            answer = events.rpartition("data: ")[2].strip()
        except httpx.HTTPStatusError as error:
            answer = f"{error.response.status_code} {error.response.text}"
        return time.monotonic() - started, answer

    def choose(self, file: Path) -> float:
        """Seconds from dropping a photo on the page until the page shows the prediction."""
        started = time.monotonic()
        handlers = _page_handlers(self._client)
        offered = {"sample": "cat", "offered": {"upload": self._uploaded(file), "number": 1}}
        chosen = self._handled(handlers.choose, [offered])["data"][0]
        assert not chosen["note"], chosen
        drawn = self._handled(handlers.draw, [chosen, *handlers.settings])["data"][0]
        assert "verdict" in str(drawn), drawn
        return time.monotonic() - started

    def _uploaded(self, file: Path) -> dict[str, Any]:
        with file.open("rb") as stream:
            response = self._client.post("upload", files={"files": (file.name, stream)})
        response.raise_for_status()
        return {"path": response.json()[0], "meta": {"_type": "gradio.FileData"}}

    def _handled(self, handler: int, data: list[Any]) -> dict[str, Any]:
        session = uuid.uuid4().hex
        body = {"fn_index": handler, "data": data, "session_hash": session}
        self._client.post("queue/join", json=body).raise_for_status()
        with self._client.stream("GET", "queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line else {}
                if message.get("msg") == "process_completed":
                    assert message["success"], message
                    return message["output"]
        raise RuntimeError("the server hung up")


class Handlers(NamedTuple):
    """Numbers of the handlers that a page calls when a photo is chosen.

    Attributes:
        choose: reads the dropped photo.
        draw: shows the prediction.
        settings: inputs of ``draw`` besides the photo.
    """

    choose: int
    draw: int
    settings: list[Any]


@cache
def _page_handlers(client: httpx.Client) -> Handlers:
    config = client.get("../config").json()
    parts = {part["id"]: part["props"] for part in config["components"]}
    (photo,) = (i for i, props in parts.items() if props.get("elem_id") == "photo")
    (result,) = (i for i, props in parts.items() if props.get("elem_id") == "detect-result")
    own = [each for each in config["dependencies"] if each["backend_fn"]]
    (choose,) = (each["id"] for each in own if each["targets"] == [[photo, "input"]])
    draw = next(each for each in own if result in each["outputs"] and photo in each["inputs"])
    settings = [parts[i].get("value") for i in draw["inputs"] if i != photo]
    return Handlers(choose, draw["id"], settings)


def attack(scale: int, only: str) -> int:
    """Send each file alone, then eight at once from several addresses; 1 if a limit is exceeded.

    Each part has its own server, because a server keeps only a limited number of uploads.
    """
    names = [name for name in FILES if only in name]
    alone = [_alone(scale, names[i : i + ALONE]) for i in range(0, len(names), ALONE)]
    slowest, most_alone = (max(column) for column in zip((0.0, 0), *alone, strict=True))
    print(f"alone: the slowest {slowest:.1f} s; {most_alone} MiB over idle")
    waits, taken = [], most_alone
    with tempfile.TemporaryDirectory() as folder:
        worst = list(_made(Path(folder), scale, WORST).values())
        for name, addresses in NEIGHBOURHOODS.items():
            with _warm_server() as (address, memory):
                waits.append(_wait_beside(address, worst, name, addresses))
                taken = max(taken, memory.most - memory.idle)
    print(f"server and workers together: {taken} MiB over idle")
    return int(slowest > OWNER_S or max(waits) > OTHER_S or taken > MIB)


@contextmanager
def _warm_server() -> Generator[tuple[str, Memory]]:
    with server() as (address, process):
        visitor = Visitor(address, "203.0.113.9")
        for _ in range(3):
            visitor.detect(CAT)
        yield address, Memory(process)


def _alone(scale: int, names: Sequence[str]) -> tuple[float, int]:
    """Longest wait for an answer in seconds, and peak memory in MiB over idle."""
    slowest = 0.0
    with _warm_server() as (address, memory), tempfile.TemporaryDirectory() as folder:
        for i, (name, file) in enumerate(_made(Path(folder), scale, names).items()):
            # From different addresses: the server keeps only a few uploads of each visitor.
            seconds, answer = Visitor(address, f"198.51.100.{i}").detect(file)
            slowest = max(slowest, seconds)
            print(f"{seconds:5.1f} s  {name}: {answer[:100]}", flush=True)
        return slowest, memory.most - memory.idle


def _made(folder: Path, scale: int, names: Sequence[str]) -> dict[str, Path]:
    """Write hostile files, before anything is timed; none is too large for the server."""
    files = {}
    for name in dict.fromkeys(names):
        files[name] = folder / f"{len(files)}.jpg"
        files[name].write_bytes(FILES[name](scale))
        if files[name].stat().st_size > MAX_UPLOAD:
            del files[name]
    return files


def _wait_beside(address: str, files: list[Path], name: str, addresses: list[str]) -> float:
    """Longest wait of a visitor in seconds while attackers have files decoded."""

    def send(i: int) -> None:
        attacker = Visitor(address, addresses[i % len(addresses)])
        print(
            "{:5.1f} s  an attacker: {:.80}".format(*attacker.detect(files[i % len(files)])),
            flush=True,
        )

    alice, waited = Visitor(address, "203.0.113.9"), {"/detect": [0.0], "choosing a photo": [0.0]}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = [pool.submit(send, i) for i in range(AT_ONCE)]
        while not all(each.done() for each in sent):
            seconds, answer = alice.detect(CAT)
            assert "cat" in answer, answer
            waited["/detect"].append(seconds)
            waited["choosing a photo"].append(alice.choose(CAT))
        for each in sent:
            each.result()
    for what, seconds in waited.items():
        count = len(seconds) - 1
        print(
            f"{max(seconds):5.1f} s at most of {count}: {what}, beside files from {name}",
            flush=True,
        )
    return max(map(max, waited.values()))
