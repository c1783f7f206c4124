import random
import timeit
from itertools import combinations
from types import SimpleNamespace

import pytest
import torch
from conftest import SIZES, make_voc, write_voc_xml
from hypothesis import given
from hypothesis import strategies as st
from own_data import damage

from model.augment import AugmentConfig, working_side
from model.data.dataset import read_split
from model.data.empty_window import largest_empty_window
from model.data.images import load_fitted
from model.errors import UserError
from model.evaluation import predict_dataset
from model.loading.dataset import DetectionDataset, train_loader
from model.loading.negatives import Backgrounds, NegativeWindows, WithNegatives

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


@pytest.fixture
def with_backgrounds(tmp_path):
    """Twelve photos of which the first, fourth and sixth are backgrounds, and two to validate."""
    root = make_voc(tmp_path / "VOC2007", 12, 2)
    for number in (0, 3, 5):
        write_voc_xml(root, f"{number:06d}", SIZES[number % 3], [])
    return root


def open_split(root, split="train"):
    return DetectionDataset(
        read_split(root, split), 64, AugmentConfig.none(), cache_dir=root / "cache", progress=False
    )


def whole_photo(dataset, root, number):
    """What a photo looks like to the network."""
    image = load_fitted(root / f"JPEGImages/{number:06d}.jpg", working_side(64)).image
    return dataset.pipeline(image, torch.tensor([[0.0, 0, image.width, image.height]])).image


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, [[], []]), (0.11, [[0], [3]]), (0.25, [[0, 3], [5, 0]]), (0.34, [[0, 3, 5]] * 2)],
)
def test_backgrounds_are_the_negatives_where_there_are_enough(with_backgrounds, share, shown):
    photos = open_split(with_backgrounds)
    both = WithNegatives(photos, share)
    assert both.windows == []
    for epoch, numbers in enumerate(shown):
        both.set_epoch(epoch)
        assert len(both) == 9 + len(numbers)
        for place, number in enumerate(numbers):
            image, target = both[9 + place]
            assert torch.equal(image, whole_photo(photos, with_backgrounds, number))
            assert target["boxes"].shape == (0, 4)
            assert target["labels"].tolist() == []


def test_windows_supplement_backgrounds(with_backgrounds):
    photos = open_split(with_backgrounds)
    both = WithNegatives(photos, 0.5)
    windows = NegativeWindows(photos)
    assert (both.n_backgrounds, both.n_windows) == (3, 1)
    assert len(both) == 13
    for epoch in range(2):
        both.set_epoch(epoch)
        assert torch.equal(both[12][0], windows[epoch][0])
    assert both.in_words() == (
        f"without object, an epoch shows 3 of 3 backgrounds and 1 of {len(windows)} empty windows"
    )
    assert len(NegativeWindows(photos, 1)) == 1
    assert len(NegativeWindows(photos, 0)) == 0


def test_photos_that_cannot_be_decoded_are_left_out_whatever_they_show(with_backgrounds):
    for number in (1, 3, 11, 12):
        damage(with_backgrounds / f"JPEGImages/{number:06d}.jpg")
    photos = open_split(with_backgrounds)
    assert list(photos.unreadable) == ["000001.jpg", "000011.jpg", "000003.jpg"]
    assert photos.frame.file_name.tolist() == [f"{n:06d}.jpg" for n in (2, 4, 6, 7, 8, 9, 10)]
    assert photos.backgrounds.file_name.tolist() == ["000000.jpg", "000005.jpg"]
    assert photos.left_out().startswith("left out 3 photos that cannot be decoded (")
    assert photos.left_out().endswith("): 000001.jpg, 000011.jpg, 000003.jpg.")
    names = [file.name for file in photos.files]
    assert names == photos.frame.file_name.tolist()
    for index, name in enumerate(names):
        number = int(name[:6])
        image, target = photos[index]
        assert torch.equal(image, whole_photo(photos, with_backgrounds, number))
        assert target["labels"][0] == photos.class_names.index(photos.frame.class_name[index])
    backgrounds = Backgrounds(photos)
    assert len(backgrounds) == 2
    assert torch.equal(backgrounds[1][0], whole_photo(photos, with_backgrounds, 5))
    assert list(open_split(with_backgrounds, "val").unreadable) == ["000012.jpg"]


def test_many_photos_that_cannot_be_decoded_are_counted(tmp_path):
    root = make_voc(tmp_path / "VOC2007", 14, 1)
    for number in range(12):
        damage(root / f"JPEGImages/{number:06d}.jpg")
    text = open_split(root).left_out()
    assert "left out 12 photos" in text
    assert "000009.jpg" in text
    assert "000010.jpg" not in text
    assert text.endswith(" 000009.jpg and 2 more.")
    damage(root / f"JPEGImages/{14:06d}.jpg")
    with pytest.raises(UserError, match=r"no photo with an object is left: left out 1 photo that"):
        open_split(root, "val")


def test_only_backgrounds_that_can_be_read_are_nothing_to_learn_from(with_backgrounds):
    for number in (1, 2, 4, 6, 7, 8, 9, 10, 11):
        damage(with_backgrounds / f"JPEGImages/{number:06d}.jpg")
    for _ in range(2):
        with pytest.raises(UserError, match="no photo with an object is left: left out 9 photos"):
            open_split(with_backgrounds)


def test_evaluation_sees_all_backgrounds_and_windows_where_photos_are_more(
    with_backgrounds, monkeypatch
):
    shown = []

    def predict(_model, part, *_):
        shown.append([part[i][0] for i in range(len(part))])
        return SimpleNamespace(evidence=torch.full((len(part), 4), float(len(shown))))

    monkeypatch.setattr(predict_dataset, "predict_dataset", predict)
    photos = open_split(with_backgrounds)
    found = predict_dataset.predict_negatives(None, photos, None)
    assert [len(part) for part in shown] == [3, len(NegativeWindows(photos, 6))]
    for image, number in zip(shown[0], (0, 3, 5), strict=True):
        assert torch.equal(image, whole_photo(photos, with_backgrounds, number))
    assert found.all[:, 0].tolist() == [1.0] * 3 + [2.0] * len(shown[1])
    for number in (1, 2, 4, 6, 7, 8):  # now there are as many backgrounds as photos
        write_voc_xml(with_backgrounds, f"{number:06d}", SIZES[number % 3], [])
    shown.clear()
    found = predict_dataset.predict_negatives(None, open_split(with_backgrounds), None)
    assert (len(found.backgrounds), len(found.windows)) == (9, 0)
    assert len(shown) == 1
