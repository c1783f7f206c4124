"""On ZeroGPU only batches borrow a GPU, for a stated time, and never before ``launch()``."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import REPOSITORY, running_demo
from gradio_client import Client, handle_file

CAT, ASTRONAUT = (REPOSITORY / "examples" / name for name in ("cat.jpg", "astronaut.jpg"))
STAND_INS = REPOSITORY / "tests" / "stand_ins"


@dataclass
class ZeroGpuServer:
    """A demo that believes itself on ZeroGPU, and what it asked of it."""

    address: str
    client: Client
    log: Path

    def calls(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def new_calls(self, action: Callable[[], object]) -> tuple[object, list[dict]]:
        """What an action returns, and the GPU calls it caused."""
        before = len(self.calls())
        return action(), self.calls()[before:]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[ZeroGpuServer]:
    log = tmp_path_factory.mktemp("spaces") / "calls.jsonl"
    log.touch()
    environment = {
        "PYTHONPATH": str(STAND_INS), "SPACES_ZERO_GPU": "true", "SPACES_LOG": str(log),
        "VOC_ROOT": "",
    }  # fmt: skip
    with running_demo(**environment) as address:
        yield ZeroGpuServer(address, Client(address, verbose=False), log)


def test_starting_and_single_photos_do_without_a_gpu(server):
    urllib.request.urlopen(server.address).close()
    answer = server.client.predict(photo=handle_file(CAT), api_name="/detect")
    assert answer["class_name"] == "cat"
    server.client.predict(photo=handle_file(CAT), count=2, api_name="/augment")
    assert server.calls() == []


def test_a_batch_borrows_the_gpu_once_for_a_stated_time(server):
    def many(*files: Path) -> Callable[[], dict]:
        photos = [handle_file(file) for file in files]
        return lambda: server.client.predict(photos=photos, api_name="/detect_many")

    answer, calls = server.new_calls(many(CAT, REPOSITORY / "LICENSE", ASTRONAUT))
    assert [d["class_name"] for d in answer["detections"]] == ["cat", "person"]
    assert len(answer["problems"]) == 1
    assert [call["problem"] for call in calls] == [""]
    assert 0 < calls[0]["seconds"] <= 60
    _, longer = server.new_calls(many(*[CAT] * 8))
    assert calls[0]["seconds"] < longer[0]["seconds"] <= 60


def test_nothing_to_look_at_borrows_nothing(server):
    photos = [handle_file(REPOSITORY / "LICENSE")]
    answer, calls = server.new_calls(
        lambda: server.client.predict(photos=photos, api_name="/detect_many")
    )
    assert answer["detections"] == []
    assert calls == []


def ask_about_variants(server: ZeroGpuServer) -> dict:
    return server.client.predict(
        photo=None, sample="cat", count=3, ask_detector=True, api_name="/augment"
    )


def test_the_detector_over_variants_borrows_the_gpu(server):
    answer, calls = server.new_calls(lambda: ask_about_variants(server))
    assert all("detector" in variant for variant in answer["variants"])
    assert [call["problem"] for call in calls] == [""]


def test_a_visitor_without_quota_is_answered_by_the_cpu(server):
    refuse = server.log.with_name(server.log.name + ".refuse")
    expected = ask_about_variants(server)
    refuse.touch()
    try:
        answer, calls = server.new_calls(lambda: ask_about_variants(server))
    finally:
        refuse.unlink()
    assert calls == []
    assert answer == expected
