"""Timing, photos to time with, and the table."""

import io
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

VOC_SIZE, PHONE_SIZE = (500, 375), (4000, 3000)  # width and height of photos, pixels


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        what: the measured quantity, and its reference.
        measured: usually a ratio.
        bar: the limit it should keep; empty for none.
        note: details.
    """

    what: str
    measured: str
    bar: str = ""
    note: str = ""


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [("what", "measured", "bar", "note"), ("---",) * 4, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def medians(tasks: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each task; tasks run in turn, under the same load of the machine."""
    for task in tasks.values():
        task()
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            times[name].append(timed(task))
    return {name: statistics.median(values) for name, values in times.items()}


def photo_like(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """A picture of smooth shapes with noise, whose JPEG is about as large as that of a photo."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    grain = rng.integers(-12, 13, smooth.shape, dtype=np.int16)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def jpeg_of(photo: Image.Image, quality: int = 92) -> bytes:
    """The photo as a JPEG file."""
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
