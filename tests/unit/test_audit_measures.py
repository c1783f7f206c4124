"""The audit's numbers are those of the boxes that training draws: photo by photo."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import make_voc
from own_data import make_yolo

from model.augment import AugmentConfig
from model.augment.presets import PRESETS
from model.data.dataset import read_split
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.measures import measure
from model.loading.dataset import DetectionDataset

LOST_OFTEN = AugmentConfig(
    rotation_degrees=180, zoom=1.5, min_visible=1, shear_degrees=30, box_rule="hull"
)
CONFIGS = {preset.name: preset.config for preset in PRESETS} | {
    "lost often": LOST_OFTEN,
    "erased": AugmentConfig(erase=0.5, perspective=0.5, box_rule="hull"),
}


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    return read_split(make_voc(tmp_path_factory.mktemp("audited"), 12, 3), "train")


@pytest.mark.parametrize("name", CONFIGS)
def test_numbers_are_those_of_what_training_draws(name, voc, tmp_path):
    config, size, seed = CONFIGS[name], 64, 11
    dataset = DetectionDataset(voc, size, config, seed, tmp_path, progress=False)
    table = BoxTable.of(voc, size)
    for epoch in (0, 1, 7):
        dataset.set_epoch(epoch)
        found = measure(table, config, seed, epoch)
        for index in range(len(dataset)):
            sample, labels = dataset.sample(index)
            mine = table.of_photo(index)
            assert table.labels[mine].tolist() == labels.tolist()
            assert (found.redraws[index], found.gave_up[index]) == (sample.redraws, sample.gave_up)
            np.testing.assert_allclose(found.bbox_xyxy[mine], sample.bbox_xyxy, atol=1e-4)
            np.testing.assert_allclose(found.visible[mine], sample.visible, atol=1e-5)
            image, boxes, _ = dataset.photo(index)
            trace = dataset.pipeline.trace(image, boxes, dataset.photo_seed(index))
            canvas, target = trace.steps[-1], mine.start
            assert found.growth[target] == pytest.approx(canvas.growth, abs=1e-6)
            assert found.iou[target] == pytest.approx(canvas.hull_ellipse_iou, abs=1e-6)
            x1, y1, x2, y2 = canvas.bbox_xyxy.tolist()
            assert found.after[target] == pytest.approx(min(x2 - x1, y2 - y1), abs=1e-4)
            expected = [(x1 + x2) / 2 / size, (y1 + y2) / 2 / size]
            np.testing.assert_allclose(found.centre[target], expected, atol=1e-5)


def test_settings_that_lose_boxes_are_among_those_compared(voc):
    """Else the comparison above would say little."""
    found = measure(BoxTable.of(voc, 64), LOST_OFTEN, 11, 0)
    assert (found.redraws > 0).any()
    assert found.gave_up.any()


def test_size_before_is_that_of_a_box_to_which_nothing_is_done(voc):
    table = BoxTable.of(voc, 64)
    nothing = measure(table, AugmentConfig.none(), 0, 0)
    np.testing.assert_allclose(nothing.before, nothing.after, atol=1e-4)
    np.testing.assert_allclose(nothing.growth, 0, atol=1e-9)
    assert (nothing.visible > 0.999999).all()
    much = measure(table, LOST_OFTEN, 0, 0)
    assert np.array_equal(much.before, nothing.before)


def test_some_photos_alone_give_the_numbers_they_have_among_all(voc):
    table = BoxTable.of(voc, 64)
    chosen = np.array([7, 0, 4])
    few, some, all_ = table.take(chosen), None, measure(table, LOST_OFTEN, 3, 2)
    some = measure(few, LOST_OFTEN, 3, 2)
    rows = np.concatenate([np.arange(len(table.boxes))[table.of_photo(i)] for i in chosen])
    assert few.names.tolist() == table.names[chosen].tolist()
    assert np.array_equal(few.owners, [0] * (few.starts[1]) + [1] * (few.starts[2] - few.starts[1])
                          + [2] * (few.starts[3] - few.starts[2]))  # fmt: skip
    assert few.is_target.sum() == 3
    for name in ("bbox_xyxy", "visible", "growth", "iou", "before", "after", "centre"):
        np.testing.assert_allclose(getattr(some, name), getattr(all_, name)[rows], atol=1e-9)


def test_photos_without_object_and_difficult_ones_are_no_boxes(tmp_path):
    root = make_yolo(tmp_path, {"a": "0 .5 .5 .4 .4\n1 .5 .5 .6 .6", "b": "", "c": "1 .2 .2 .2 .2"})
    split = read_split(root, "train")
    table = BoxTable.of(split, 64)
    assert table.names.tolist() == ["train/a.jpg"]
    assert table.labels.tolist() == [1, 0]  # the larger first
    assert table.area_shares == pytest.approx([0.36, 0.16])
    frame = split.frame.assign(
        objects='[["cat", 0, 0, 9, 9, 1], ["dog", 0, 0, 5, 5, 0], ["cat", 0, 0, 4, 6, 0]]'
    )
    table = BoxTable.of(dataclasses.replace(split, frame=frame), 64)
    assert table.labels.tolist() == [1, 0]
    assert torch.tensor(table.targets).shape == (1, 4)
