"""train.py, model.evaluate and model.calibrate on photos that are backgrounds, or damaged.

test_train_processes.py looks at what two processes make of them.
"""

import json

import pytest
from commands import run_here
from conftest import assert_clear_error, make_voc
from own_data import damage, make_blemished

pytestmark = pytest.mark.usefixtures("shallow_network", "no_plots")

FAST = [
    "--image-size", "64", "--batch-size", "4", "--backbone-weights", "none", "--epochs", "1",
    "--freeze", "all", "--num-workers", "0", "--no-progress", "--precision", "fp32",
    "--small-epochs", "0",
]  # fmt: skip


@pytest.fixture
def blemished(tmp_path):
    """Twelve photos to train on and eight to validate."""
    return make_blemished(tmp_path / "VOC2007", 12, 8)


@pytest.mark.parametrize("damaged", [range(12), range(12, 20)])
def test_nothing_that_can_be_read_is_one_sentence(tmp_path, damaged):
    root = make_voc(tmp_path / "VOC2007", 12, 8)
    for number in damaged:
        damage(root / f"JPEGImages/{number:06d}.jpg")
    result = run_here("train.py", "--data", root, "--out", tmp_path / "run", *FAST)
    assert_clear_error(result, f"no photo with an object is left: left out {len(damaged)} photos")


def test_backgrounds_are_calibrated_with_and_counted_apart(blemished, tmp_path, monkeypatch):
    for name in ("MIN_PHOTOS", "MIN_RIGHT"):
        monkeypatch.setattr(f"model.evaluation.calibrate_checkpoint.{name}", 0)
    out, report = tmp_path / "run", tmp_path / "report.json"
    result = run_here("train.py", "--data", blemished, "--out", out, *FAST)
    assert result.returncode == 0, result.stderr
    assert "% of 1 background" in result.stdout
    checkpoint = ["--checkpoint", out / "last.safetensors", "--data", blemished]
    result = run_here("-m", "model.calibrate", *checkpoint)
    assert "% of 1 background" in result.stdout
    assert "left out 2 photos" in result.stdout
    command = ["-m", "model.evaluate", *checkpoint, "--no-progress", "--json", report]
    assert "% of 1 background" in run_here(*command).stdout
    assert json.loads(report.read_text())["score"]["backgrounds"]["n"] == 1
    assert "1 background" not in run_here(*command, "--no-negatives").stdout


def test_too_little_room_is_said_before_a_photo_is_decoded(blemished, tmp_path, monkeypatch):
    monkeypatch.setattr("model.data.pixel_cache.free_bytes", lambda _: 10_000)
    cache = tmp_path / "small"
    result = run_here(
        "train.py", "--data", blemished, "--out", tmp_path / "run", "--cache-dir", cache, *FAST
    )
    assert_clear_error(result, f"MB in {cache}, where 0.0 MB are free", "--cache-dir")
    assert not list(cache.glob("pixels-*"))
