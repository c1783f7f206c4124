import dataclasses
import shutil
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from commands import run_here
from conftest import assert_clear_error, run_command
from torchvision.models import resnet34

from model.checkpoint import (
    DEFAULT_CHECKPOINT,
    CheckpointInfo,
    load_checkpoint,
    read_info,
    save_checkpoint,
)
from model.data.dataset import read_split
from model.evaluation.calibrate_checkpoint import MISLEADING, _error, calibrate_run
from model.evaluation.predict_dataset import LoaderOptions, predict_dataset
from model.inference import load_detector
from model.loading.dataset import DetectionDataset
from model.network.detector import LargestObjectDetector
from model.score import EVIDENCE, Calibration

pytestmark = pytest.mark.usefixtures("shallow_network")


@pytest.fixture(scope="module")
def untrained(tmp_path_factory, shallow_network):
    path = tmp_path_factory.mktemp("untrained") / "u.safetensors"
    torch.manual_seed(0)
    model = LargestObjectDetector(image_size=64)
    save_checkpoint(path, model, CheckpointInfo(image_size=64, history=[{"epoch": 1}]))
    return path


@pytest.fixture
def few_photos_will_do(monkeypatch):
    monkeypatch.setattr("model.evaluation.calibrate_checkpoint.MIN_PHOTOS", 2)
    monkeypatch.setattr("model.evaluation.calibrate_checkpoint.MIN_RIGHT", 0)


@pytest.mark.usefixtures("few_photos_will_do")
def test_a_checkpoint_learns_what_its_scores_mean_and_keeps_its_weights(
    untrained, toy_voc, tmp_path
):
    path = tmp_path / "mine.safetensors"
    shutil.copy(untrained, path)
    result = run_here("-m", "model.calibrate", "--checkpoint", path, "--data", toy_voc)
    assert result.returncode == 0, result.stderr
    assert "calibration error" in result.stdout
    assert "empty windows" in result.stdout
    (before, old), (after, new) = load_checkpoint(untrained), load_checkpoint(path)
    assert new.calibration is not None
    assert dataclasses.replace(new, calibration=None) == old
    for name, tensor in before.state_dict().items():
        assert torch.equal(tensor, after.state_dict()[name]), name
    copied = tmp_path / "other.safetensors"
    shutil.copy(untrained, copied)
    result = run_here("-m", "model.calibrate", "--checkpoint", copied, "--like", path)
    assert result.returncode == 0, result.stderr
    assert read_info(copied).calibration == new.calibration
    result = run_here("-m", "model.calibrate", "--checkpoint", copied, "--like", untrained)
    assert_clear_error(result, "has no calibration")


@pytest.mark.slow
def test_the_command_line_copies_the_calibration_of_the_shipped_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("model.network.backbone.resnet34", resnet34)  # as shipped
    path = tmp_path / "mine.safetensors"
    model, info = load_checkpoint(DEFAULT_CHECKPOINT)
    save_checkpoint(path, model, dataclasses.replace(info, calibration=None))
    like = ("--like", DEFAULT_CHECKPOINT)
    result = run_command("-m", "model.calibrate", "--checkpoint", path, *like)
    assert result.returncode == 0, result.stderr
    assert read_info(path).calibration == info.calibration


def test_few_photos_are_enough_where_the_calibration_of_others_misleads():
    draws = torch.Generator().manual_seed(0)
    evidence = torch.randn(25, len(EVIDENCE), generator=draws)
    right, predictions = torch.ones(25), SimpleNamespace(evidence=evidence)
    never_sure = Calibration((0.0,) * len(EVIDENCE), -3.0, 0.5)  # says .05, and is always right
    assert _error(never_sure, predictions, right) > MISLEADING
    always_sure = dataclasses.replace(never_sure, bias=3.0)
    assert _error(always_sure, predictions, right) < MISLEADING
    assert _error(None, predictions, right) == 0


def test_too_few_photos_say_so_and_leave_the_calibration_there_is(untrained, toy_voc, tmp_path):
    path = tmp_path / "mine.safetensors"
    model, info = load_checkpoint(untrained)
    for calibration, says in (
        (None, "the score stays the probability of the class, threshold 0.5"),
        (Calibration((0.5, 0.1, 0.2, 0.3), 0.1, 0.6), "keeps the calibration of the checkpoint it"),
    ):
        save_checkpoint(path, model, dataclasses.replace(info, calibration=calibration))
        before = path.read_bytes()
        result = run_here("-m", "model.calibrate", "--checkpoint", path, "--data", toy_voc)
        assert result.returncode == 0
        assert f"mine.safetensors: not calibrated, {says}" in result.stdout
        assert "Calibrating needs 50 photos" in result.stdout
        assert path.read_bytes() == before


@pytest.mark.usefixtures("few_photos_will_do")
@pytest.mark.parametrize("best_epoch", [1, 2])
def test_a_run_is_calibrated_once_if_its_last_epoch_was_the_best(
    untrained, toy_voc, tmp_path, capsys, monkeypatch, best_epoch
):
    model, info = load_checkpoint(untrained)
    for name, epochs in (("best", best_epoch), ("last", 2)):
        history = [{"epoch": epoch} for epoch in range(1, epochs + 1)]
        path = tmp_path / f"{name}.safetensors"
        save_checkpoint(path, model, dataclasses.replace(info, history=history))
    dataset = DetectionDataset(read_split(toy_voc, "val"), 64)
    accelerator = Accelerator(cpu=True)
    calibrate_run(tmp_path, dataset, accelerator, {}, progress=False)
    assert capsys.readouterr().out.count("calibration error") == (1 if best_epoch == 2 else 2)
    infos = [read_info(tmp_path / f"{name}.safetensors") for name in ("best", "last")]
    assert [len(i.history) for i in infos] == [best_epoch, 2]
    assert infos[0].calibration is not None
    assert infos[0].calibration == infos[1].calibration  # the weights are the same here
    assert load_checkpoint(tmp_path / "last.safetensors")[0].image_size == 64

    # The same without predicting the photos once more, where that has been done.
    known = predict_dataset(model, dataset, accelerator, LoaderOptions(progress=False))
    with monkeypatch.context() as patch:
        patch.delattr("model.evaluation.calibrate_checkpoint.predict_dataset")
        calibrate_run(tmp_path, dataset, accelerator, {"best": known, "last": known}, False)
    for name, before in zip(("best", "last"), infos, strict=True):
        after = read_info(tmp_path / f"{name}.safetensors").calibration
        assert after.weights == pytest.approx(before.calibration.weights, rel=1e-3, abs=1e-4)


def test_score_and_sure_follow_the_checkpoint(untrained, tmp_path):
    model, info = load_checkpoint(untrained)
    detections = {}
    for name, bias in (("sure", 9.0), ("unsure", -9.0)):
        path = tmp_path / f"{name}.safetensors"
        calibration = Calibration((0.0, 0.0, 0.0, 0.0), bias, 0.5)
        save_checkpoint(path, model, dataclasses.replace(info, calibration=calibration))
        detections[name] = load_detector(path).predict("examples/cat.jpg")
    assert detections["sure"].sure
    assert detections["sure"].score == pytest.approx(1, abs=1e-3)
    assert not detections["unsure"].sure
    assert detections["unsure"].score == pytest.approx(0, abs=1e-3)
    assert detections["sure"].probabilities == detections["unsure"].probabilities
    plain = load_detector(untrained).predict("examples/cat.jpg")
    assert plain.score == next(iter(plain.probabilities.values()))
