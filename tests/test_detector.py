import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet34

from model.detector import (
    GridHead,
    LargestObjectDetector,
    agreement,
    cell_centers,
    split_outputs,
    weighted_median,
)
from model.errors import UserError


@pytest.fixture(scope="module")
def grid():
    torch.manual_seed(0)
    return LargestObjectDetector(image_size=64, head="grid").eval()


@pytest.mark.parametrize("head", ["decoupled", "grid", "flatten"])
@pytest.mark.parametrize("training", [False, True])
def test_outputs_are_scores_and_corners(head, training):
    model = LargestObjectDetector("abcdefg", 64, head).train(training)
    outputs = model(torch.randn(2, 3, 64, 64))
    assert outputs.shape == (2, 11)
    assert outputs.dtype == torch.float32
    logits, bbox = split_outputs(outputs)
    assert (logits.shape, bbox.shape) == ((2, 7), (2, 4))


def test_boxes_are_upright_and_inside_in_eval(grid):
    with torch.no_grad():
        grid.head.predict.bias.copy_(torch.randn_like(grid.head.predict.bias) * 3)
        boxes = split_outputs(grid(torch.randn(16, 3, 64, 64) * 5))[1]
        grid.head.predict.bias.zero_()
    assert (boxes >= 0).all()
    assert (boxes <= 64).all()
    assert (boxes[:, 2:] >= boxes[:, :2]).all()


def test_tutorials_head_has_the_tutorials_size():
    model = LargestObjectDetector(head="flatten")
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == 27.7


def test_backbone_is_resnet34_without_its_last_two_layers(grid):
    reference = {k: v.shape for k, v in resnet34().state_dict().items() if "fc." not in k}
    assert {k: v.shape for k, v in grid.backbone.state_dict().items()} == reference


def test_imagenet_weights_come_from_torchvision(monkeypatch):
    asked = []

    def mirror(url, *_, **__):
        asked.append(url)
        return {k: torch.full_like(v, 2) for k, v in resnet34().state_dict().items()}

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", mirror)
    model = LargestObjectDetector(backbone_weights="imagenet")
    assert "resnet34" in asked[0]
    assert (model.backbone.layer4[2].conv2.weight == 2).all()


def test_cells_answer_for_where_they_stand():
    centers = cell_centers(2, 4)
    assert centers[0].tolist() == [0.125, 0.375, 0.625, 0.875] * 2
    assert centers[1].tolist() == [0.25] * 4 + [0.75] * 4


@pytest.mark.parametrize(
    ("values", "weights", "median"),
    [
        ([7.0], [1.0], 7.0),
        ([3.0, 1.0, 2.0], [0.0, 0.0, 1.0], 2.0),
        ([1.0, 2.0, 3.0, 4.0], [0.25, 0.25, 0.25, 0.25], 2.5),
        ([9.0, 1.0], [0.4, 0.6], 1.0),  # the average would be 4.2
        ([5.0, 5.0, 100.0], [0.3, 0.3, 0.4], 5.0),
    ],
)
def test_weighted_median(values, weights, median):
    answer = weighted_median(torch.tensor([values]), torch.tensor([weights]))
    assert answer.tolist() == [median]


def test_agreement_is_the_log_chance_of_the_same_class():
    # Two photos, two classes, two cells; the probabilities that their logits stand for.
    cells = torch.tensor([[[0.9, 0.5], [0.1, 0.5]], [[0.2, 1e-9], [0.8, 1.0]]])
    answer = torch.tensor([[0.7, 0.3], [0.0001, 0.9999]])
    expected = [[0.9 * 0.7 + 0.1 * 0.3, 0.5], [0.2 * 0.0001 + 0.8 * 0.9999, 0.9999]]
    agreed = agreement(cells.log() + 3, answer.log() - 2).exp()  # a shift is no matter to a softmax
    torch.testing.assert_close(agreed, torch.tensor(expected))
    assert agreement(torch.tensor([[[99.0], [-99.0]]]), torch.tensor([[-99.0, 99.0]])).isfinite()


def head_that_says(*cells: tuple[int, float, float]) -> GridHead:
    """A head of 3 classes whose 1 x n cells say: class id, left side (0..1), choice."""
    head = GridHead(num_classes=3).eval()
    said = torch.zeros(1, 3 + 4 + 1 + 4, 1, len(cells))
    centers = cell_centers(1, len(cells))
    for column, (class_id, left, choice) in enumerate(cells):
        said[0, class_id, 0, column] = 10.0
        said[0, 3, 0, column] = left - centers[0, column]
        said[0, 7, 0, column] = choice
    head.predict = nn.Module()
    head.predict.forward = lambda _: said
    return head


@pytest.mark.parametrize(
    ("cells", "left"),
    [
        # The median of what all cells say is 0.8; those of the answered class say 0.1.
        ([(0, 0.1, 0.3), (1, 0.8, 0.2), (2, 0.9, 0.2)], 0.1),
        # One cell shouts; its neighbours, which see the same object, outvote it.
        ([(0, 0.9, 1.0), (0, 0.3, 0.8), (0, 0.3, 0.8), (0, 0.3, 0.8)], 0.3),
        # A cell that is chosen by far is heard alone.
        ([(0, 0.9, 9.0), (0, 0.3, 0.0), (0, 0.3, 0.0), (0, 0.3, 0.0)], 0.9),
    ],
)
def test_sides_are_read_from_the_chosen_cells_of_the_answered_class(cells, left):
    n = len(cells)
    _, box, _ = head_that_says(*cells)(torch.zeros(1, 256, 1, n), torch.zeros(1, 512, 1, n))
    assert box[0, 0].item() == pytest.approx(left, abs=1e-5)


def test_the_box_learns_without_the_layers_of_the_class():
    model = LargestObjectDetector(image_size=64, head="decoupled")
    split_outputs(model(torch.randn(2, 3, 64, 64)))[1].sum().backward()
    assert not any(p.grad.any() for p in model.head.say_class.parameters())
    assert all(p.grad.any() for p in model.head.say_box[-1].parameters())


def test_an_even_grid_answers_with_the_middle(grid):
    """Without any evidence the softmaxes are flat, and the middle of all cells is the centre."""
    with torch.no_grad():
        weight = grid.head.predict.weight.clone()
        grid.head.predict.weight.zero_()
        _, cells = grid(torch.randn(1, 3, 64, 64), return_cells=True)
        bbox = split_outputs(grid(torch.randn(1, 3, 64, 64)))[1]
        grid.head.predict.weight.copy_(weight)
    assert bbox[0].tolist() == pytest.approx([32] * 4, abs=1e-4)
    assert cells["boxes"].shape == (1, 4, 16)


@pytest.mark.parametrize(("part", "frozen_layers"), [("stem", ("conv1", "layer1")), ("all", ("",))])
def test_frozen_parts_neither_learn_nor_drift(part, frozen_layers):
    model = LargestObjectDetector(image_size=64)
    model.freeze(part)
    model.train()
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(torch.randn(4, 3, 64, 64)).sum().backward()
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
    torch.testing.assert_close(again(images), model(images))
