"""Speed of the demo as ratios taken in one run, against the real server in a process of its own.

    python scripts/benchmark_demo.py
    python scripts/benchmark_demo.py --memory-calls 3000    # instead: does its memory stay flat?

1. /detect over HTTP, upload included, on a 500 x 375 and on a 12-megapixel JPEG, against the bare
   forward pass of one photo;
2. processor seconds of the server for /augment with 8 variants and their traces;
3. start of the server to the first answered page, against `import torch, torchvision, gradio`.

Whatever is compared runs in turn, and the median is taken.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import torch
import tyro

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from benchmark import photo_like, report, timed  # noqa: E402

from demo.app import MAX_SESSIONS  # noqa: E402
from model import load_detector  # noqa: E402

IMPORTS = "import torch, torchvision, gradio"


@dataclass
class DemoBenchmarkConfig:
    """Speed of the demo as ratios taken in one run."""

    repeats: int = 15
    starts: int = 3
    memory_calls: int = 0  # measure memory over so many calls, and nothing else
    json: Path | None = None


@contextmanager
def server(port: int) -> Iterator[psutil.Process]:
    """The demo, and how long it took is up to the caller."""
    command = [sys.executable, "demo/app.py", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def wait_for_page(port: int) -> None:
    """Until the page is answered."""
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read()
            return
        except OSError:
            time.sleep(0.02)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_ratio(starts: int) -> float:
    """Start to first page over the imports alone."""
    ratios = []
    for _ in range(starts):
        imports = timed(lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True))
        port = free_port()
        started = time.perf_counter()
        with server(port):
            wait_for_page(port)
            page = time.perf_counter() - started
        ratios.append(page / imports)
        print(f"imports {imports:.2f} s, start to first page {page:.2f} s")
    return statistics.median(ratios)


def request_ratios(config: DemoBenchmarkConfig, folder: Path) -> dict[str, float]:
    """/detect against the bare forward pass; processor seconds of /augment."""
    detector = load_detector()
    size = detector.info.image_size
    images = torch.randn(1, 3, size, size).contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode(), detector.autocast():
            detector.model(images)

    files = {"500x375": (500, 375), "12_megapixel": (4000, 3000)}
    for name, shape in files.items():
        photo_like(shape).save(folder / f"{name}.jpg", quality=92)
    port = free_port()
    with server(port) as process:
        wait_for_page(port)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}/gradio_api/", timeout=60)

        def detect(name: str) -> None:
            with (folder / f"{name}.jpg").open("rb") as stream:
                (path,) = client.post("upload", files={"files": stream}).json()
            call(client, "detect", [{"path": path, "meta": {"_type": "gradio.FileData"}}, "", ""])

        tasks = {"forward": forward} | {n: lambda n=n: detect(n) for n in files}
        for task in tasks.values():
            task()
        times: dict[str, list[float]] = {name: [] for name in tasks}
        for _ in range(config.repeats):
            for name, task in tasks.items():
                times[name].append(timed(task))
        spent = [augment_seconds(client, process, seed) for seed in range(config.repeats)]
    median = {name: statistics.median(values) for name, values in times.items()}
    print("milliseconds: " + ", ".join(f"{k} {1000 * v:.1f}" for k, v in median.items()))
    result = {f"detect_{name}_over_forward": median[name] / median["forward"] for name in files}
    return result | {"augment_8_cpu_seconds": statistics.median(spent)}


def call(client: httpx.Client, name: str, data: list) -> None:
    """One request to an endpoint and its whole answer, as ``curl`` does it."""
    event = client.post(f"call/{name}", json={"data": data}).json()["event_id"]
    answer = client.get(f"call/{name}/{event}").text
    if not answer.startswith("event: complete"):
        raise RuntimeError(f"/{name} failed: {answer[:300]}")


def augment_seconds(client: httpx.Client, process: psutil.Process, seed: int) -> float:
    """Processor time the server spends on one request for eight variants."""
    before = process.cpu_times()
    box = [60, 40, 400, 280]
    call(client, "augment", [None, "cat", box, None, seed, 8, False, ""])
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system


def memory_growth(calls: int) -> dict[str, float]:
    """Memory of the server after so many calls over what it was when it had warmed up.

    Every call is another visitor's. A third asks for a detection, one in thirty for variants, the
    others for what is known of a sample. Warm: the sessions Gradio keeps are filled twice over.
    """
    port = free_port()
    with server(port) as process:
        wait_for_page(port)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}/gradio_api/", timeout=120)

        def work(count: int) -> float:
            for number in range(count):
                if number % 30 == 1:
                    call(client, "augment", [None, "cat", None, None, number, 2, False, ""])
                elif number % 3 == 0:
                    call(client, "detect", [None, "cat", ""])
                else:
                    call(client, "sample", ["cat"])
            return process.memory_info().rss

        warm = work(2 * MAX_SESSIONS)
        print(f"warm: {warm / 2**20:.0f} MiB after {2 * MAX_SESSIONS} calls")
        most = end = warm
        for start in range(0, calls, 300):
            end = work(min(300, calls - start))
            most = max(most, end)
            print(f"{min(start + 300, calls):6} calls: {end / 2**20:.0f} MiB", flush=True)
    return {"memory_end_over_warm": end / warm, "memory_most_over_warm": most / warm}


def main(config: DemoBenchmarkConfig) -> None:
    """Measure, print, write."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if config.memory_calls:
        report(memory_growth(config.memory_calls), config.json)
        return
    with tempfile.TemporaryDirectory() as folder:
        result = request_ratios(config, Path(folder))
    result["start_over_imports"] = start_ratio(config.starts)
    report(result, config.json)


if __name__ == "__main__":
    main(tyro.cli(DemoBenchmarkConfig, description=__doc__))
