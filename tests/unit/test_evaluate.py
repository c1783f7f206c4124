import json
import shutil

import pytest
import torch
from commands import run_here
from conftest import assert_clear_error, run_command

from model.checkpoint import DEFAULT_CHECKPOINT, CheckpointInfo, save_checkpoint
from model.classes import VOC_CLASSES
from model.network.detector import LargestObjectDetector

HISTORY = [{"epoch": 1, "loss": 9.0, "val_joint": 0.1}]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    path = tmp_path_factory.mktemp("untrained") / "u.safetensors"
    torch.manual_seed(0)
    info = CheckpointInfo(image_size=64, history=HISTORY, config={"train_split": "train"})
    save_checkpoint(path, LargestObjectDetector(image_size=64), info)
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left_behind")
def test_report_pictures_and_json(toy_voc, untrained, tmp_path):
    result = run_command(
        "-m", "model.evaluate", "--checkpoint", untrained, "--data", toy_voc,
        "--json", tmp_path / "r.json", "--plots", tmp_path / "plots", "--flip",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["n_images"] == 10
    assert set(report["metrics"]) == {
        "class_accuracy", "macro_accuracy", "l1_px_224", "mean_iou", "iou_50", "joint",
    }  # fmt: skip
    for key, value in report["metrics"].items():
        low, high = report["intervals_95"][key]
        assert low <= value <= high
    assert sum(map(sum, report["confusion"])) == 10
    assert (report["history"], report["config"]) == (HISTORY, {"train_split": "train"})
    assert sum(row["n_images"] for row in report["per_class"]) == 10
    baseline = report["majority_baseline"]
    assert baseline["fitted_on"] == "train"
    assert baseline["metrics"]["class_accuracy"] >= 0.3  # three classes, evenly spread
    assert f"{report['metrics']['l1_px_224']:.3f}" in result.stdout
    for name in ("confusion", "spread", "worst", "confused"):
        assert (tmp_path / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--split", "test"], "no split 'test'. There is: train, trainval, val"),
        (["--data", "nowhere"], "nowhere does not exist"),
        (["--checkpoint", "README.md"], "broken or is no safetensors file"),
        (["--batch-size", "0"], "--batch-size must be 1 or more, not 0"),
        (["--bootstrap", "0"], "--bootstrap must be 1 or more, not 0"),
    ],
)
def test_errors(toy_voc, untrained, arguments, says):
    defaults = {"--data": toy_voc, "--checkpoint": untrained}
    for flag, value in defaults.items():
        if flag not in arguments:
            arguments = [*arguments, flag, value]
    assert_clear_error(run_here("-m", "model.evaluate", *arguments), says)


def test_a_class_the_checkpoint_does_not_know(toy_voc, tmp_path):
    path = tmp_path / "ants.safetensors"
    names = ("ant", "bee")
    save_checkpoint(path, LargestObjectDetector(names, 64), CheckpointInfo(names, 64))
    result = run_here("-m", "model.evaluate", "--checkpoint", path, "--data", toy_voc)
    assert_clear_error(result, "not among the 2 classes")


@pytest.mark.slow
def test_the_shipped_checkpoint_beats_the_majority_baseline_on_real_photos(real_voc, tmp_path):
    """It has seen these photos in training: this tests the wiring, not the accuracy."""
    # Every 16th: among 64 photos a few boxes on another object decide what the mean L1 is.
    lines = (real_voc / "ImageSets" / "Main" / "val.txt").read_text().splitlines()[::16]
    root = tmp_path / "VOC2007"
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "val.txt").write_text("\n".join(lines))
    for folder, suffix in (("Annotations", "xml"), ("JPEGImages", "jpg")):
        (root / folder).mkdir()
        for name in lines:
            shutil.copy(real_voc / folder / f"{name}.{suffix}", root / folder)
    result = run_here(
        "-m", "model.evaluate", "--checkpoint", DEFAULT_CHECKPOINT, "--data", root,
        "--fit-split", "val", "--json", tmp_path / "r.json",
        "--no-negatives",  # test_train_own_data.py looks at them
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["class_names"] == list(VOC_CLASSES)
    assert report["metrics"]["joint"] > 0.7
    assert report["metrics"]["l1_px_224"] < report["majority_baseline"]["metrics"]["l1_px_224"] / 2
