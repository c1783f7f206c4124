"""demo/serving/once.py: one computation for all who ask at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from demo.serving.once import ComputeOnceCache


def test_who_asks_meanwhile_waits_for_the_same_result():
    once, begun, go, calls = ComputeOnceCache[str](4), Event(), Event(), []

    def compute() -> str:
        calls.append(1)
        begun.set()
        assert go.wait(30)
        return "drawn"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.get, "key", compute)
        assert begun.wait(30)
        second = pool.submit(once.get, "key", compute)
        go.set()
        assert first.result(30) == second.result(30) == "drawn"
    assert len(calls) == 1


def test_the_oldest_is_forgotten():
    once = ComputeOnceCache[int](2)
    assert [once.get(key, lambda key=key: key) for key in (1, 2, 3)] == [1, 2, 3]
    assert once.get(3, lambda: 0) == 3
    assert once.get(1, lambda: 10) == 10


def test_a_failure_is_not_kept():
    once = ComputeOnceCache[int](2)
    with pytest.raises(ZeroDivisionError):
        once.get("key", lambda: 1 // 0)
    assert once.get("key", lambda: 1) == 1
