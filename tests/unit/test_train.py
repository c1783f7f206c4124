"""train.py as people run it, on a tiny data set, with a network of fewer layers."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest
import torch
from commands import run_here
from conftest import assert_clear_error, make_voc, write_voc_xml
from trainings import EVERY_PHASE, FAST, HEAD_ALONE, history, train

from model.augment import AugmentConfig
from model.checkpoint import load_checkpoint, read_info
from model.data.pixel_cache import PixelCache

pytestmark = pytest.mark.usefixtures("shallow_network", "no_plots")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, toy_voc, shallow_network):
    out = tmp_path_factory.mktemp("runs") / "whole"
    result = train(toy_voc, out, *EVERY_PHASE)
    assert result.returncode == 0, result.stderr
    return out


def test_a_finished_run_is_not_written_over(finished, toy_voc):
    before = (finished / "last.safetensors").read_bytes()
    assert_clear_error(train(toy_voc, finished), "already holds a run", "--resume")
    assert (finished / "last.safetensors").read_bytes() == before


def test_resume_with_other_settings_or_nothing_to_resume(finished, toy_voc, tmp_path):
    result = train(toy_voc, finished, *EVERY_PHASE, "--resume", "--seed", "9")
    assert_clear_error(result, "seed = 0, not 9")
    assert_clear_error(train(toy_voc, tmp_path / "new", "--resume"), "no run to resume")


def test_an_output_folder_that_cannot_be_written_is_told_before_training(toy_voc, tmp_path):
    (tmp_path / "file").touch()
    result = train(toy_voc, tmp_path / "file" / "run")
    assert_clear_error(result, "cannot write", "Choose a folder you may write to")
    assert "steps an epoch" not in result.stdout


def test_a_loss_that_is_no_number_stops_and_keeps_what_was(toy_voc, tmp_path):
    result = train(toy_voc, tmp_path / "nan", "--lr", "1e30", "--clip-grad-norm", "1e30")
    assert_clear_error(result, "the loss became", "Lower --lr")


def test_augmentation_settings_from_a_file(toy_voc, tmp_path):
    config = AugmentConfig(rotation_degrees=30, box_rule="ellipse", flip_probability=0)
    (tmp_path / "augment.json").write_text(config.to_json())
    result = train(
        toy_voc, tmp_path / "run", "--augment-file", tmp_path / "augment.json", "--epochs", "1",
        *HEAD_ALONE,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    stored = read_info(tmp_path / "run" / "last.safetensors").config["augment"]
    assert AugmentConfig.from_json(json.dumps(stored)) == config


def test_tutorials_recipe_and_training_without_validation(toy_voc, tmp_path):
    result = train(
        toy_voc, tmp_path / "run", "--head", "flatten", "--freeze", "all", "--optimizer", "adam",
        "--schedule", "constant", "--ema-decay", "0", "--val-split", "none", "--train-split",
        "trainval", "--epochs", "2", "--batch-size", "10",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert history(tmp_path / "run").lr.tolist() == [1e-3, 1e-3]
    assert "val_joint" not in history(tmp_path / "run")
    assert read_info(tmp_path / "run" / "best.safetensors").head == "flatten"


def test_other_classes_travel_in_the_checkpoint(tmp_path):
    data = make_voc(tmp_path / "VOC2007", 10, 3, classes=("zebra", "ant"))
    assert train(data, tmp_path / "run", "--epochs", "1", *HEAD_ALONE).returncode == 0
    assert read_info(tmp_path / "run" / "best.safetensors").class_names == ("ant", "zebra")


def test_mosaics_are_seen_on_the_full_canvas_until_the_plain_epochs(toy_voc, tmp_path):
    def first_losses(name, *arguments):
        # The ten photos of "val", which are enough.
        splits = ["--train-split", "val", "--val-split", "none"]
        arguments = ["--epochs", "1", *splits, *HEAD_ALONE, *arguments]
        assert train(toy_voc, tmp_path / name, *arguments).returncode == 0
        return history(tmp_path / name)[["l1_px", "cross_entropy", "cells"]].loc[0].tolist()

    without = first_losses("without", "--plain-epochs", "0")
    assert first_losses("with", "--plain-epochs", "0", "--mosaics", "1") != without
    assert first_losses("plain", "--plain-epochs", "1", "--mosaics", "1") == without


def test_training_goes_on_from_a_checkpoint(finished, toy_voc, tmp_path):
    arguments = ["--epochs", "1", "--lr", "1e-12", "--start-from"]
    result = train(toy_voc, tmp_path / "on", *arguments, finished / "last.safetensors")
    assert result.returncode == 0, result.stderr
    before, after = (
        load_checkpoint(run / "last.safetensors")[0].state_dict()
        for run in (finished, tmp_path / "on")
    )
    for name in ("backbone.layer3.0.conv1.weight", "head.predict_class.weight"):
        assert torch.equal(after[name], before[name]), name
    info = read_info(tmp_path / "on" / "last.safetensors")
    assert info.config["start_from"] == "last.safetensors"
    before = read_info(finished / "last.safetensors").history
    assert info.history[:2] == [{"run": "whole", **row} for row in before]
    assert [row["epoch"] for row in info.history] == [1, 2, 1]
    assert history(tmp_path / "on").run.fillna("").tolist() == ["whole", "whole", ""]


def test_a_checkpoint_with_another_head_is_refused(finished, toy_voc, tmp_path):
    result = train(
        toy_voc,
        tmp_path / "run",
        "--head",
        "flatten",
        "--start-from",
        finished / "last.safetensors",
    )
    assert_clear_error(result, "has a pyramid head for 64 px, not a flatten head for 64 px")


def test_resuming_does_not_need_the_weights_a_run_began_with(finished, toy_voc, tmp_path):
    began_with = tmp_path / "first.safetensors"
    shutil.copy(finished / "last.safetensors", began_with)
    arguments = ["--epochs", "1", "--start-from", began_with, *HEAD_ALONE]
    assert train(toy_voc, tmp_path / "run", *arguments).returncode == 0
    began_with.unlink()
    resumed = train(toy_voc, tmp_path / "run", *arguments, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert history(tmp_path / "run").run.fillna("").tolist() == ["whole", "whole", ""]


def test_other_classes_learn_from_a_checkpoint_with_new_layers_for_them(finished, tmp_path):
    data = make_voc(tmp_path / "VOC2007", 10, 3, classes=("zebra", "ant"))
    arguments = ["--epochs", "1", "--lr", "1e-12", "--image-size", "96"]  # 64 before
    result = train(
        data, tmp_path / "run", *arguments, "--start-from", finished / "last.safetensors"
    )
    assert result.returncode == 0, result.stderr
    before, after = (
        load_checkpoint(run / "last.safetensors")[0] for run in (finished, tmp_path / "run")
    )
    assert after.class_names == ("ant", "zebra")
    assert after.head.predict_class.out_channels == 2
    assert torch.equal(after.head.predict_box.weight, before.head.predict_box.weight)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "nowhere"], "nowhere does not exist"),
        (["--train-split", "extra"], "no split 'extra'"),
        (["--batch-size", "64"], "fewer than one batch of 64"),
        (["--aug.hue", "0.9"], "hue must be a number from 0 to 0.5"),
        (["--augment-file", "nothing.json"], "cannot read the augmentation settings nothing.json"),
        (["--backbone-weights", "none.safetensors"], "none.safetensors do not exist"),
        (["--start-from", "none.safetensors"], "checkpoint none.safetensors does not exist"),
        (["--mosaics", "1.5"], "--mosaics must be from 0 to 1, not 1.5"),
        (["--batch-size", "0"], "--batch-size must be 1 or more, not 0"),
        (["--epochs", "-1"], "--epochs must be 1 or more, not -1"),
        (["--eval-every", "0"], "--eval-every must be 1 or more, not 0"),
        (["--num-workers", "-1"], "--num-workers must be 0 or more, not -1"),
        (["--lr", "nan"], "--lr must be 0 or more, not nan"),
        (
            ["--val-split", "nix"],
            "no split 'nix' to validate on. There is: train, trainval, val. Choose one with"
            " --val-split, add --val-split none, or",
        ),
        (["--image-size", "2080"], "--image-size is at most 2048"),
        (["--head", "flatten", "--small-epochs", "2"], "needs the full canvas"),
        (["--small-epochs", "2"], "--small-size 160 is larger than --image-size 64"),
    ],
)
def test_bad_input_is_one_clear_sentence(toy_voc, tmp_path, arguments, says):
    if "--out" not in arguments:
        arguments = ["--out", tmp_path / "run", *arguments]
    assert_clear_error(run_here("train.py", "--data", toy_voc, *FAST, *arguments), says)


def test_what_is_wrong_is_said_before_a_photo_is_decoded(toy_voc, tmp_path, monkeypatch):
    decoded = []
    monkeypatch.setattr(PixelCache, "__init__", lambda *_, **__: decoded.append(1) or sys.exit(9))
    for arguments, says in (
        (["--val-split", "nix"], "--val-split none"),
        (["--backbone-weights", "nix"], "backbone weights nix do not exist"),
        (["--start-from", "nix"], "checkpoint nix does not exist"),
    ):
        assert_clear_error(train(toy_voc, tmp_path / "run", *arguments), says)
        assert not decoded
    assert train(toy_voc, tmp_path / "run").returncode == 9
    assert decoded


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "model.training.launch.build_accelerator", lambda *_, **__: SimpleNamespace(num_processes=2)
    )
    says = "a batch of 5 cannot be shared evenly by 2 processes. Choose a multiple of 2:"
    result = train(tmp_path / "nowhere", tmp_path / "run")
    assert_clear_error(result, f"{says} --batch-size 6")
    assert not (tmp_path / "run").exists()


def test_a_class_that_only_val_has_is_a_class(tmp_path):
    root = make_voc(tmp_path / "VOC2007", 10, 2)
    write_voc_xml(root, "000011", (100, 100), [("zebra", 1, 1, 60, 60)])
    result = train(root, tmp_path / "run", "--epochs", "1", *HEAD_ALONE)
    assert result.returncode == 0, result.stderr
    assert "zebra" in read_info(tmp_path / "run" / "last.safetensors").class_names
