"""train.py, model.evaluate and model.calibrate on photos that are backgrounds, or damaged."""

import json

import pytest
from commands import run_here
from conftest import SIZES, assert_clear_error, free_port, make_voc, run_command, write_voc_xml
from own_data import damage
from torchvision.models import resnet34

pytestmark = pytest.mark.usefixtures("shallow_network", "no_plots")

FAST = [
    "--image-size", "64", "--batch-size", "4", "--backbone-weights", "none", "--epochs", "1",
    "--freeze", "all", "--num-workers", "0", "--no-progress", "--precision", "fp32",
    "--small-epochs", "0",
]  # fmt: skip


def damage_photos(root, *numbers):
    for number in numbers:
        damage(root / f"JPEGImages/{number:06d}.jpg")


@pytest.fixture
def blemished(tmp_path):
    """Twelve photos to train on and eight to validate; damaged ones and backgrounds in both."""
    root = make_voc(tmp_path / "VOC2007", 12, 8)
    for number in (0, 3, 5, 15, 16):
        write_voc_xml(root, f"{number:06d}", SIZES[number % 3], [])
    damage_photos(root, 1, 5, 14, 16)
    return root


@pytest.mark.slow
def test_processes_agree_on_what_is_left_out_and_what_shows_nothing(
    blemished, tmp_path, monkeypatch
):
    out, report = tmp_path / "run", tmp_path / "report.json"
    launch = ["-m", "accelerate.commands.launch", "--num_processes", "2", "--main_process_port"]
    result = run_command(
        *launch,
        free_port(),
        "train.py",
        "--data",
        blemished,
        "--out",
        out,
        *FAST,
        OMP_NUM_THREADS="1",
    )
    assert result.returncode == 0, result.stderr
    left_out = [line for line in result.stdout.splitlines() if line.startswith("left out")]
    assert [line.rpartition(": ")[2] for line in left_out] == [
        "000001.jpg, 000005.jpg.",
        "000014.jpg, 000016.jpg.",
    ]
    assert result.stdout.count("an epoch shows 1 of 2 backgrounds\n") == 1
    assert "8 photos from train, 2 steps an epoch, 2 process(es)" in result.stdout

    command = ["-m", "model.evaluate", "--data", blemished, "--no-progress", "--json", report]
    monkeypatch.setattr("model.network.backbone.resnet34", resnet34)  # as those processes trained
    result = run_here(*command, "--checkpoint", out / "last.safetensors")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("): 000014.jpg, 000016.jpg.") == 1
    assert json.loads(report.read_text())["n_images"] == 5


@pytest.mark.parametrize("damaged", [range(12), range(12, 20)])
def test_nothing_that_can_be_read_is_one_sentence(tmp_path, damaged):
    root = make_voc(tmp_path / "VOC2007", 12, 8)
    damage_photos(root, *damaged)
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
