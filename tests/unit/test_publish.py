"""The model card, and publishing to a stand-in of the hub."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub_stand_in import Hub, running_hub
from huggingface_hub import HfApi, ModelCard

from model.checkpoint import (
    DEFAULT_CHECKPOINT,
    CheckpointInfo,
    load_checkpoint,
    read_info,
    save_checkpoint,
)
from model.commands.publish import PublishConfig, model_card, push_to_hub
from model.errors import UserError
from model.network.detector import LargestObjectDetector

NAME = "someone/largest-object"


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    # Plain HTTP instead of the hub's own transfer, which the stand-in does not speak.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with running_hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A checkpoint that is quickly made and sent."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    names = ("ant", "bee")
    info = CheckpointInfo(names, 64, head="pyramid", history=[{"epoch": 1}])
    save_checkpoint(path, LargestObjectDetector(names, 64, "pyramid"), info)
    return path


def push(hub: Hub, checkpoint: Path, **settings) -> str:
    config = PublishConfig(NAME, checkpoint, **settings)
    return push_to_hub(config, HfApi(hub.endpoint, token="hf_" + "x" * 34))


def test_the_card_says_to_machines_what_was_measured():
    data = model_card(DEFAULT_CHECKPOINT, NAME).data.to_dict()
    assert data["license"] == "apache-2.0"
    assert data["library_name"] == "largest-object-detector"
    assert data["pipeline_tag"] == "object-detection"
    assert data["datasets"] == ["pascal-voc-2007"]
    (model,) = data["model-index"]
    assert model["name"] == "largest-object"
    (result,) = model["results"]
    report = json.loads(DEFAULT_CHECKPOINT.with_suffix(".metrics.json").read_text())
    assert result["dataset"]["split"] == report["split"]
    said = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert said["class accuracy"] == report["metrics"]["class_accuracy"]
    assert said["mean IoU"] == report["metrics"]["mean_iou"]
    assert set(said.values()) <= set(report["metrics"].values())


def test_the_card_says_to_people_what_the_checkpoints_readme_says():
    text = model_card(DEFAULT_CHECKPOINT, NAME).text
    assert text.lstrip().startswith("# Model card")
    assert "## What it is not for" in text
    assert f'hf_hub_download("{NAME}", "model.safetensors")' in text


def test_a_checkpoint_without_report_and_readme_gets_no_results(tmp_path):
    card = model_card(tmp_path / "mine.safetensors", NAME)
    assert "model-index" not in card.data.to_dict()
    assert "# mine" in card.text
    (tmp_path / "mine.metrics.json").write_text('{"metrics": {}}')
    with pytest.raises(UserError, match=r"mine\.metrics\.json is no report"):
        model_card(tmp_path / "mine.safetensors", NAME)


@pytest.mark.slow
def test_what_is_sent_can_be_used(hub, small, tmp_path):
    assert push(hub, small, private=True).startswith(hub.endpoint)
    (made,) = hub.created
    assert (made["organization"], made["name"]) == ("someone", "largest-object")
    assert made.get("visibility") == "private" or made.get("private") is True
    assert {"README.md", "config.json", "model.safetensors"} == set(hub.files)
    for name, content in hub.files.items():
        (tmp_path / name).write_bytes(content)
    assert ModelCard.load(tmp_path / "README.md").data.pipeline_tag == "object-detection"
    assert read_info(tmp_path / "model.safetensors") == read_info(small)
    expected, _ = load_checkpoint(small)
    weights = LargestObjectDetector.from_pretrained(tmp_path).state_dict()
    for name, tensor in expected.state_dict().items():
        assert torch.equal(weights[name], tensor), name


def test_a_refusal_says_what_to_do(hub, small):
    hub.refusal = (403, "the hub's own words")
    with pytest.raises(UserError, match="hf auth login"):
        push(hub, small)
    assert hub.files == {}


def test_a_foreign_checkpoint_is_refused_before_anything_is_made(hub, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        push(hub, tmp_path / "gone.safetensors")
    assert hub.created == []
