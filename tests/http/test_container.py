"""The Dockerfile's steps, run as a script: no container engine is needed for that.

Installing and adding a user are not repeated here: the packages of this environment are checked
against the requirements instead, and the server runs without root's right to write everywhere.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import REPOSITORY, free_port
from packaging.requirements import Requirement
from served import Served, served

PORT = "7860"


class Instruction(NamedTuple):
    """One line of a Dockerfile, continuation lines joined."""

    name: str
    rest: str


def instructions() -> list[Instruction]:
    text = re.sub(r"^\s*#.*\n", "", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]


def rest_of(name: str) -> list[str]:
    return [i.rest for i in instructions() if i.name == name]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file out: the last rule that fits decides."""
    out = False
    for rule in (REPOSITORY / ".dockerignore").read_text().split():
        pattern = rule.removeprefix("!")
        # `**/` is about names at any depth, the others are about what lies at the top.
        names = Path(path).parts if pattern.startswith("**/") else Path(path).parts[:1]
        pattern = pattern.removeprefix("**/")
        assert "/" not in pattern, f"this test does not know rules like {rule}"
        if any(fnmatch(name, pattern) for name in names):
            out = not rule.startswith("!")
    return out


def copy(source: str, target: Path) -> None:
    """COPY of one source: a file into a folder, or what is inside a folder."""
    start = REPOSITORY / source
    files = [start] if start.is_file() else [p for p in start.rglob("*") if p.is_file()]
    kept = [p for p in files if not ignored(p.relative_to(REPOSITORY).as_posix())]
    assert kept, f"COPY {source}: nothing there that .dockerignore lets through"
    for path in kept:
        to = target / (path.name if start.is_file() else path.relative_to(start))
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)


def build(root: Path) -> Path:
    """Do what the instructions say below ``root``; the folder the command starts in."""
    work = root
    for name, rest in instructions():
        if name == "WORKDIR":
            work = root / rest.lstrip("/")
            work.mkdir(parents=True)
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                copy(source, work / target)
        elif name == "RUN":
            assert re.search(r"^useradd |\bpip install ", rest), f"not checked here: RUN {rest}"
    return work


@pytest.fixture(scope="module")
def container(tmp_path_factory) -> Iterator[Served]:
    root, temporary = (tmp_path_factory.mktemp(name) for name in ("root", "tmp"))
    work = build(root)
    port = str(free_port())
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(temporary), "TMPDIR": str(temporary),
                   "OMP_NUM_THREADS": "1"}  # fmt: skip
    for line in rest_of("ENV"):
        environment |= dict(pair.split("=", 1) for pair in line.split())
    (command,) = rest_of("CMD")
    program, *arguments = json.loads(command)  # the form without a shell is JSON
    assert program == "python"
    with served([sys.executable, *arguments, "--port", port], work, int(port), environment) as it:
        yield it


def test_the_image_holds_the_page_and_nothing_else(tmp_path):
    work = build(tmp_path)
    found = {path.name for path in work.iterdir()}
    assert found == {"LICENSE", "README.md", "requirements.txt", "demo", "model", "checkpoints",
                     "examples"}  # fmt: skip
    assert not list(work.rglob("__pycache__"))
    for unwanted in ("tests/conftest.py", ".git/config", ".venv/bin/python", "train.py"):
        assert ignored(unwanted)


def test_what_the_image_installs_is_what_is_tested_here():
    installs = [rest for rest in rest_of("RUN") if "pip install" in rest]
    assert installs[-2].endswith("-r requirements.txt")
    # Over what Gradio allows; a job of the workflow runs the tests of photos with the same.
    pillow = installs[-1].partition("--no-deps ")[2]
    assert pillow == '"pillow>=13,<14"'
    workflow = (REPOSITORY / ".github" / "workflows" / "test.yml").read_text()
    assert f"pip install --no-deps {pillow}" in workflow
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    for line in (line.partition("#")[0].strip() for line in lines):
        if line:
            requirement = Requirement(line)
            assert version(requirement.name) in requirement.specifier


def test_nobody_is_root_after_the_build():
    names = [i.name for i in instructions()]
    (user,) = rest_of("USER")
    assert user not in ("root", "0")
    assert names.index("USER") < names.index("CMD")
    assert max(i for i, name in enumerate(names) if name in ("RUN", "COPY")) < names.index("USER")


def test_the_health_check_tells_health_and_sigterm_ends_it(container):
    (line,) = rest_of("HEALTHCHECK")
    program, *arguments = json.loads(line.split("CMD", 1)[1])
    assert program == "python"
    port = container.address.rstrip("/").rsplit(":", 1)[1]
    assert any(PORT in argument for argument in arguments)
    check = [sys.executable, *(argument.replace(PORT, port) for argument in arguments)]
    assert subprocess.run(check, capture_output=True, timeout=60).returncode == 0
    container.process.send_signal(signal.SIGTERM)
    container.process.wait(10)  # raises if it goes on; `docker stop` kills it after ten seconds
    assert subprocess.run(check, capture_output=True, timeout=60).returncode != 0
