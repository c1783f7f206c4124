"""Hostile files sent to a running server: what their owner waits, what another visitor does."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
from gradio_client import Client, handle_file
from hostile_images import FILES

ROOT = Path(__file__).resolve().parent.parent
OWNER_S, OTHER_S, MIB = 8.0, 4.0, 1536  # bars
AT_ONCE = 8
WORST = (
    "JPEG, many scans", "BMP, run that leaps", "GIF, comments", "PNG, profiles",
    "BMP, runs of empty lines", "JPEG, empty segments", "PNG, unknown chunks", "JPEG, many scans",
)  # fmt: skip


class Memory:
    """The most that a process and its children take together, looked at all the time."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.idle = self.most = self.now()
        threading.Thread(target=self._watch, daemon=True).start()

    def now(self) -> int:
        """MiB; pages they share count once."""
        total = 0
        for each in [self._process, *self._process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += each.memory_full_info().pss
        return total // 2**20

    def _watch(self) -> None:
        while self._process.is_running():
            self.most = max(self.most, self.now())
            time.sleep(0.05)


@contextmanager
def server() -> Generator[tuple[str, psutil.Process]]:
    """A demo on a free port."""
    port = 7900 + os.getpid() % 90
    command = [sys.executable, str(ROOT / "demo" / "app.py"), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout
        for line in process.stdout:
            if found := re.search(r"http://\S+", line):
                threading.Thread(target=process.stdout.read, daemon=True).start()
                yield found[0], psutil.Process(process.pid)
                return
        raise RuntimeError("the server did not start")
    finally:
        process.terminate()
        process.wait()


def detect(address: str, file: Path) -> tuple[float, str]:
    """Seconds until a new visitor has the answer, the file being there; and the answer."""
    client = Client(address, verbose=False)
    uploaded = handle_file(file)
    started = time.monotonic()
    try:
        answer = client.predict(photo=uploaded, api_name="/detect")["class_name"]
    except Exception as error:  # what the server says of the file, in whatever class
        answer = str(error)
    return time.monotonic() - started, answer


def attack(scale: int, only: str) -> int:
    """Each file alone, then eight at once; 1 if a bar is missed."""
    with server() as (address, process), tempfile.TemporaryDirectory() as folder:
        cat = ROOT / "examples" / "cat.jpg"
        for _ in range(3):
            detect(address, cat)
        memory = Memory(process)
        files = {name: Path(folder) / f"{i}.jpg" for i, name in enumerate(FILES)}
        slowest = 0.0
        for name in [name for name in FILES if only in name]:
            files[name].write_bytes(FILES[name](scale))
            if files[name].stat().st_size > 39_000_000:
                continue  # the server takes no more than 40 MB
            seconds, answer = detect(address, files[name])
            slowest = max(slowest, seconds)
            print(f"{seconds:5.1f} s  {name}: {answer[:100]}", flush=True)
        print(f"alone: the slowest {slowest:.1f} s; {memory.most - memory.idle} MiB over idle")
        other = _eight_at_once(address, folder, scale, cat)
        taken = memory.most - memory.idle
        print(f"eight at once: another visitor {other:.1f} s at most; {taken} MiB over idle")
    return int(slowest > OWNER_S or other > OTHER_S or taken > MIB)


def _eight_at_once(address: str, folder: str, scale: int, cat: Path) -> float:
    def send(i: int, name: str) -> None:
        file = Path(folder) / f"at once {i}.jpg"
        file.write_bytes(FILES[name](scale))
        started = time.monotonic()
        _, answer = detect(address, file)
        print(f"{time.monotonic() - started:5.1f} s  {name}: {answer[:100]}", flush=True)

    threads = [threading.Thread(target=send, args=each) for each in enumerate(WORST)]
    for thread in threads:
        thread.start()
    waited = [0.0]
    while any(thread.is_alive() for thread in threads):
        seconds, answer = detect(address, cat)
        print(f"{seconds:5.1f} s  another visitor: {answer}", flush=True)
        waited.append(seconds)
    return max(waited)
