"""A Space as Hugging Face starts one: the folder ``demo.deploy`` sends, on ZeroGPU, read-only.

On ZeroGPU only batches borrow a GPU, for a stated time, and never before ``launch()``.
"""

import json
import re
import signal
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import REPOSITORY, free_port
from gradio_client import Client, handle_file
from served import Served, served

from demo.deploy import build_space

CAT, ASTRONAUT = (REPOSITORY / "examples" / name for name in ("cat.jpg", "astronaut.jpg"))
STAND_INS = REPOSITORY / "tests" / "stand_ins"


@dataclass
class Space:
    """A running Space, and what it asked of ZeroGPU."""

    server: Served
    client: Client
    folder: Path
    built: set[str]
    log: Path
    temporary: Path

    def calls(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def new_calls(self, action: Callable[[], object]) -> tuple[object, list[dict]]:
        """What an action returns, and the GPU calls it caused."""
        before = len(self.calls())
        return action(), self.calls()[before:]


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def space(tmp_path_factory) -> Iterator[Space]:
    folder, home, temporary = (
        tmp_path_factory.mktemp(name) for name in ("app", "home", "temporary")
    )
    build_space(folder, "zero-a10g")
    built = files_in(folder)
    log = home / "calls.jsonl"
    log.touch()
    port = free_port()
    environment = {
        "HOME": str(home), "TMPDIR": str(temporary), "PATH": "/usr/bin:/bin", "SYSTEM": "spaces",
        "SPACE_ID": "someone/detector", "SPACES_ZERO_GPU": "true", "SPACES_LOG": str(log),
        "PYTHONPATH": str(STAND_INS), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    (app_file,) = [
        line.split(":", 1)[1].strip()
        for line in (folder / "README.md").read_text().splitlines()
        if line.startswith("app_file:")
    ]
    command = [sys.executable, app_file, "--port", str(port)]
    with served(command, folder, port, environment) as server:
        client = Client(server.address, verbose=False)
        yield Space(server, client, folder, built, log, temporary)


def test_the_page_answers_in_the_browser_and_leaves_the_code_alone(space, chromium):
    page = chromium.new_page()
    page.goto(space.server.address)
    page.get_by_text("The largest object is").first.wait_for()
    assert page.get_by_role("tab", name="Augment").is_visible()
    page.close()
    assert files_in(space.folder) == space.built  # not even Python's caches


def test_without_voc_it_says_how_to_get_it_and_nothing_comes_from_another_host(space):
    page = urllib.request.urlopen(space.server.address).read().decode()
    assert "The largest object is" in page
    assert "python -m model.dataset download" in page  # the tab "Data set"
    # So it works offline.
    hosts = set(re.findall(r"(?:src|href)=\"(https?://[^/\"]+)", page))
    assert not {h for h in hosts if "127.0.0.1" not in h and "gradio.app" not in h}, hosts


def test_starting_and_single_photos_do_without_a_gpu(space):
    urllib.request.urlopen(space.server.address).close()
    answer = space.client.predict(photo=handle_file(CAT), api_name="/detect")
    assert answer["class_name"] == "cat"
    space.client.predict(photo=handle_file(CAT), count=2, api_name="/augment")
    assert space.calls() == []


def test_a_batch_borrows_the_gpu_once_for_a_stated_time(space):
    def many(*files: Path) -> Callable[[], dict]:
        photos = [handle_file(file) for file in files]
        return lambda: space.client.predict(photos=photos, api_name="/detect_many")

    answer, calls = space.new_calls(many(CAT, REPOSITORY / "LICENSE", ASTRONAUT))
    assert [d["class_name"] for d in answer["detections"]] == ["cat", "person"]
    assert len(answer["problems"]) == 1
    assert [call["problem"] for call in calls] == [""]
    assert 0 < calls[0]["seconds"] <= 60
    _, longer = space.new_calls(many(*[CAT] * 8))
    assert calls[0]["seconds"] < longer[0]["seconds"] <= 60


def test_nothing_to_look_at_borrows_nothing(space):
    photos = [handle_file(REPOSITORY / "LICENSE")]
    answer, calls = space.new_calls(
        lambda: space.client.predict(photos=photos, api_name="/detect_many")
    )
    assert answer["detections"] == []
    assert calls == []


def ask_about_variants(space: Space) -> dict:
    return space.client.predict(
        photo=None, sample="cat", count=3, ask_detector=True, api_name="/augment"
    )


def test_the_detector_over_variants_borrows_the_gpu(space):
    answer, calls = space.new_calls(lambda: ask_about_variants(space))
    assert all("detector" in variant for variant in answer["variants"])
    assert [call["problem"] for call in calls] == [""]


def test_a_visitor_without_quota_is_answered_by_the_cpu(space):
    refuse = space.log.with_name(space.log.name + ".refuse")
    expected = ask_about_variants(space)
    refuse.touch()
    try:
        answer, calls = space.new_calls(lambda: ask_about_variants(space))
    finally:
        refuse.unlink()
    assert calls == []
    assert answer == expected


def test_ctrl_c_leaves_nothing(space):
    """Neither of the demo nor of what it imports."""
    assert files_in(space.temporary) != set()
    space.server.process.send_signal(signal.SIGINT)
    space.server.process.wait(30)
    assert files_in(space.temporary) == set()
