import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.augment import AugmentConfig
from model.boxes import box_areas, clip_boxes
from model.data.dataset import read_split
from model.loading.close_ups import FACTORS, LEAST, MIN_SIDE, OFF_CENTRE, UNEVEN, WithCloseUps
from model.loading.close_ups import _choose as choose
from model.loading.close_ups import _window as window_of
from model.loading.dataset import DetectionDataset

shares = st.floats(0, 1, exclude_max=True)


@pytest.fixture
def split(toy_voc):
    return read_split(toy_voc, "train")


def dataset(split, share: float, **settings) -> WithCloseUps:
    return WithCloseUps(split, 64, progress=False, share=share, **settings)


@given(
    st.tuples(st.integers(30, 500), st.integers(30, 500)),
    st.tuples(shares, shares, shares, shares),
    st.tuples(shares, shares, shares, shares, shares),
)
def test_a_window_lies_in_the_photo_and_shows_the_object(size, corners, drawn):
    width, height = size
    left, right = sorted(c * (width - 1) for c in corners[:2])
    top, bottom = sorted(c * (height - 1) for c in corners[2:])
    box = np.array([left, top, right + 1, bottom + 1])
    x1, y1, x2, y2 = window_of(box, size, np.array(drawn))
    assert 0 <= x1 < x2 <= width
    assert 0 <= y1 < y2 <= height
    sides = box[2:] - box[:2]
    most = np.maximum(sides * FACTORS[1] * (1 + UNEVEN), LEAST * np.array(size))
    assert x2 - x1 <= most[0] + 1
    assert y2 - y1 <= most[1] + 1
    # The smallest window, as far from the middle as it gets, still shows most of the object.
    cut = clip_boxes(torch.tensor(box[None]) - torch.tensor([x1, y1, x1, y1]), (y2 - y1, x2 - x1))
    least = min(1.0, (FACTORS[0] * (1 - UNEVEN) + 1) / 2 - OFF_CENTRE) ** 2
    rounded = (sides.prod() - (sides - 1).clip(0).prod()) * 2
    assert float(box_areas(cut)) >= least * sides.prod() - rounded - 1e-6


def test_the_largest_usable_object_is_chosen_most_often():
    assert choose([], 0.0, 0.0) is None
    assert choose([2, 5], 0.1, 0.9) == 2
    assert choose([2, 5], 0.9, 0.9) == 5
    assert choose([2, 5], 0.9, 0.1) == 2


def test_without_any_it_is_the_data_set_as_it_was(split):
    plain = DetectionDataset(split, 64, AugmentConfig(), progress=False)
    none = dataset(split, 0.0, augment=AugmentConfig())
    assert none.large is None
    for index in range(len(plain)):
        assert torch.equal(plain[index][0], none[index][0])


def test_a_share_of_the_photos_is_shown_from_close_others_each_epoch(split):
    plain, half = DetectionDataset(split, 64, progress=False), dataset(split, 0.5)
    changed = []
    for epoch in range(8):
        half.set_epoch(epoch)
        changed.append([not torch.equal(plain[i][0], half[i][0]) for i in range(len(plain))])
    usable = np.any(changed, axis=0)
    assert 0.3 < np.mean(np.array(changed)[:, usable]) < 0.7
    assert len(set(map(tuple, changed))) > 4
    half.set_epoch(3)
    again = [not torch.equal(plain[i][0], half[i][0]) for i in range(len(plain))]
    assert again == changed[3]


def test_the_object_in_the_middle_is_the_target_and_shown_larger(split):
    plain, close = DetectionDataset(split, 64, progress=False), dataset(split, 1.0)
    seen = 0
    for index in range(len(plain)):
        whole, near = plain[index][1], close[index][1]
        size = close.objects[index].boxes[:, 2:] - close.objects[index].boxes[:, :2]
        if size.amin() < MIN_SIDE:
            continue
        seen += 1
        assert near["labels"][0] in whole["labels"]
        assert set(near["labels"].tolist()) <= set(whole["labels"].tolist())
        boxes = near["boxes"]
        assert (boxes >= 0).all()
        assert (boxes <= 64 + 1e-3).all()
        centre = (boxes[0, :2] + boxes[0, 2:]) / 2
        shown = plain.objects[index].sides[:2]
        if (size[0] * FACTORS[1] * (1 + UNEVEN) < shown / 2).all():  # not cut by the border
            assert (box_areas(boxes[:1]) > box_areas(whole["boxes"][:1])).all()
        assert (centre > 8).all()
        assert (centre < 56).all()
    assert seen
