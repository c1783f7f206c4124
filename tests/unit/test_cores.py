"""demo/serving/lines.py and cores.py: first come, first served, whoever asks again at once."""

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import torch

from demo.serving.batching import Batcher
from demo.serving.cores import Cores
from demo.serving.lines import Line

PASS_S = 0.02


@pytest.fixture(autouse=True)
def _same_threads_afterwards() -> Iterator[None]:
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

    def a_pass() -> None:
        time.sleep(PASS_S)
        passes.append("batch")

    with endless(lambda: shared.run(a_pass, batch=True), batches):
        while len(passes) < 3:
            time.sleep(0.001)
        for _ in range(20):
            before = len(passes)
            # One that was under way, and one that had begun to wait earlier.
            assert shared.run(lambda: len(passes)) - before <= 2


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
    shared, begun, over = Cores(4), threading.Semaphore(0), threading.Event()

    def a_pass() -> int:
        begun.release()
        assert over.wait(60)
        return torch.get_num_threads()

    with ThreadPoolExecutor(3) as pool:
        passes = []
        for _ in range(3):
            passes.append(pool.submit(shared.run, a_pass))
            assert begun.acquire(timeout=60)
        over.set()
        assert [each.result() for each in passes] == [4, 2, 1]
    assert shared.run(torch.get_num_threads) == 4


def test_whoever_is_alone_computes_in_the_same_thread():
    shared = Cores(2)
    with ThreadPoolExecutor(4) as pool:
        threads = {pool.submit(shared.run, threading.get_ident).result() for _ in range(8)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_work_knows_whose_call_it_is_and_its_failure_is_raised():
    shared, name = Cores(1), contextvars.ContextVar("name")
    name.set("alice")
    assert shared.run(name.get) == "alice"
    with pytest.raises(ZeroDivisionError):
        shared.run(lambda: 1 / 0)
    assert shared.run(name.get) == "alice"


def test_elsewhere_there_is_one_thread_after_a_pass():
    assert Cores(3).run(torch.get_num_threads) == 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 1


def test_single_photos_of_one_thread_do_not_starve_another():
    batcher = Batcher(lambda items: (time.sleep(PASS_S), [2 * item for item in items])[1], limit=2)
    with endless(lambda: batcher(1), 6):
        for number in range(10):
            assert batcher(number) == 2 * number
