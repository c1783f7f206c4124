import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.augment.mosaic import mosaic, mosaic_of_four

SIDE = 64
NOTHING = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64)}


def photo(value: float, *objects: tuple[int, list[float]]):
    """A grey canvas whose objects are white."""
    image = torch.full((3, SIDE, SIDE), value)
    for _, (x1, y1, x2, y2) in objects:
        image[:, y1:y2, x1:x2] = 1.0
    if not objects:
        return image, NOTHING
    labels, boxes = zip(*objects, strict=True)
    return image, {"boxes": torch.tensor(boxes).float(), "labels": torch.tensor(labels)}


def batch(*photos):
    images, targets = zip(*photos, strict=True)
    return torch.stack(images), list(targets)


@given(st.integers(20, 44), st.integers(20, 44))
def test_boxes_lie_on_what_they_were_drawn_around(column, row):
    photos = [photo(0.0, (k, [16, 8, 48, 56])) for k in range(4)]
    canvas, target = mosaic_of_four(*batch(*photos), column, row)
    assert sorted(target["labels"].tolist()) == [0, 1, 2, 3]
    for x1, y1, x2, y2 in target["boxes"].round().int().tolist():
        assert canvas[0, y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].min() > 0.9
        assert canvas[0, y1 + 2 : y2 - 2, max(x1 - 3, 0)].max() < 0.5
        assert canvas[0, max(y1 - 3, 0), x1 + 2 : x2 - 2].max() < 0.5


def test_the_largest_object_of_all_four_comes_first():
    photos = [photo(0.0, (k, [0, 0, 60, 60])) for k in range(4)]
    _, target = mosaic_of_four(*batch(*photos), 20, 40)
    assert target["labels"].tolist()[:2] == [1, 3]  # upper right is 44 x 40, lower right 44 x 24
    assert target["boxes"][0].tolist() == pytest.approx([20, 0, 20 + 60 * 44 / 64, 60 * 40 / 64])


def test_what_becomes_too_small_is_not_taught_and_nothing_stays_nothing():
    tiny = photo(0.0, (1, [10, 10, 14, 50]))  # 4 px wide, 2 afterwards
    _, target = mosaic_of_four(*batch(tiny, photo(0.1), photo(0.2), photo(0.3)), 32, 32)
    assert target["labels"].shape == (0,)
    assert target["boxes"].shape == (0, 4)


def test_the_given_share_is_replaced_and_the_rest_left_alone():
    images, targets = batch(*(photo(k / 10, (k, [8, 8, 40, 40])) for k in range(8)))
    before = images.clone()
    torch.manual_seed(3)
    mixed, new_targets = mosaic(images, targets, 0.25)
    assert torch.equal(images, before)
    assert torch.equal(mixed[2:], images[2:])
    assert new_targets[2:] == targets[2:]
    assert all(len(target["labels"]) == 4 for target in new_targets[:2])
    torch.manual_seed(3)
    assert torch.equal(mosaic(images, targets, 0.25)[0], mixed)
    assert mosaic(images, targets, 0)[0] is images
