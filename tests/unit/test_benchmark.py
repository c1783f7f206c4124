"""scripts/benchmark.py, with settings so small that its figures mean nothing."""

import re

import pytest
from commands import run_here

from model.checkpoint import CheckpointInfo, save_checkpoint
from model.network.detector import LargestObjectDetector

TINY = [
    "--parts", "passes", "requests", "load", "mixed", "memory", "training",
    "--repeats", "1", "--load-seconds", "0.2", "--mixed-seconds", "0.2",
    "--memory-calls", "3", "--warm-calls", "3",
    "--training-steps", "2", "--training-size", "64", "--training-batch", "4",
]  # fmt: skip


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    path = tmp_path_factory.mktemp("untrained") / "u.safetensors"
    save_checkpoint(path, LargestObjectDetector(image_size=64), CheckpointInfo(image_size=64))
    return path


@pytest.mark.slow
def test_the_table_has_the_rows_of_every_part(untrained, tmp_path):
    """But ONNX files (test_export.py makes one) and start-up, which take half a minute."""
    out = tmp_path / "table.md"
    result = run_here("scripts/benchmark.py", *TINY, "--checkpoint", untrained, "--out", out)
    assert result.returncode == 0, result.stderr
    lines = [line.strip("|").split("|") for line in out.read_text().splitlines() if "|" in line]
    assert {len(line) for line in lines} == {4}
    found = {what.strip(): [cell.strip() for cell in rest] for what, *rest in lines[2:]}
    for what, (measured, *_) in found.items():
        assert re.fullmatch(r"\d+\.\d\d( s)?|0 of \d+", measured), what
    for part in ("batch 1, float32 /", "batch 8, float32, batch norm folded", "`predict`, 12 Mpx",
                 "`/detect`, 500 x 375", "`/augment`", "8 clients", "errors",
                 "unlike the one alone", "memory after 3", "`train.py`"):  # fmt: skip
        assert part in " ".join(found)
    (folded,) = [v for k, v in found.items() if "batch 1, float32, batch norm folded" in k]
    assert "10 of 10 classes as in float32, boxes within 0.0" in folded[2]
