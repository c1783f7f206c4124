"""Speed and memory as ratios taken in one run, since absolute times depend on the machine.

    python scripts/benchmark.py --data data

1. train.py's whole loop against bare forward + backward + step on a constant batch;
2. predict() on a 500 x 375 and on a 12-megapixel JPEG against the bare forward pass of one photo;
3. peak memory of the training process.

Whatever is compared runs in turn, and the median is taken.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tyro
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import train
from model import load_detector
from model.assignment import Targets
from model.detector import LargestObjectDetector
from model.loss import answer_loss, cells_loss
from model.precision import autocast, has_native_bf16


@dataclass
class BenchmarkConfig:
    """Speed and memory as ratios taken in one run."""

    data: str = "data"  # VOC, for the training loop
    rounds: int = 3  # of training: an epoch between two rounds of bare steps
    repeats: int = 40  # of predictions
    skip_training: bool = False
    json: Path | None = None


def bare_training_speed(config: train.TrainConfig, steps: int = 12) -> float:
    """Images a second of forward + backward + step on one constant batch, as train.py does it."""
    bf16 = has_native_bf16("cpu")
    model = LargestObjectDetector(image_size=config.image_size, head=config.head)
    model = model.to(memory_format=torch.channels_last)
    model.freeze(config.freeze)
    model.train()
    optimizer = train.build_optimizer(model, config)
    n, size = config.batch_size, config.image_size
    images = torch.randn(n, 3, size, size).contiguous(memory_format=torch.channels_last)
    boxes = torch.rand(n, 1, 4).sort().values * size
    targets = Targets(torch.randint(20, (n, 1)), boxes)
    started = 0.0
    for step in range(steps + 2):
        if step == 2:  # two steps to warm up
            started = time.perf_counter()
        with autocast("cpu", bf16):
            output = model(images)
        loss = answer_loss(output, targets, size).total
        if output.cells:
            loss = loss + config.cells_weight * cells_loss(output.cells, targets, size).total
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return steps * n / (time.perf_counter() - started)


def loop_speed(data: str, out: Path) -> float:
    """Images a second of one epoch of train.py on the train split, in a process of its own."""
    command = [
        sys.executable, "train.py", "--data", data, "--out", out, "--epochs", "1",
        "--small-epochs", "0", "--val-split", "none", "--backbone-weights", "none", "--no-progress",
    ]  # fmt: skip
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    return float(pd.read_csv(out / "history.csv").images_per_s.iloc[-1])


def training(config: BenchmarkConfig, folder: Path) -> dict[str, float]:
    """Ratio of the loop to the bare step, and the peak memory of the process."""
    settings = train.TrainConfig()
    ratios = []
    for i in range(config.rounds):
        before = bare_training_speed(settings)
        loop = loop_speed(config.data, folder / f"run{i}")
        after = bare_training_speed(settings)
        ratios.append(loop / ((before + after) / 2))
        print(f"round {i + 1}: bare {before:.1f}, loop {loop:.1f}, bare {after:.1f} images/s")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return {"loop_over_bare": statistics.median(ratios), "training_peak_gib": peak}


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def photo_like(size: tuple[int, int]) -> Image.Image:
    """Smooth shapes with some grain, so that the JPEG is neither tiny nor huge."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    grain = rng.integers(-12, 13, smooth.shape, dtype=np.int16)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def prediction(config: BenchmarkConfig, folder: Path) -> dict[str, float]:
    """Ratios of predict() on two JPEGs to the bare forward pass."""
    detector = load_detector()
    files = {}
    for name, size in {"500x375": (500, 375), "12_megapixel": (4000, 3000)}.items():
        files[name] = folder / f"{name}.jpg"
        photo_like(size).save(files[name], quality=92)
    size = detector.info.image_size
    images = torch.randn(1, 3, size, size).contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode(), detector.autocast():
            detector.model(images)

    tasks = {"forward": forward}
    tasks |= {name: lambda file=file: detector.predict(file) for name, file in files.items()}
    for task in tasks.values():
        task()
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(config.repeats):
        for name, task in tasks.items():
            times[name].append(timed(task))
    median = {name: statistics.median(values) for name, values in times.items()}
    print("milliseconds: " + ", ".join(f"{k} {1000 * v:.1f}" for k, v in median.items()))
    return {f"predict_{name}_over_forward": median[name] / median["forward"] for name in files}


def report(result: dict[str, float], path: Path | None) -> None:
    """Print the figures, and write them as JSON where a path is given."""
    for name, value in result.items():
        print(f"{name:32} {value:.2f}")
    if path:
        path.write_text(json.dumps(result, indent=1) + "\n")


def main(config: BenchmarkConfig) -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as folder:
        result = prediction(config, Path(folder))
        if not config.skip_training:
            result |= training(config, Path(folder))
    report(result, config.json)


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig, description=__doc__))
