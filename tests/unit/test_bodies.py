"""demo/server/bodies.py: too large, too slow, too much of all together."""

import asyncio
from types import SimpleNamespace

import pytest
from conftest import run_async

from demo.server import bodies
from demo.server.bodies import (
    MAX_BYTES_HELD_OF_ADDRESS,
    MAX_REQUEST,
    SMALL,
    Bodies,
    BodyError,
    paced,
)


def sending(*pieces: bytes, then_silent: bool = False):
    """A ``receive`` that gives these pieces."""
    left = list(pieces)

    async def receive():
        if not left:
            await asyncio.sleep(60)
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left) or then_silent}

    return receive


def test_a_body_comes_as_it_was_sent():
    body = run_async(Bodies().read(sending(b"ab", b"", b"c"), "alice"))
    assert body == b"abc"


def test_a_large_one_is_refused():
    with pytest.raises(BodyError, match="larger than 1024 KiB") as refused:
        run_async(Bodies().read(sending(b"x" * MAX_REQUEST, b"x"), "alice"))
    assert refused.value.status == 413


def test_a_slow_one_is_refused_and_does_not_count(monkeypatch):
    monkeypatch.setattr(bodies, "BODY_S", 0.05)
    held = Bodies()
    with pytest.raises(BodyError, match="took longer") as refused:
        run_async(held.read(sending(b"x" * 500_000, then_silent=True), "alice"))
    assert refused.value.status == 408
    assert not held._held


def test_large_bodies_of_one_address_leave_room_for_others():
    held, kept = Bodies(), []

    def read(address: str, size: int) -> bytearray:
        return run_async(held.read(sending(b"x" * size), address))

    def fill() -> None:
        while len(kept) < 100:
            kept.append(read("mallory", MAX_REQUEST))

    with pytest.raises(BodyError, match="busy") as refused:
        fill()
    assert refused.value.status == 503
    assert len(kept) <= MAX_BYTES_HELD_OF_ADDRESS // (MAX_REQUEST - SMALL)
    read("mallory", SMALL)  # small ones always are taken
    held.forget(read("alice", MAX_REQUEST), "alice")
    for body in kept:
        held.forget(body, "mallory")
    assert not held._held
    read("mallory", MAX_REQUEST)


def test_an_upload_may_take_long_but_not_stop(monkeypatch):
    monkeypatch.setattr(bodies, "SILENCE_S", 0.05)

    async def read() -> list[str]:
        receive = paced(sending(b"x", b"y", then_silent=True))
        return [(await receive())["type"] for _ in range(3)]

    assert run_async(read()) == ["http.request", "http.request", "http.disconnect"]


def test_an_upload_may_not_trickle(monkeypatch):
    now, size = 0.0, 1000
    monkeypatch.setattr(bodies, "time", SimpleNamespace(monotonic=lambda: now))

    async def read() -> list[str]:
        nonlocal now
        receive, kinds = paced(sending(b"x" * size, b"", b"")), []
        for seconds in (0, bodies.START_S + size / bodies.LEAST_RATE - 1, 2):
            now += seconds
            kinds.append((await receive())["type"])
        return kinds

    assert run_async(read()) == ["http.request", "http.request", "http.disconnect"]
