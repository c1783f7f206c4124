"""The loop of train.py relative to its bare optimisation step."""

import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch

import train
from model.classes import VOC_CLASSES
from model.loading.dataset import Batch
from model.network.detector import LargestObjectDetector
from model.precision import autocast, has_native_bf16
from speed.measure import VOC_SIZE, Row, jpeg_of, photo_like
from speed.voc import write_voc

DISTINCT = 40  # different photos; the others are copies


def rows(steps: int, image_size: int, batch_size: int, folder: Path) -> list[Row]:
    """Row for images per second of an epoch, between two measurements of bare steps."""
    photos = [jpeg_of(photo_like(VOC_SIZE, seed)) for seed in range(DISTINCT)]
    data = write_voc(folder / "VOC2007", {"train": steps * batch_size}, 1, photos, VOC_SIZE)
    config = train.TrainConfig(
        data=(str(data),), out=str(folder / "run"), cache_dir=str(folder / "cache"), epochs=1,
        small_epochs=0, val_split="none", backbone_weights="none", progress=False,
        image_size=image_size, batch_size=batch_size,
    )  # fmt: skip
    bare_steps = max(1, steps // 2)
    before = bare_speed(config, bare_steps)
    with redirect_stdout(StringIO()):
        train.main(config)
    loop = float(pd.read_csv(folder / "run" / "history.csv").images_per_s.iloc[-1])
    bare = (before + bare_speed(config, bare_steps)) / 2
    what = f"`train.py`, {config.head} head, {steps} steps of {batch_size} / bare steps"
    return [Row(what, f"{loop / bare:.2f}", ">= 0.95", f"{loop:.1f} images a second")]


def bare_speed(config: train.TrainConfig, steps: int) -> float:
    """Images per second of forward, loss, backward and step on one constant batch."""
    step = bare_step(config)
    step()
    step()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * config.batch_size / (time.perf_counter() - started)


def bare_step(config: train.TrainConfig) -> Callable[[], None]:
    """A step of train.py without reading, augmenting, averaging or clipping."""
    model = LargestObjectDetector(image_size=config.image_size, head=config.head)
    model = model.to(memory_format=torch.channels_last)
    model.freeze(config.freeze)
    model.train()
    optimizer, bf16 = train.build_optimizer(model, config), has_native_bf16("cpu")
    n, size = config.batch_size, config.image_size
    images = torch.randn(n, 3, size, size).contiguous(memory_format=torch.channels_last)
    boxes = torch.rand(n, 1, 4).sort().values * size
    labels = torch.randint(len(VOC_CLASSES), (n, 1))
    targets = [{"labels": a, "boxes": b} for a, b in zip(labels, boxes, strict=True)]

    def forward(batch: torch.Tensor) -> Any:
        with autocast("cpu", bf16):
            return model(batch)

    run: Any = SimpleNamespace(model=forward)

    def step() -> None:
        loss, _ = train.batch_loss(run, config, Batch(images, targets), config.small_epochs)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
