import pytest
import torch

from model.loading.targets import pad_targets
from model.network.backbone import Features
from model.network.pyramid_head import STRIDES, PyramidHead, cell_centers, pooled_scores
from model.training.loss import cells_loss, largest_object_loss


def features_of(side: int = 64, n: int = 2) -> Features:
    torch.manual_seed(1)
    return Features(
        torch.randn(n, 128, side // 8, side // 8), torch.randn(n, 256, side // 16, side // 16),
        torch.randn(n, 512, side // 32, side // 32),
    )  # fmt: skip


def test_cell_centers_row_by_row():
    assert cell_centers(2, 2, 16).tolist() == [[8, 8], [24, 8], [8, 24], [24, 24]]


def test_boxes_lie_around_their_cells_and_grow_with_the_stride():
    with torch.no_grad():
        cells = PyramidHead(3)(features_of()).cells
    low, high = cells.boxes[..., :2], cells.boxes[..., 2:]
    assert (low < cells.centers).all()
    assert (high > cells.centers).all()
    areas = (high - low).prod(-1)[0].split([64, 16, 4])
    means = [float(a.mean()) for a in areas]
    assert means[1] / means[0] == pytest.approx(4, rel=0.1)
    assert means[2] / means[1] == pytest.approx(4, rel=0.1)


def test_of_equal_cells_the_one_with_the_larger_box_is_chosen():
    head = PyramidHead(3)
    boxes = torch.tensor([[[0.0, 0, 10, 10], [0, 0, 40, 20]]])
    equal = torch.zeros(1, 2, 3)
    assert head.choose(torch.zeros(1, 2), equal, boxes)[0].tolist() == pytest.approx([1 / 9, 8 / 9])
    surer = equal.clone()
    surer[0, 0, 1] = 9.0
    choice = head.choose(torch.zeros(1, 2), surer, boxes)[0]
    assert choice.tolist() == pytest.approx([0.2, 0.8], abs=0.01)  # 1 / 0.5 x 100 against 800


def test_every_level_is_told_what_the_whole_photo_holds():
    head = PyramidHead(3).eval()
    features = features_of()
    changed = features._replace(layer4=features.layer4.clone())
    changed.layer4[:, :, 1, 1] += 5  # one corner; the finest level's other corner hears of it
    with torch.no_grad():
        before, after = head(features).cells, head(changed).cells
    assert not torch.allclose(before.logits[:, 0], after.logits[:, 0])


def test_it_learns_two_photos_by_heart_with_rivals_in_them():
    torch.manual_seed(0)
    head, features = PyramidHead(3, width=32, dropout=0.0), features_of(n=2)
    targets = pad_targets([
        {"labels": torch.tensor([1, 2]),
         "boxes": torch.tensor([[2.0, 2, 40, 60], [44, 44, 62, 62]])},
        {"labels": torch.tensor([0]), "boxes": torch.tensor([[20.0, 10, 60, 30]])},
    ])  # fmt: skip
    optimizer = torch.optim.Adam(head.parameters(), 3e-3)
    for _ in range(80):
        output = head(features)
        loss = (
            largest_object_loss(output, targets, 64).total
            + cells_loss(output.cells, targets, 64).total
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(p.grad is not None for p in head.parameters())
    assert output.logits.argmax(1).tolist() == [1, 0]
    torch.testing.assert_close(output.boxes, targets.boxes[:, 0], atol=4, rtol=0)


def test_strides_are_those_of_the_backbone():
    assert [64 // stride for stride in STRIDES] == [f.shape[-1] for f in features_of()]


def test_the_class_scores_of_the_chosen_cells_speak_for_the_class():
    logits = torch.randn(1, 3, 20)
    choice = torch.tensor([[0.0, 1.0, 0.0]])
    expected = (logits[0, 1].sigmoid() + 1e-3).log()
    torch.testing.assert_close(pooled_scores(logits, choice)[0], expected)
    far_from_it = pooled_scores(torch.full((1, 3, 20), -1e4), choice)
    assert far_from_it.isfinite().all()
