import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.boxes import box_areas
from model.loading.targets import pad_targets
from model.training.batches import CROSS, MIN_AREA, add_mosaics, mosaic, shrink

SIDE = 64
NOTHING = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64)}


def target_of(*objects):
    labels, boxes = zip(*objects, strict=True)
    return {"boxes": torch.tensor(boxes), "labels": torch.tensor(labels)}


def plain_images(count):
    """Image i has the value i everywhere."""
    return torch.arange(float(count)).view(-1, 1, 1, 1).expand(-1, 3, SIDE, SIDE).clone()


def test_a_smaller_canvas_takes_the_boxes_along():
    images = torch.zeros(2, 3, SIDE, SIDE)
    images[:, :, 16:32, 32:48] = 1.0
    targets = pad_targets([target_of((3, [32.0, 16, 48, 32])), NOTHING])
    smaller, moved = shrink(images, targets, 32)
    assert smaller.shape == (2, 3, 32, 32)
    assert moved.boxes[0].tolist() == [[16, 8, 24, 16]]
    assert moved.labels.tolist() == [[3], [-1]]
    assert smaller[0, :, 9:15, 17:23].min() == pytest.approx(1, abs=1e-5)
    assert float(smaller[0].mean()) == pytest.approx(float(images[0].mean()), abs=0.01)


def test_every_photo_of_a_mosaic_fills_its_quarter_and_takes_its_boxes_along():
    whole = [0.0, 0, SIDE, SIDE]
    parts = [(image, target_of((i, whole))) for i, image in enumerate(plain_images(4))]
    canvas, target = mosaic(parts, 24, 40)
    canvas = canvas.round()
    assert canvas[:, :40, :24].unique().tolist() == [0]
    assert canvas[:, :40, 24:].unique().tolist() == [1]
    assert canvas[:, 40:, :24].unique().tolist() == [2]
    assert canvas[:, 40:, 24:].unique().tolist() == [3]
    by_label = dict(zip(target["labels"].tolist(), target["boxes"].tolist(), strict=True))
    assert by_label == {
        0: [0, 0, 24, 40], 1: [24, 0, 64, 40], 2: [0, 40, 24, 64], 3: [24, 40, 64, 64]
    }  # fmt: skip
    assert target["labels"][0] == 1, "the largest comes first"


def test_an_object_is_found_where_its_box_is_moved_to():
    image = torch.zeros(3, SIDE, SIDE)
    image[:, 16:48, 32:64] = 1.0
    bright = (image, target_of((5, [32.0, 16, 64, 48])))
    dark = (torch.zeros(3, SIDE, SIDE), NOTHING)
    canvas, target = mosaic([dark, bright, dark, dark], 20, 44)
    x1, y1, x2, y2 = (round(side) for side in target["boxes"][0].tolist())
    assert target["labels"].tolist() == [5]
    assert canvas[:, y1 + 1 : y2 - 1, x1 + 1 : x2 - 1].min() > 0.5
    canvas[:, y1 - 1 : y2 + 1, x1 - 1 : x2 + 1] = 0
    assert canvas.max() < 0.5


def test_what_becomes_too_small_is_no_longer_asked_for():
    tiny, fair = (1, [0.0, 0, 12, 12]), (2, [0.0, 0, 40, 40])
    parts = [(torch.zeros(3, SIDE, SIDE), target_of(tiny, fair))] * 4
    _, target = mosaic(parts, SIDE // 2, SIDE // 2)
    assert target["labels"].tolist() == [2] * 4
    assert (box_areas(target["boxes"]) >= MIN_AREA).all()


def test_four_photos_of_nothing_make_a_mosaic_of_nothing():
    _, target = mosaic([(torch.zeros(3, SIDE, SIDE), NOTHING)] * 4, 30, 30)
    assert target["boxes"].shape == (0, 4)
    assert target["labels"].dtype == torch.int64
    assert pad_targets([target]).labels.tolist() == [[-1]]


@given(st.integers(1, 9), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(0, 2**31))
def test_only_the_first_share_of_a_batch_is_replaced(count, share, seed):
    images, before = plain_images(count), plain_images(count)
    targets = [target_of((i, [8.0, 8, 56, 56])) for i in range(count)]
    mixed, mixed_targets = add_mosaics(images, targets, share, torch.Generator().manual_seed(seed))
    replaced = round(share * count)
    assert torch.equal(images, before), "the photos themselves are sources of later mosaics"
    assert torch.equal(mixed[replaced:], images[replaced:])
    assert mixed_targets[replaced:] == targets[replaced:]
    for image, target in zip(mixed[:replaced], mixed_targets[:replaced], strict=True):
        # Photos of this batch, whose boxes lie in quarters no smaller than the cross allows.
        assert image.round().unique().tolist() == target["labels"].unique().tolist()
        assert len(target["labels"]) == 4
        assert len(target["labels"].unique()) == min(4, count)
        sides = target["boxes"][:, 2:] - target["boxes"][:, :2]
        assert sides.min() >= int(CROSS[0] * SIDE) * 0.75
        assert box_areas(target["boxes"]).diff().max() <= 0, "largest first"
        assert target["boxes"].min() >= 0
        assert target["boxes"].max() <= SIDE


def test_the_same_seed_draws_the_same_mosaics():
    images, targets = plain_images(8), [target_of((i, [8.0, 8, 56, 56])) for i in range(8)]
    draws = [
        add_mosaics(images, targets, 0.5, torch.Generator().manual_seed(seed))[0]
        for seed in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
