"""Runs of train.py that are over in seconds."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from commands import run_here
from conftest import REPOSITORY

FAST = [
    "--image-size", "64", "--batch-size", "5", "--backbone-weights", "none", "--epochs", "2",
    "--lr", "1e-3", "--num-workers", "0", "--no-progress", "--precision", "fp32",
    "--small-epochs", "0",
]  # fmt: skip
EVERY_PHASE = ["--cells-weight", "0.5", "--small-epochs", "1", "--small-size", "32"]
LOSES_BOXES = ["--aug.rotation-degrees", "40", "--aug.zoom", "2", "--aug.min-visible", "0.9"]
HEAD_ALONE = ["--freeze", "all"]  # where it does not matter what learns
DRAWS_A_LOT = [*LOSES_BOXES, "--mosaics", "0.5", "--plain-epochs", "0"]

# train.py as the fixture no_plots leaves it, for a process of its own.
NO_PLOTS = """
import runpy
import model.evaluation.plots
for name in ("plot_history", "picture_sheet"):
    setattr(model.evaluation.plots, name, lambda *_: None)
runpy.run_path("train.py", run_name="__main__")
"""


def train(data, out, *arguments, run=run_here):
    return run("train.py", "--data", data, "--out", out, *FAST, *arguments)


def history(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "history.csv")


def start(data, out, *arguments, command=("train.py",)) -> subprocess.Popen:
    """A run in a process of its own, on its way."""
    words = [sys.executable, *command, "--data", data, "--out", out, *FAST, *arguments]
    return subprocess.Popen(
        list(map(str, words)), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={"OMP_NUM_THREADS": "2", **os.environ},
    )  # fmt: skip
