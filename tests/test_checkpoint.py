import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from model.checkpoint import (
    DEFAULT_CHECKPOINT,
    FORMAT,
    CheckpointInfo,
    load_checkpoint,
    read_info,
    save_checkpoint,
)
from model.detector import LargestObjectDetector
from model.errors import UserError

INFO = CheckpointInfo(
    class_names=("ant", "bee"), image_size=64, config={"lr": 1e-3}, metrics={"joint": 0.5},
    history=[{"epoch": 1, "loss": 2.5}], versions={"torch": "2.8.0"},
)  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "a.safetensors"
    torch.manual_seed(0)
    model = LargestObjectDetector(("ant", "bee"), 64).eval()
    save_checkpoint(path, model, INFO)
    return path, model


def test_round_trip(saved):
    path, model = saved
    again, info = load_checkpoint(path)
    assert info == INFO
    assert not again.training
    assert next(again.parameters()).dtype == torch.float32
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(again(images), model(images), atol=0.15, rtol=0.02)


def test_file_is_half_precision_and_nothing_but_the_network(saved):
    tensors = load_file(saved[0])
    assert {str(t.dtype) for t in tensors.values()} == {"torch.float16", "torch.int64"}
    assert set(tensors) == set(saved[1].state_dict())
    assert saved[0].stat().st_size < 60 * 2**20


def write(path, content: bytes):
    path.write_bytes(content)


def foreign(path, metadata):
    save_file({"x": torch.zeros(2)}, path, metadata)


def other_network(path):
    info = {**INFO.__dict__, "head": "flatten"}
    with safe_open(path, "pt") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 - no dict
    save_file(tensors, path, {"format": FORMAT, "info": json.dumps(info)})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda p: p.unlink(), "does not exist"),
        (lambda p: write(p, b""), "broken or is no safetensors file"),
        (lambda p: write(p, b"PK\x03\x04 pickled"), "broken or is no safetensors file"),
        (lambda p: write(p, p.read_bytes()[:5000]), "broken or is no safetensors file"),
        (lambda p: write(p, p.read_bytes()[:-1000]), "broken or is no safetensors file"),
        (lambda p: foreign(p, None), "not a checkpoint of this program"),
        (lambda p: foreign(p, {"format": FORMAT, "info": "{"}), "description cannot be read"),
        (lambda p: foreign(p, {"format": FORMAT, "info": '{"a": 1}'}), "description cannot"),
        (other_network, "weights of another network"),
    ],
    ids=["missing", "empty", "pickle", "cut in the header", "cut in the weights", "foreign",
         "bad description", "wrong description", "another architecture"],
)  # fmt: skip
def test_bad_checkpoints_get_one_sentence(saved, tmp_path, damage, says):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(saved[0].read_bytes())
    damage(path)
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    assert says in str(caught.value)
    assert "bad.safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_failed_write_keeps_the_old_file(saved, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, saved[1], INFO)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("model.checkpoint.save_file", fail)
    with pytest.raises(UserError, match="No space left"):
        save_checkpoint(path, saved[1], INFO)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_shipped_checkpoint_says_where_it_comes_from():
    info = read_info(DEFAULT_CHECKPOINT)
    assert len(info.class_names) == 20
    assert info.config["train_split"] == "trainval"
    assert "/" not in json.dumps(info.config)
    assert info.history
    assert info.versions["torch"]
    assert DEFAULT_CHECKPOINT.stat().st_size < 60 * 2**20
