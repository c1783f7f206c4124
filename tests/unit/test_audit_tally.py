"""Counts and distributions against what can be had from all draws at once."""

import json

import numpy as np
import pandas as pd
import pytest

from model.augment import AugmentConfig
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.data.records import CSV_COLUMNS, DatasetSplit
from model.inspect.audit import tally as tally_module
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.measures import measure
from model.inspect.audit.tally import Tally, tallies, tally_of

NAMES = ("cat", "dog", "emu")


def random_split(photos: int, seed: int = 0, size: tuple[int, int] = (400, 300)) -> DatasetSplit:
    """Photos that are not there, of cats and dogs; nothing is an emu."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(photos):
        objects = []
        for _ in range(rng.integers(1, 5)):
            w, h = rng.uniform(30, 390), rng.uniform(30, 290)
            x, y = rng.uniform(0, size[0] - w), rng.uniform(0, size[1] - h)
            objects.append([NAMES[rng.integers(2)], x, y, x + w, y + h, 0])
        name, *box, _ = max(objects, key=lambda o: (o[3] - o[1]) * (o[4] - o[2]))
        rows.append([f"{number:06}.jpg", "train", *size, name, *box, len(objects), 0.1,
                     json.dumps(objects)])  # fmt: skip
    return DatasetSplit(pd.DataFrame(rows, columns=CSV_COLUMNS), "nowhere", 0, NAMES)  # type: ignore[arg-type]


CONFIG = AugmentConfig(rotation_degrees=40, zoom=2.5, erase=0.3)


@pytest.fixture(scope="module")
def table():
    return BoxTable.of(random_split(300), 96)


@pytest.fixture(scope="module")
def draws(table):
    return [measure(table, CONFIG, 5, epoch) for epoch in range(3)]


@pytest.fixture(scope="module")
def tally(table):
    return tally_of(table, CONFIG, 5, 3)


def all_of(draws, name: str, boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([getattr(draw, name)[boxes] for draw in draws])


@pytest.mark.parametrize("role", ["target", "other"])
@pytest.mark.parametrize("group", ["", "cat", "dog", "10 % to 20 % of the photo"])
def test_a_group_has_the_numbers_of_its_draws(role, group, table, draws, tally):
    boxes = table.is_target == (role == "target")
    if group in NAMES:
        boxes &= table.labels == NAMES.index(group)
    elif group:
        boxes &= (table.area_shares >= 0.1) & (table.area_shares < 0.2)
    assert boxes.any()
    found = tally.numbers(role, group)
    visible = all_of(draws, "visible", boxes)
    assert found.boxes == len(visible)
    assert found.cut == pytest.approx((visible < 0.5).mean())
    assert found.out == pytest.approx((visible < MIN_VISIBLE_TO_LABEL).mean())
    assert found.small_after == pytest.approx((all_of(draws, "after", boxes) < 16).mean())
    assert found.small_before == pytest.approx((all_of(draws, "before", boxes) < 16).mean())
    redrawn = [(draw.redraws > 0)[table.owners][boxes & table.is_target] for draw in draws]
    if role == "target":
        assert found.lost == pytest.approx(np.concatenate(redrawn).mean())
        assert found.lost > 0
    for name in ("visible", "growth", "iou", "before", "after"):
        values = all_of(draws, name, boxes)
        # Interpolation between order statistics is one thing, within a bin another.
        low, high = np.quantile(values, [0.47, 0.53])
        assert low - 0.006 * abs(low) - 0.006 <= found.median(name) <= high * 1.006 + 0.006, name


def test_a_class_without_object_has_no_row(tally):
    frame = tally.groups_frame()
    assert "emu" not in set(frame.name)
    assert tally.classes() == ["cat", "dog"]
    assert frame.query("role == 'target' and by == 'class'").boxes.sum() == 900
    assert not frame.isna().any(axis=None)


def test_nothing_is_done_where_all_is_off(table):
    numbers = tally_of(table, AugmentConfig.none(), 0, 2).numbers("target")
    assert (numbers.lost, numbers.gave_up, numbers.cut, numbers.out) == (0, 0, 0, 0)
    assert numbers.small_before == numbers.small_after
    for name, value in {"visible": 1, "growth": 0, "iou": 1}.items():
        assert numbers.quantiles[name] == (value,) * 5  # and no bin's middle


def test_the_worst_draw_of_a_photo_is_found_with_its_epoch(table, draws, tally):
    frame = tally.photos_frame()
    assert len(frame) == 300
    for index in range(0, 300, 17):
        target = table.starts[index]
        visible = [draw.visible[target] for draw in draws]
        growth = [draw.growth[target] for draw in draws]
        redraws = [draw.redraws[index] for draw in draws]
        row = frame.iloc[index]
        assert row.visible_least == pytest.approx(min(visible), abs=1e-4)
        assert row.visible_least_epoch == np.argmin(visible) + 1
        assert row.growth_most == pytest.approx(max(growth), abs=1e-4)
        assert row.growth_most_epoch == np.argmax(growth) + 1
        assert row.most_redraws == max(redraws)
        assert row.lost_share == pytest.approx(np.mean([n > 0 for n in redraws]), abs=1e-4)
        assert row.growth_mean == pytest.approx(np.mean(growth), abs=1e-4)
        x1, y1, x2, y2 = row[["xmin", "ymin", "xmax", "ymax"]]
        assert (x2 - x1) * (y2 - y1) / 400 / 300 == pytest.approx(row.area_fraction, abs=1e-3)


def test_centres_are_counted_once_a_draw(table, tally):
    assert tally.centres[0].sum() == 3 * len(table.boxes)
    assert tally.centres[1, 0].sum() == 900  # of targets some part is always visible
    flipped = tally_of(table, AugmentConfig(**NOTHING | {"flip_probability": 1}), 0, 1).centres
    assert np.abs(flipped[0, 0] - flipped[1, 0][:, ::-1]).sum() <= 4  # those on a border


NOTHING = json.loads(AugmentConfig.none().to_json())


def test_first_a_sample_then_the_rest_and_the_end_is_all(table, monkeypatch):
    monkeypatch.setattr(tally_module, "FIRST_PHOTOS", 50)
    monkeypatch.setattr(tally_module, "CHUNK", 100)
    done, boxes = [], []
    for found in tallies(table, CONFIG, 5, 3):
        done.append(found.done)
        boxes.append(found.numbers("target").boxes)
    assert done == [50, 150, 250, 300]
    assert boxes == [150, 450, 750, 900]
    whole = tally_of(BoxTable.of(random_split(300), 96), CONFIG, 5, 3)
    pd.testing.assert_frame_equal(found.groups_frame(), whole.groups_frame())
    pd.testing.assert_frame_equal(found.photos_frame(), whole.photos_frame())


def test_memory_does_not_grow_with_the_epochs(table):
    def held(tally: Tally) -> int:
        arrays = [*tally._flags.values(), *tally._histograms.values(), *tally._sums.values()]
        return sum(array.nbytes for array in arrays)

    assert held(tally_of(table, CONFIG, 0, 1)) == held(tally_of(table, CONFIG, 0, 4))
