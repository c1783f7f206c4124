"""demo/server/lifecycle.py: started, stopped and killed without a trace."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from conftest import REPOSITORY, free_port

from demo.server.lifecycle import JUST_MADE_S, LOCK, PREFIX, sweep, temporary_folder
from model.errors import UserError


@pytest.fixture
def base(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv("GRADIO_EXAMPLES_CACHE", "set-again-by-the-test")  # so that it is restored
    return tmp_path


def start(base: Path, *before: str) -> tuple[subprocess.Popen, str]:
    """A demo that was answered once; its address."""
    port = free_port()
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "demo.app", "--port", str(port)], cwd=REPOSITORY,
        env={**os.environ, "GRADIO_TEMP_DIR": str(base)}, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}/"
    deadline = time.monotonic() + 120
    while True:
        try:
            assert httpx.get(f"{address}config", timeout=60).status_code == 200
            return process, address
        except httpx.TransportError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)


def send_half(address: str, base: Path) -> socket.socket:
    """The connection of a visitor in the middle of an upload."""
    url = httpx.URL(address)
    connection = socket.create_connection((url.host, url.port), timeout=60)
    connection.sendall(
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        b"Content-Disposition: form-data; name=files; filename=half.jpg\r\n\r\n" + bytes(100_000)
    )
    deadline = time.monotonic() + 60
    while not any(file.stat().st_size > 2000 for file in base.rglob("tmp*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return connection


def test_a_kill_is_swept_up_at_the_next_start_and_sigterm_leaves_nothing(base):
    killed = kill_one(base)
    assert killed.exists()
    # As process 1 of a container, where the kernel lets one do that.
    container = ["unshare", "--pid", "--fork", "--kill-child"]
    inside = shutil.which("unshare") and subprocess.run([*container, "true"], check=False)
    began = time.monotonic()
    process, address = start(base, *(container if inside and not inside.returncode else []))
    start_s = time.monotonic() - began
    httpx.post(f"{address}gradio_api/upload", files={"files": ("cat.jpg", b"x" * 1000)})
    assert not killed.exists()
    (own,) = base.iterdir()
    assert len(list(own.rglob("cat.jpg"))) == 1
    with send_half(address, base) as visitor:
        for pid in children(process) or [process.pid]:
            os.kill(pid, signal.SIGTERM)
        # Of the time a start takes, which is 8 s on an idle machine, as it is busy or idle now.
        assert process.wait(start_s / 3) == 128 + signal.SIGTERM
        with suppress(ConnectionResetError):
            assert visitor.recv(1) == b""  # nobody waited for the other half
    assert list(base.iterdir()) == []


def kill_one(base: Path) -> Path:
    """The folder of a process that was killed without warning."""
    code = (
        "import time; from demo.server.lifecycle import prepare;"
        " prepare(); print(1); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE,
        env={**os.environ, "GRADIO_TEMP_DIR": str(base)},
    ) as process:  # fmt: skip
        assert process.stdout.readline() == b"1\n"
        process.kill()
    (folder,) = base.iterdir()
    return folder


def children(process: subprocess.Popen) -> list[int]:
    """The demo itself, where something was started before it."""
    import psutil

    return [child.pid for child in psutil.Process(process.pid).children()]


def test_sigterm_while_it_is_still_starting(base):
    process = subprocess.Popen(
        [sys.executable, "demo/app.py", "--port", str(free_port())], cwd=REPOSITORY,
        env={**os.environ, "GRADIO_TEMP_DIR": str(base)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(base.glob("*/" + LOCK)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM
    assert list(base.iterdir()) == []


IN_DEL = """
import os, signal, time
from demo.server.lifecycle import prepare

class Dropped:
    def __del__(self):  # Python ignores what is raised here, as it does while a module is imported
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)

prepare()
Dropped()
time.sleep(60)
"""


def test_sigterm_where_python_ignores_exceptions(base):
    process = subprocess.run(
        [sys.executable, "-c", IN_DEL], cwd=REPOSITORY, timeout=30, check=False,
        env={**os.environ, "GRADIO_TEMP_DIR": str(base)},
    )  # fmt: skip
    assert process.returncode == 128 + signal.SIGTERM
    assert list(base.iterdir()) == []


def test_the_folder_of_a_living_server_is_left_alone(base):
    with temporary_folder() as own:
        sweep(base)
        with temporary_folder() as other:
            assert own.exists()
            assert other.exists()
            assert os.environ["GRADIO_TEMP_DIR"].startswith(str(other))
        assert not other.exists()
        assert own.exists()
    assert not own.exists()


def make(folder: Path, age: float = 0.0, lock: bool = True) -> Path:
    folder.mkdir()
    if lock:
        (folder / LOCK).touch()
    os.utime(folder, (time.time() - age,) * 2)
    return folder


def test_only_abandoned_folders_of_ours_are_swept(base, tmp_path_factory):
    gone = make(base / f"{PREFIX}gone")
    unlocked = make(base / f"{PREFIX}old", JUST_MADE_S + 5, lock=False)
    kept = [
        make(base / "someone-else"),
        make(base / f"{PREFIX}starting", lock=False),
        base / f"{PREFIX}file",
        base / f"{PREFIX}link",
    ]
    kept[2].touch()
    elsewhere = make(tmp_path_factory.mktemp("elsewhere") / "precious")
    kept[3].symlink_to(elsewhere)
    sweep(base)
    assert not gone.exists()
    assert not unlocked.exists()
    assert all(path.exists() for path in [*kept, elsewhere])


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives away")
def test_folders_of_other_users_are_left_alone(base):
    folder = make(base / f"{PREFIX}theirs")
    os.chown(folder, 12345, 12345)
    sweep(base)
    assert folder.exists()


def test_no_place_for_the_folder_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    with pytest.raises(UserError, match="GRADIO_TEMP_DIR"), temporary_folder():
        pass
