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


@given(st.lists(st.tuples(side, side, side, side), max_size=4))
def test_it_touches_nothing_and_nothing_larger_would_do(rows):
    boxes = [(min(a, c), min(b, d), max(a, c) + 1, max(b, d) + 1) for a, b, c, d in rows]
    found = largest_empty_window(boxes, 21, 21, min_share=0.0)

    def is_empty(w):
        return not any(b[0] < w[2] and b[2] > w[0] and b[1] < w[3] and b[3] > w[1] for b in boxes)

    def area(w):
        return (w[2] - w[0]) * (w[3] - w[1])

    best = area(found) if found else 0
    assert found is None or is_empty(found)
    corners = range(0, 22, 3)
    for left in corners:
        for top in corners:
            for right in range(left + 3, 22, 3):
                for bottom in range(top + 3, 22, 3):
                    window = (left, top, right, bottom)
                    assert area(window) <= best or not is_empty(window)


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
