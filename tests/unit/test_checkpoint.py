import json
import time

import pytest
import torch
from conftest import file_size_limit
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
from model.errors import UserError
from model.network.detector import LargestObjectDetector

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


def test_a_failed_write_keeps_the_old_file(saved, tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, saved[1], INFO)
    before = path.read_bytes()
    with file_size_limit(1_000_000), pytest.raises(UserError, match="File too large") as caught:
        save_checkpoint(path, saved[1], INFO)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def described(path, **changes):
    """The checkpoint with another description; ``None`` leaves a value out."""
    info = {**INFO.__dict__, **changes}
    info = {name: value for name, value in info.items() if value is not None}
    save_file({"x": torch.zeros(2)}, path, {"format": FORMAT, "info": json.dumps(info)})
    return path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"class_names": None}, "class_names is missing"),
        ({"class_names": []}, "class_names"),
        ({"class_names": "ant"}, "class_names"),
        ({"class_names": {"ant": 1}}, "class_names"),
        ({"class_names": ["ant", 7]}, "class_names"),
        ({"class_names": ["ant", None]}, "class_names"),
        ({"class_names": ["ant", " "]}, "class_names"),
        ({"class_names": ["ant", "ant"]}, "class_names"),
        ({"class_names": ["a" * 100_000]}, "class_names"),
        ({"class_names": [str(i) for i in range(1001)]}, "class_names"),
        ({"calibration": [1]}, "calibration is"),
        ({"image_size": None}, "image_size is missing"),
        ({"image_size": 10**9}, "image_size is 1000000000"),
        ({"image_size": 10**400}, "image_size"),
        ({"image_size": 0}, "image_size is 0"),
        ({"image_size": -64}, "image_size is -64"),
        ({"image_size": 100}, "image_size is 100"),
        ({"image_size": 256.0}, "image_size is 256.0"),
        ({"image_size": True}, "image_size is True"),
        ({"image_size": "256"}, "image_size is '256'"),
        ({"head": None}, "head is missing"),
        ({"head": "other"}, "head is 'other'"),
        ({"head": []}, "head is []"),
        ({"mean": None}, "mean is missing"),
        ({"mean": [0.5, 0.5]}, "mean is [0.5, 0.5]"),
        ({"mean": [0.5, float("nan"), 0.5]}, "mean is [0.5, nan, 0.5]"),
        ({"mean": [0.5, "0.5", 0.5]}, "mean"),
        ({"mean": [0.5, 0.5, 10**400]}, "mean"),
        ({"mean": 0.5}, "mean is 0.5"),
        ({"std": [1, 1, float("inf")]}, "std is [1, 1, inf]"),
        ({"std": [1, 0, 1]}, "std is [1, 0, 1]"),
        ({"std": [1, -1, 1]}, "std is [1, -1, 1]"),
        ({"config": []}, "config is []"),
        ({"metrics": "good"}, "metrics is 'good'"),
        ({"history": {}}, "history is {}"),
        ({"history": [1]}, "history is [1]"),
        ({"versions": [1]}, "versions is [1]"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_absurd_descriptions_are_refused_by_name(tmp_path, changes, says):
    path = described(tmp_path / "odd.safetensors", **changes)
    with pytest.raises(UserError) as caught:
        read_info(path)
    assert says in str(caught.value)
    assert "odd.safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(path))


@pytest.mark.parametrize(
    "text", ["[]", "null", "7", '"text"', "[" * 100_000, "9" * 5000, ""], ids=lambda t: t[:9]
)
def test_a_description_that_is_no_description(tmp_path, text):
    path = tmp_path / "odd.safetensors"
    metadata = {"format": FORMAT, "info": text} if text else {"format": FORMAT}
    save_file({"x": torch.zeros(2)}, path, metadata)
    with pytest.raises(UserError, match=r"odd\.safetensors: its description cannot be read"):
        read_info(path)


def test_a_newer_checkpoint_of_the_same_format_still_opens(tmp_path):
    path = described(tmp_path / "new.safetensors", temperature=1.5)
    assert read_info(path) == INFO


def test_what_may_be_missing(tmp_path):
    path = described(tmp_path / "a.safetensors", config=None, metrics=None, history=None)
    assert read_info(path).history == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(saved, tmp_path, value):
    tensors = load_file(saved[0])
    tensors["backbone.layer4.2.conv2.weight"][3, 4, 1, 1] = value
    path = tmp_path / "nan.safetensors"
    save_file(tensors, path, {"format": FORMAT, "info": json.dumps(INFO.__dict__)})
    with pytest.raises(UserError, match=r"nan\.safetensors.*layer4\.2\.conv2\.weight.*not finite"):
        load_checkpoint(path)


def test_a_description_of_a_huge_network_is_refused_before_it_is_built(tmp_path):
    path = described(tmp_path / "huge.safetensors", head="flatten", image_size=2048)
    started = time.perf_counter()
    with pytest.raises(UserError, match="weights of another network"):
        load_checkpoint(path)  # 537 million weights, 2 GiB
    assert time.perf_counter() - started < 5


def test_the_shipped_checkpoint_says_where_it_comes_from():
    info = read_info(DEFAULT_CHECKPOINT)
    assert len(info.class_names) == 20
    assert info.config["train_split"] == "trainval"
    assert "/" not in json.dumps(info.config)
    assert info.history
    assert info.versions["torch"]
    assert DEFAULT_CHECKPOINT.stat().st_size < 60 * 2**20
