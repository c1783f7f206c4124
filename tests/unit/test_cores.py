"""demo/serving/lines.py and cores.py: first come, first served, whoever asks again at once."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from demo.serving.batching import Batcher
from demo.serving.cores import Cores
from demo.serving.lines import Line

PASS_S = 0.02


@pytest.fixture(autouse=True)
def _same_threads_afterwards() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@contextmanager
def endless(work: Callable[[], None], threads: int) -> Iterator[None]:
    """So many threads that do this again and again, without a pause."""
    over = threading.Event()

    def again() -> None:
        while not over.is_set():
            work()

    with ThreadPoolExecutor(threads) as pool:
        for _ in range(threads):
            pool.submit(again)
        try:
            yield
        finally:
            over.set()


@pytest.mark.parametrize("batches", [2, 8])
@pytest.mark.parametrize("cores", [1, 2])
def test_a_single_photo_waits_for_one_pass_of_endless_batches(cores, batches):
    shared, passes = Cores(cores), []

    def batch() -> None:
        with shared.share(batch=True):
            time.sleep(PASS_S)
            passes.append("batch")

    with endless(batch, batches):
        while len(passes) < 3:
            time.sleep(0.001)
        for _ in range(20):
            before = len(passes)
            with shared.share():
                # One that was under way, and one that had begun to wait earlier.
                assert len(passes) - before <= 2


def test_places_are_given_in_the_order_they_were_asked_for():
    line, order = Line(1), []

    def come(number: int) -> None:
        with line.place():
            order.append(number)

    with ThreadPoolExecutor(8) as pool, line.place():
        for number in range(8):
            pool.submit(come, number)
            while len(line._waiting) <= number:
                time.sleep(0.001)
    assert order == list(range(8))


def test_a_place_is_free_again_after_a_failure():
    line = Line(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="x"), line.place():
            raise ValueError("x")


def test_no_more_threads_than_cores_are_given_at_once():
    shared, given = Cores(4), []
    with shared.share() as first, shared.share() as second, shared.share() as third:
        given += [first, second, third]
    assert given == [4, 2, 1]
    with shared.share() as alone:
        assert alone == 4


def test_single_photos_of_one_thread_do_not_starve_another():
    batcher = Batcher(lambda items: (time.sleep(PASS_S), [2 * item for item in items])[1], limit=2)
    with endless(lambda: batcher(1), 6):
        for number in range(10):
            assert batcher(number) == 2 * number
