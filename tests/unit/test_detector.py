from http.client import RemoteDisconnected
from pickle import UnpicklingError
from urllib.error import HTTPError, URLError

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet34

from model.errors import UserError
from model.network.detector import HEADS, LargestObjectDetector


@pytest.fixture(scope="module")
def pyramid():
    torch.manual_seed(0)
    return LargestObjectDetector(image_size=64).eval()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("training", [False, True])
def test_outputs_are_scores_and_corners(head, training):
    model = LargestObjectDetector("abcdefg", 64, head).train(training)
    output = model(torch.randn(2, 3, 64, 64))
    assert (output.logits.shape, output.boxes.shape) == ((2, 7), (2, 4))
    assert output.logits.dtype == output.boxes.dtype == torch.float32
    assert (output.cells is None) == (head == "flatten")


def test_cells_cover_the_canvas(pyramid):
    with torch.no_grad():
        cells = pyramid(torch.randn(2, 3, 64, 64)).cells
    count = 64 + 16 + 4
    assert cells.logits.shape == (2, count, 20)
    assert cells.boxes.shape == (2, count, 4)
    assert cells.centers.shape == (count, 2)
    assert cells.choice.sum(1).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert cells.attention.sum(1).tolist() == pytest.approx([1, 1], abs=1e-5)
    read_from = cells.attention_map()
    assert read_from.shape == (2, *cells.level_shapes[0])
    assert read_from.sum(dim=(1, 2)).tolist() == pytest.approx([1, 1], abs=1e-5)


def test_boxes_are_upright_and_inside_in_eval(pyramid):
    with torch.no_grad():
        bias = pyramid.head.predict_box.bias.clone()
        pyramid.head.predict_box.bias.copy_(torch.randn_like(bias) * 9)
        boxes = pyramid(torch.randn(16, 3, 64, 64) * 5).boxes
        pyramid.head.predict_box.bias.copy_(bias)
    assert (boxes >= 0).all()
    assert (boxes <= 64).all()
    assert (boxes[:, 2:] >= boxes[:, :2]).all()


def test_boxes_are_in_pixels_of_the_images_given(pyramid):
    """Training begins on a smaller canvas."""
    with torch.no_grad():
        cells = pyramid(torch.randn(1, 3, 32, 32)).cells
    assert cells.centers.max() < 32
    assert cells.level_shapes == ((4, 4), (2, 2), (1, 1))


def test_tutorials_head_has_the_tutorials_size():
    model = LargestObjectDetector(head="flatten")
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == 27.7


def test_backbone_is_resnet34_without_its_last_two_layers(pyramid):
    reference = {k: v.shape for k, v in resnet34().state_dict().items() if "fc." not in k}
    assert {k: v.shape for k, v in pyramid.backbone.state_dict().items()} == reference


@pytest.mark.slow
def test_imagenet_weights_come_from_torchvision(monkeypatch):
    asked = []

    def mirror(url, *_, **__):
        asked.append(url)
        return {k: torch.full_like(v, 2) for k, v in resnet34().state_dict().items()}

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", mirror)
    model = LargestObjectDetector(backbone_weights="imagenet")
    assert "resnet34" in asked[0]
    assert (model.backbone.layer4[2].conv2.weight == 2).all()


@pytest.mark.parametrize(
    "failure",
    [
        URLError("Name or service not known"), TimeoutError(), ConnectionResetError("by peer"),
        HTTPError("https://x", 403, "Forbidden", None, None), RemoteDisconnected("closed"),
        RuntimeError("invalid hash value"), UnpicklingError("bad"), EOFError(),
        OSError(28, "No space left on device"),
    ],
)  # fmt: skip
def test_without_network_one_sentence_says_where_weights_come_from(monkeypatch, failure):
    def fails(*_, **__):
        raise failure

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fails)
    with pytest.raises(UserError, match="--start-from shipped") as caught:
        LargestObjectDetector(backbone_weights="imagenet")
    assert "--backbone-weights FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_frozen_statistics_of_batch_norm_stay_while_all_else_learns():
    model = LargestObjectDetector(image_size=64)
    model.freeze("none", batch_norm=True)
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    output = model(torch.randn(2, 3, 64, 64))
    (output.logits.sum() + output.boxes.sum()).backward()
    optimizer.step()
    after = model.state_dict()
    moved = {k for k in before if not torch.equal(before[k], after[k])}
    assert not any("running" in k or "num_batches" in k for k in moved)
    assert {"backbone.conv1.weight", "backbone.bn1.weight"} <= moved


@pytest.mark.slow
@pytest.mark.parametrize(("part", "frozen_layers"), [("stem", ("conv1", "layer1")), ("all", ("",))])
def test_frozen_parts_neither_learn_nor_drift(part, frozen_layers):
    model = LargestObjectDetector(image_size=64)
    model.freeze(part)
    model.train()
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(torch.randn(4, 3, 64, 64)).logits.sum().backward()
    optimizer.step()
    after = model.backbone.state_dict()
    frozen = [k for k in before if k.startswith(frozen_layers)]
    assert all(torch.equal(before[k], after[k]) for k in frozen)
    moved = not torch.equal(before["layer4.0.bn1.running_mean"], after["layer4.0.bn1.running_mean"])
    assert moved == (part == "stem")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"image_size": 200}, "multiple of 32"),
        ({"image_size": 32}, "at least 64"),
        ({"head": "dense"}, "'dense'"),
        ({"backbone_weights": "nowhere.safetensors"}, "do not exist"),
    ],
)
def test_bad_arguments(arguments, says):
    with pytest.raises(UserError, match=says):
        LargestObjectDetector(**arguments)


@pytest.mark.slow
def test_backbone_files(tmp_path):
    path = tmp_path / "b.safetensors"
    tensors = {k: v.half() for k, v in resnet34().state_dict().items() if "num_batches" not in k}
    save_file(tensors, path)  # with fc.*, half precision: as people convert them
    model = LargestObjectDetector(image_size=64, backbone_weights=str(path))
    assert torch.equal(model.backbone.conv1.weight, tensors["conv1.weight"].float())
    save_file({**tensors, "layer5.weight": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"layer5\.weight"):
        LargestObjectDetector(backbone_weights=str(path))
    del tensors["layer1.0.conv1.weight"]
    save_file(tensors, path)
    with pytest.raises(UserError, match=r"layer1\.0\.conv1\.weight"):
        LargestObjectDetector(backbone_weights=str(path))
    path.write_bytes(b"nonsense")
    with pytest.raises(UserError, match="not a safetensors file"):
        LargestObjectDetector(backbone_weights=str(path))


@pytest.mark.slow
def test_hub_round_trip(tmp_path, monkeypatch):
    state = resnet34().state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: state)
    model = LargestObjectDetector(("ant", "bee"), 64, backbone_weights="imagenet").eval()
    model.save_pretrained(tmp_path)
    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url", lambda *_, **__: pytest.fail("asked")
    )
    again = LargestObjectDetector.from_pretrained(tmp_path).eval()
    assert (again.class_names, again.image_size) == (("ant", "bee"), 64)
    images = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(again(images).logits, model(images).logits)
