"""Try data sets end to end through the command lines; prints a Markdown table.

    python scripts/try_datasets.py photos/raccoon photos/bccd
    python scripts/try_datasets.py --odd odd_datasets.py --voc VOCdevkit photos/raccoon

Each set is checked, written as a CSV, trained on for one epoch from the shipped weights, evaluated
and predicted. ``--odd`` is a script that creates sets: it is called with ``--voc`` and a folder, in
which it creates a folder for every set.
"""

import csv
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from model.data.blemishes import KINDS  # noqa: E402
from model.data.images import find_images  # noqa: E402

STEPS = ("check", "csv", "train", "evaluate", "predict")
HEAD = ("set", "format", "photos", "classes", "blemishes", *STEPS)


@dataclass
class TryConfig:
    """The sets, and options of the trial."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()  # each holds one set
    odd: Path | None = None  # a script that makes sets
    voc: Path | None = None  # the first argument of that script
    image_size: int = 64  # side of the canvas in pixels
    photos: int = 4  # to predict
    timeout: float = 600  # seconds, for each step


def main(config: TryConfig) -> int:
    """Try all sets; the exit status is 1 if any step failed."""
    print(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|", flush=True)
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        for number, folder in enumerate([*_made(config, Path(scratch)), *config.folders]):
            row = try_set(folder, Path(scratch) / f"run{number}", config)
            print(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |", flush=True)
            failed |= any(cell != "ok" for cell in row[-len(STEPS) :])
    return int(failed)


def _made(config: TryConfig, scratch: Path) -> list[Path]:
    if not config.odd:
        return []
    out = scratch / "made"
    words = [sys.executable, config.odd, *([config.voc] if config.voc else []), out]
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
    return sorted(out.iterdir())


def try_set(folder: Path, run: Path, config: TryConfig) -> list[str]:
    """The row of one set under :data:`HEAD`: ``ok`` or the error of each step."""
    run.mkdir()
    data = ["--data", folder.resolve(), "--cache-dir", run / "cache", "--no-progress"]
    size, weights = config.image_size, run / "out" / "last.safetensors"
    train = [
        "train.py", *data, "--out", run / "out", "--start-from", "shipped", "--epochs", 1,
        "--image-size", size, "--num-workers", 0, "--freeze", "all",
    ]  # fmt: skip
    commands = [
        ["-m", "model.dataset", "check", *data, "--out", run / "check.csv", "--image-size", size],
        ["-m", "model.dataset", "csv", *data, "--out", run / "all.csv"],
        train,
        ["-m", "model.evaluate", *data, "--checkpoint", weights, "--bootstrap", 10],
        ["-m", "model.predict", *_some_photos(folder, config.photos), "--no-progress",
         "--checkpoint", weights, "--csv", run / "predicted.csv"],
    ]  # fmt: skip
    results = [_outcome(words, config.timeout) for words in commands]
    summary = _summary(results[0][0], run / "check.csv")
    return [folder.name, *summary, *(outcome for _, outcome in results)]


def _some_photos(folder: Path, count: int) -> list[Path]:
    photos = find_images([folder.resolve()])
    return photos[:: max(1, len(photos) // count)][:count]


def _outcome(words: list, timeout: float) -> tuple[str, str]:
    """The output of a command, and ``ok`` or its exit status with the last line of its errors."""
    command = [sys.executable, *(str(word) for word in words)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return "", f"longer than {timeout:g} s"
    if done.returncode == 0:
        return done.stdout, "ok"
    last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
    return done.stdout, f"{done.returncode}: {' '.join(last)}"


def _summary(check: str, blemishes: Path) -> list[str]:
    """Format, photos, classes and blemishes, from the output and the CSV of the check."""
    first, *lines = check.splitlines() or [""]
    head = re.search(r": ([\w ]+), ([\d,]+) class(?:es)?: ", first)
    splits = [m for line in lines if (m := re.match(r" *(\w+) +(\d+) +\d+ +\d+ +\d+$", line))]
    photos = ", ".join(f"{m[1]} {m[2]}" for m in splits)
    counts = dict.fromkeys(KINDS, 0)
    if blemishes.exists():
        with blemishes.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                counts[row["kind"]] += 1
    listed = ", ".join(f"{count} x {kind}" for kind, count in counts.items() if count)
    return [head[1] if head else "-", photos or "-", head[2] if head else "-", listed or "none"]


if __name__ == "__main__":
    sys.exit(main(tyro.cli(TryConfig, description=__doc__)))
