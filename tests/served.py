"""Start a server as a host would: clean environment, code that cannot be written to."""

import ctypes
import os
import signal
import stat
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PR_CAPBSET_DROP = 24  # linux/prctl.h
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2  # linux/capability.h
START_S = 120


@dataclass
class Served:
    """A server in a process of its own."""

    address: str
    process: subprocess.Popen
    log: Path


def heed_permissions() -> None:
    """Give up root's right to write where permissions say no; for a child about to start.

    And hear Ctrl-C, which what a shell starts in the background ignores, and its children do.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability)


def make_read_only(folder: Path) -> None:
    """Take the right to write from a folder and all it holds."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


@contextmanager
def served(
    command: Sequence[str], folder: Path, port: int, environment: Mapping[str, str]
) -> Generator[Served]:
    """Run ``command`` in a read-only ``folder`` with nothing but ``environment``, until it answers.

    Whoever wants to know how it ends stops it himself; otherwise it is killed.
    """
    make_read_only(folder)
    address = f"http://127.0.0.1:{port}/"
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=log, stderr=log,
            preexec_fn=heed_permissions,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + START_S
            while not answers(address):
                words = Path(log.name).read_text()[-3000:]
                assert process.poll() is None, f"the server stopped: {words}"
                assert time.monotonic() < deadline, f"the server does not answer: {words}"
                time.sleep(0.1)
            yield Served(address, process, Path(log.name))
        finally:
            process.kill()
            process.wait(30)


def answers(address: str) -> bool:
    """Whether somebody listens there."""
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except OSError:
        return False
    return True
