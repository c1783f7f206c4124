"""Time and memory of checking a large data set, and how they grow with its size."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

from speed.measure import Row, jpeg_of
from speed.server import ROOT, free_port, server, wait_for_page
from speed.voc import write_voc

SIZE = (640, 480)
_CHECK = """
import json, sys, time
from pathlib import Path
from model.data.check import check
from model.data.dataset import Dataset
started = time.perf_counter()
report = check(Dataset(sys.argv[1]), False)
seconds = time.perf_counter() - started
# getrusage would also count the parent process.
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(json.dumps([seconds, peak / 2**20, len(report.dataset.photos), len(report.blemishes)]))
"""

_BROWSE = """
import json, sys, time
from dataclasses import replace
from demo.app import AppConfig, make_backend
from demo.choice import PhotoChoice
from demo.views.dataset import DatasetState, choices, follow_photo, show
backend = make_backend(AppConfig(data=(sys.argv[1],)))
first, *_, other = [PhotoChoice(photo.name) for photo in backend.library.examples()]
opened = DatasetState(split=backend.library.dataset.first_split)
times = [time.perf_counter()]
backend.reading.start()
assert backend.reading.wait(600)
times.append(time.perf_counter())
state, followed = opened, ""
# Open the tab, turn a page, choose another photo, as demo.tabs.dataset does.
for photo, turned in ((first, 0), (first, 1), (other, 0)):
    state = replace(state, photo=photo, page=state.page + turned, picked="")
    state = follow_photo(backend, state, opened, followed)
    show(backend, state)
    choices(backend.library, state.split)
    followed = photo.sample
    times.append(time.perf_counter())
print(json.dumps([after - before for before, after in zip(times, times[1:])]))
"""


def rows(n_photos: int, folder: Path) -> list[Row]:
    """Rows for a set checked twice and browsed, a quarter of it, and 100 times the objects."""
    first, again = _checked(_write_voc(folder / "whole", n_photos, 3), folder / "cache")
    quarter, _ = _checked(_write_voc(folder / "quarter", n_photos // 4, 3), folder / "cache")
    start = _starts(folder / "whole", folder / "cache")
    browsing = _browsed(folder / "whole", folder / "cache")
    unread = _browsed(folder / "quarter", folder / "an empty cache")
    few = _write_voc(folder / "few", n_photos // 40, 3)
    many = _write_voc(folder / "many", n_photos // 40, 300)
    of_few, of_many = _checked(few, folder / "cache")[0], _checked(many, folder / "cache")[0]
    an_object = (of_many[0] - of_few[0]) / (n_photos // 40 * 297)
    return [
        Row(f"check of {n_photos:,} photos, 3 objects each", f"{first[0]:.1f} s", "60 s"),
        Row("the same again", f"{again[0]:.1f} s", "5 s", "remembered by name, size and time"),
        Row("its memory", f"{max(first[1], again[1]):.2f} GiB", "1.5 GiB"),
        Row("start of the demo with it / without", f"{start:.2f}", "1.2", "median of three"),
        Row("the set read in the background once the demo runs", f"{browsing[0]:.1f} s", "",
            f"{unread[0]:.1f} s for {n_photos // 4:,} photos that were never read"),
        Row("then the first page of the tab \"Data set\"", f"{browsing[1]:.1f} s", "1 s"),
        Row("another page, another photo", f"{max(browsing[2:]):.1f} s", "1 s"),
        Row("seconds a photo against a quarter of the photos",
            f"{first[0] / quarter[0] / 4:.2f} x", "1.3 x", "1 is linear"),
        Row("seconds an object, 300 a photo", f"{an_object * 1e6:.0f} us", "",
            f"against {first[0] / n_photos / 3 * 1e6:.0f} us with 3, photo included"),
    ]  # fmt: skip


def _checked(data: Path, cache: Path) -> list[list[float]]:
    """Seconds, GiB, photos and blemishes of two checks, each in a new process."""
    checks = [_in_process(_CHECK, data, cache) for _ in range(2)]
    assert checks[0][2:] == checks[1][2:]
    return checks


def _starts(data: Path, cache: Path) -> float:
    """Time until the first page of the demo with a data set, over that without one."""
    ratios = []
    for _ in range(3):
        empty, full = (_start(cache, *flags) for flags in ((), ("--data", str(data))))
        ratios.append(full / empty)
    return statistics.median(ratios)


def _start(cache: Path, *flags: str) -> float:
    port, started = free_port(), time.perf_counter()
    with server(port, *flags, XDG_CACHE_HOME=str(cache)):
        wait_for_page(port)
        return time.perf_counter() - started


def _browsed(data: Path, cache: Path) -> list[float]:
    """Seconds until the set is read, then for each of the views of its tab in ``_BROWSE``."""
    return _in_process(_BROWSE, data, cache)


def _in_process(program: str, data: Path, cache: Path) -> list[float]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", program, str(data)]
    return json.loads(subprocess.check_output(command, cwd=ROOT, env=environment))


def _write_voc(root: Path, n_photos: int, n_objects: int) -> Path:
    n_train = n_photos * 4 // 5
    photo = jpeg_of(Image.new("RGB", SIZE, "teal"), quality=50)
    splits = {"train": n_train, "val": n_photos - n_train}
    return write_voc(root, splits, n_objects, [photo], SIZE)
