"""demo/serving/batching.py: who asks at the same time is answered together, each his own."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from demo.serving.batching import Batcher


class Doubling:
    """Doubles numbers, waits for permission each time, and keeps what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.allowed = threading.Semaphore(0)

    def __call__(self, numbers: list[int]) -> list[int]:
        self.batches.append(list(numbers))
        assert self.allowed.acquire(timeout=20)
        if 13 in numbers:
            raise ValueError("thirteen")
        return [2 * number for number in numbers]


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


def ask(pool: ThreadPoolExecutor, batcher: Batcher, numbers: list[int]) -> list[Future]:
    """Ask from a thread each, in this order."""
    asked = []
    for number in numbers:
        before = len(batcher._waiting)
        asked.append(pool.submit(batcher, number))
        until(lambda before=before: len(batcher._waiting) > before)
    return asked


def until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_those_who_wait_go_together_and_get_their_own_answers(pool):
    doubling = Doubling()
    batcher = Batcher(doubling, limit=4)
    first = pool.submit(batcher, 1)
    until(lambda: doubling.batches == [[1]])
    others = ask(pool, batcher, [2, 3, 4, 5, 6])
    doubling.allowed.release(3)
    assert [asked.result(20) for asked in (first, *others)] == [2, 4, 6, 8, 10, 12]
    assert doubling.batches == [[1], [2, 3, 4, 5], [6]]


def test_a_failure_reaches_its_batch_and_no_other(pool):
    doubling = Doubling()
    batcher = Batcher(doubling, limit=2)
    first = pool.submit(batcher, 1)
    until(lambda: doubling.batches == [[1]])
    others = ask(pool, batcher, [12, 13, 14])
    doubling.allowed.release(3)
    assert first.result(20) == 2
    for asked in others[:2]:
        with pytest.raises(ValueError, match="thirteen"):
            asked.result(20)
    assert others[2].result(20) == 28


def test_one_after_the_other_is_a_batch_each(pool):
    doubling = Doubling()
    doubling.allowed.release(3)
    batcher = Batcher(doubling, limit=4)
    assert [batcher(number) for number in (1, 2, 3)] == [2, 4, 6]
    assert doubling.batches == [[1], [2], [3]]


def test_hundreds_of_calls_are_never_swapped(pool):
    batcher = Batcher(lambda numbers: [number * number for number in numbers], limit=3)
    assert list(pool.map(batcher, range(500))) == [number * number for number in range(500)]
