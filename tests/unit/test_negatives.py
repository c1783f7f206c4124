import random
import timeit
from itertools import combinations

import pytest
import torch
from conftest import make_voc, write_voc_xml
from hypothesis import given
from hypothesis import strategies as st

from model.augment import AugmentConfig
from model.data.dataset import read_split
from model.data.empty_window import largest_empty_window
from model.loading.dataset import DetectionDataset, train_loader
from model.loading.negatives import NegativeWindows, WithNegatives

side = st.integers(0, 20)


@pytest.mark.parametrize(
    ("boxes", "window"),
    [
        ([], (0, 0, 100, 100)),
        ([(0, 0, 100, 100)], None),
        ([(0, 0, 50, 100)], (50, 0, 100, 100)),
        ([(50, 40, 60, 60)], (0, 0, 50, 100)),
        ([(20, 20, 80, 80)], None),  # no window of 30 % beside it
        ([(0, 0, 60, 100), (80, 0, 100, 100)], None),
    ],
)
def test_by_hand(boxes, window):
    assert largest_empty_window(boxes, 100, 100) == window


def by_trying_all(boxes, width, height, min_share):
    """All pairs of sides of boxes and photo: the largest empty window's lie on some of them."""
    xs = sorted({0, width, *(side for box in boxes for side in (box[0], box[2]))})
    ys = sorted({0, height, *(side for box in boxes for side in (box[1], box[3]))})
    best, best_area = None, min_share * width * height
    for left, right in combinations(xs, 2):
        rivals = [box for box in boxes if box[0] < right and box[2] > left]
        for top, bottom in combinations(ys, 2):
            area = (right - left) * (bottom - top)
            if area >= best_area and not any(b[1] < bottom and b[3] > top for b in rivals):
                best, best_area = (left, top, right, bottom), area
    return best


@given(
    st.lists(st.tuples(side, side, side, side), max_size=7),
    st.integers(0, 12),
    st.sampled_from([0.0, 0.01, 0.1, 0.3, 0.5, 1.0]),
)
def test_it_is_the_one_found_by_trying_all(rows, largest, share):
    # Boxes of at most a few pixels leave more windows to choose from.
    boxes = [
        (min(a, c), min(b, d), min(max(a, c), min(a, c) + largest) + 1, max(b, d) + 1)
        for a, b, c, d in rows
    ]
    assert largest_empty_window(boxes, 21, 21, share) == by_trying_all(boxes, 21, 21, share)


@given(st.lists(st.tuples(side, side, side, side), max_size=5))
def test_boxes_without_area_and_beyond_the_photo_do_no_harm(rows):
    boxes = [(a - 5, b - 5, a - 5 + c // 3, b - 5 + d // 3) for a, b, c, d in rows]
    window = largest_empty_window(boxes, 12, 12, 0.0)
    if window:
        x1, y1, x2, y2 = window
        assert 0 <= x1 < x2 <= 12
        assert 0 <= y1 < y2 <= 12
        assert not any(b[0] < x2 and b[2] > x1 and b[1] < y2 and b[3] > y1 for b in boxes)


@pytest.mark.parametrize("kind", ["scattered", "ring", "stairs", "grid"])
def test_its_time_does_not_explode_with_the_number_of_objects(kind):
    draws = random.Random(0)

    def corner(i):
        if kind == "stairs":
            return i, 300 - i
        if kind == "grid":
            return 30 * (i % 17), 20 * (i // 17)
        x, y = draws.random() * 500, draws.random() * 375
        if kind == "ring":
            x, y = [(x / 9, y), (500 - x / 9, y), (x, y / 9), (x, 375 - y / 9)][i % 4]
        return x, y

    def seconds(n):
        boxes = [(x, y, x + 1, y + 1) for x, y in map(corner, range(n))]
        return min(timeit.repeat(lambda: largest_empty_window(boxes, 500, 375), number=1, repeat=9))

    # Trying all takes a million times as long for 300 objects as for 10.
    assert seconds(300) < 50 * seconds(10)


@pytest.fixture
def photos(tmp_path):
    """Two photos of which only the second has room beside its objects, difficult ones too."""
    root = make_voc(tmp_path / "VOC2007", 2, 1)
    write_voc_xml(root, "000000", (120, 90), [("car", 1, 1, 60, 90), ("cat", 60, 1, 120, 90, 1)])
    write_voc_xml(root, "000001", (90, 120), [("sheep", 1, 1, 90, 60)])
    return DetectionDataset(read_split(root, "train"), 64, AugmentConfig.none(), progress=False)


def test_windows_are_cut_from_the_photo_and_hold_nothing(photos):
    windows = NegativeWindows(photos)
    assert windows.windows == [(1, (0, 60, 90, 120))]
    image, target = windows[0]
    assert target["boxes"].shape == (0, 4)
    assert target["labels"].tolist() == []
    cut = photos.cache[1].crop((0, 40, 60, 80))  # the cache holds smaller photos
    assert torch.equal(image, photos.pipeline(cut, torch.tensor([[0.0, 0, 60, 40]])).image)


def test_photos_come_with_a_share_of_windows_that_change(toy_voc):
    photos = DetectionDataset(read_split(toy_voc, "train"), 64, progress=False)
    both = WithNegatives(photos, 0.1)
    assert len(both) == 22
    assert torch.equal(both[3][0], photos[3][0])
    first = [both[i][0] for i in (20, 21)]
    both.set_epoch(1)
    assert not torch.equal(both[20][0], first[0])
    assert len(both[21][1]["labels"]) == 0
    assert both.lost.shape == (20, 2)
    assert len(WithNegatives(photos, 0.0)) == 20
    loader = train_loader(both, 11)
    assert sum(len(t["labels"]) == 0 for _, targets in loader for t in targets) == 2
