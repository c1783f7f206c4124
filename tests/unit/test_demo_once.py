"""demo/serving/once.py: one computation for all who ask at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from demo.inspection import Inspection
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


def test_one_photo_that_takes_long_keeps_no_other_request_waiting():
    """Requests are objects of one class, and share nothing else."""
    reading, go_on = Event(), Event()

    class Photo:
        def __init__(self, is_slow: bool) -> None:
            self.is_slow, self.times = is_slow, 0

        def load(self, longest_side: int) -> str:
            self.times += 1
            if self.is_slow:
                reading.set()
                assert go_on.wait(30)
            return f"read {self.times} time"

    slow, quick = (Inspection(Photo(is_slow), Path()) for is_slow in (True, False))  # type: ignore
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(lambda: slow.shown)
        assert reading.wait(30)
        other = pool.submit(lambda: (quick.shown, quick.shown))
        try:
            assert other.result(timeout=10) == ("read 1 time", "read 1 time")
        finally:
            go_on.set()
        assert one.result() == "read 1 time"
