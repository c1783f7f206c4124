import numpy as np
import pytest
from conftest import make_voc
from PIL import Image

from model.augment import AugmentConfig
from model.data.dataset import read_split
from model.loading.dataset import DetectionDataset
from model.training.first_sheet import draw_augmented


@pytest.mark.parametrize(("photos", "columns", "rows"), [(20, 4, 4), (6, 4, 2), (3, 3, 1)])
def test_the_sheet_shows_what_the_first_epoch_trains_on(photos, columns, rows, tmp_path):
    split = read_split(make_voc(tmp_path / "voc", photos, 1), "train")
    config = AugmentConfig(rotation_degrees=20, zoom=3, min_visible=0.9)
    dataset = DetectionDataset(split, 64, config, 7, tmp_path, progress=False)
    draw_augmented(dataset, tmp_path / "augmented.png")
    assert not dataset.lost.any()
    drawn = np.asarray(Image.open(tmp_path / "augmented.png"))
    assert drawn.shape == (64 * rows, 64 * columns, 3)
    trace = dataset.pipeline.trace(*dataset.photo(0)[:2], dataset.photo_seed(0))
    canvas = np.asarray(trace.steps[-1].image)
    same = (drawn[:64, :64] == canvas).all(axis=-1)
    x1, y1, x2, y2 = trace.steps[-1].bbox_xyxy.round().int().tolist()
    assert not same.all()
    if len(dataset.photo(0)[1]) == 1:  # all that was changed is the box and its label
        assert same[y2 + 4 :].all()
        assert same[y1 + 20 : y2 - 5, x1 + 5 : x2 - 5].all()
