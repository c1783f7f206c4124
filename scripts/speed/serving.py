"""Measurements of ``predict``, the endpoints, many clients at once, memory and start-up."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from model.inference import Detector
from speed.measure import PHONE_SIZE, VOC_SIZE, Row, jpeg_of, medians, photo_like, timed
from speed.passes import in_pytorch, random_batch
from speed.server import Client, free_port, server, wait_for_page

CLIENTS = (1, 8, 32)
BARS = {8: ">= 0.85", 32: ">= 0.90"}  # by the number of clients
IMPORTS = "import torch, torchvision, gradio"


def jpegs() -> dict[str, bytes]:
    """A photo of the size of VOC's, and one of a phone's."""
    sizes = {"500 x 375": VOC_SIZE, "12 Mpx": PHONE_SIZE}
    return {name: jpeg_of(photo_like(size)) for name, size in sizes.items()}


def bare_pass(detector: Detector) -> Callable[[], object]:
    """A pass of the detector for one preprocessed photo."""
    run, images = in_pytorch(detector, detector.model, detector.bf16), random_batch(detector, 1)
    return lambda: run(images)


def request_rows(detector: Detector, port: int, process: psutil.Process, repeats: int) -> list[Row]:
    """Rows for ``predict``, ``/detect`` and ``/augment``, one call after another."""
    client, photos = Client(port), jpegs()
    tasks: dict[str, Callable[[], object]] = {"pass": bare_pass(detector)}
    for name, photo in photos.items():
        tasks[f"`predict`, {name} JPEG"] = lambda photo=photo: detector.predict(photo)
        tasks[f"`/detect`, {name} JPEG, upload included"] = lambda photo=photo: client.detect(photo)
    seconds = medians(tasks, repeats)
    bare = seconds.pop("pass")
    bars = {"`/detect`, 500 x 375 JPEG, upload included": "<= 1.5"}
    ratios = [
        Row(f"{name} / pass", f"{value / bare:.2f}", bars.get(name, ""), f"{1000 * value:.0f} ms")
        for name, value in seconds.items()
    ]
    spent = statistics.median(augment_seconds(client, process, seed) for seed in range(repeats))
    return [*ratios, Row("`/augment`, 8 variants, processor time", f"{spent:.2f} s")]


def augment_seconds(client: Client, process: psutil.Process, seed: int) -> float:
    """CPU seconds of the server for one request for eight variants."""
    before = process.cpu_times()
    client.call("augment", None, "cat", [60, 40, 400, 280], None, seed, 8, False, "")
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system


def load_rows(detector: Detector, port: int, seconds: float) -> list[Row]:
    """Rows for detections per second with several clients, relative to passes per second."""
    photo, bare = jpegs()["500 x 375"], bare_pass(detector)
    rows = []
    for clients in CLIENTS:
        before = rate_of(bare, seconds / 4)
        rate = load_rate(port, photo, clients, seconds)
        alone = (before + rate_of(bare, seconds / 4)) / 2
        bar, note = BARS.get(clients, ""), f"{rate:.1f} a second"
        what = f"`/detect`, {clients} clients / passes of one photo, a second"
        rows.append(Row(what, f"{rate / alone:.2f}", bar, note))
    return rows


def rate_of(task: Callable[[], object], seconds: float) -> float:
    """Calls per second, one after another."""
    started, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds or not count:
        task()
        count += 1
    return count / spent


def load_rate(port: int, photo: bytes, clients: int, seconds: float) -> float:
    """Detections per second while all clients send requests without a pause."""
    counts, failures = [0] * clients, list[Exception]()
    begin, end = threading.Barrier(clients + 1), threading.Event()

    def visit(number: int) -> None:
        client = Client(port)
        try:
            client.detect(photo)
            begin.wait()
            while not end.is_set():
                client.detect(photo)
                counts[number] += not end.is_set()
        except Exception as error:
            failures.append(error)
            begin.abort()

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):  # a client failed, which is raised below
        begin.wait()
    started = time.perf_counter()
    time.sleep(seconds)
    end.set()
    done, spent = sum(counts), time.perf_counter() - started
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return done / spent


def memory_rows(port: int, process: psutil.Process, warm_calls: int, calls: int) -> list[Row]:
    """Row for the server's memory after ``calls`` calls, relative to that when warm.

    It is warm when it holds its maximum of sessions; see ``demo.app.MAX_SESSIONS``. Every call is
    from another visitor: a third are detections, one in thirty is for variants, the others are for
    the facts of a sample.
    """
    client = Client(port)

    def work(count: int) -> float:
        for number in range(count):
            if number % 30 == 1:
                client.call("augment", None, "cat", None, None, number, 2, False, "")
            elif number % 3 == 0:
                client.call("detect", None, "cat", "")
            else:
                client.call("sample", "cat")
        return process.memory_info().rss

    warm = work(warm_calls)
    end = work(calls)
    note = f"{warm / 2**20:.0f} MiB, then {end / 2**20:.0f} MiB"
    return [Row(f"memory after {calls} more calls / warm", f"{end / warm:.2f}", "<= 1.1", note)]


def start_rows(starts: int) -> list[Row]:
    """Row for the time until the server answers with its page, relative to the imports alone."""
    ratios, pages = [], []
    for _ in range(starts):
        imports = timed(lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True))
        port = free_port()
        started = time.perf_counter()
        with server(port):
            wait_for_page(port)
            pages.append(time.perf_counter() - started)
        ratios.append(pages[-1] / imports)
    what, note = f"start to first page / `{IMPORTS}`", f"{statistics.median(pages):.1f} s"
    return [Row(what, f"{statistics.median(ratios):.2f}", "<= 1.05", note)]
