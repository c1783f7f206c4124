"""Measure speed and memory, as a Markdown table of ratios within one run: absolute times depend on
the machine, which should be otherwise idle.

    python scripts/benchmark.py --checkpoint checkpoints/NAME.safetensors --out table.md

Variants that are compared run in turn. The defaults take about seven minutes on two cores.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
import tyro

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from speed import data, mixed, passes, serving, training  # noqa: E402
from speed.measure import Row, table  # noqa: E402
from speed.server import free_port, server, wait_for_page  # noqa: E402

from model.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint  # noqa: E402
from model.inference import Detector  # noqa: E402

Part = Literal["passes", "onnx", "requests", "load", "mixed", "memory", "start", "training", "data"]


@dataclass
class BenchmarkConfig:
    """Speed and memory in one table."""

    checkpoint: Path = DEFAULT_CHECKPOINT
    parts: tuple[Part, ...] = get_args(Part)
    repeats: int = 11  # of each pass and request
    load_seconds: float = 10.0  # for each number of clients
    mixed_seconds: float = 60.0  # for many clients with calls of all kinds
    warm_calls: int = 200  # before memory is measured: they fill the caches of the server
    memory_calls: int = 600  # 3000 take three minutes more
    starts: int = 3
    data_photos: int = 100_000  # of the largest data set that is checked
    training_steps: int = 20
    training_size: int = 288  # side of the canvas, pixels
    training_batch: int = 32
    out: Path | None = None  # file for the table, besides the screen


def measured(config: BenchmarkConfig, folder: Path) -> Iterator[list[Row]]:
    """The rows of all requested parts, one part at a time."""
    model, info = load_checkpoint(config.checkpoint)
    detector = Detector(model, info, "cpu")
    if "passes" in config.parts:
        onnx_folder = folder if "onnx" in config.parts else None
        yield passes.rows(model, detector, onnx_folder, config.repeats)
    yield from served(config, detector)
    if "start" in config.parts:
        yield serving.start_rows(config.starts)
    if "data" in config.parts:
        yield data.rows(config.data_photos, folder)
    if "training" in config.parts:
        yield training.rows(
            config.training_steps, config.training_size, config.training_batch, folder
        )


def served(config: BenchmarkConfig, detector: Detector) -> Iterator[list[Row]]:
    """The rows that need a running demo; one server is used for all of them, memory last."""
    port = free_port()
    parts: dict[Part, Callable] = {
        "requests": lambda p: serving.request_rows(detector, port, p, config.repeats),
        "load": lambda _: serving.load_rows(detector, port, config.load_seconds),
        "mixed": lambda _: mixed.rows(port, config.mixed_seconds),
        "memory": lambda p: serving.memory_rows(port, p, config.warm_calls, config.memory_calls),
    }
    requested = [rows for part, rows in parts.items() if part in config.parts]
    if requested:
        with server(port, "--checkpoint", str(config.checkpoint)) as process:
            wait_for_page(port)
            for rows in requested:
                yield rows(process)


def main(config: BenchmarkConfig) -> None:
    """Measure, print, write."""
    all_rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in measured(config, Path(folder)):
            all_rows += rows
            print(table(rows), flush=True)
    text = f"Measured on {torch.get_num_threads()} cores.\n\n{table(all_rows)}"
    print(text)
    if config.out:
        config.out.write_text(text)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
