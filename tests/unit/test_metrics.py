import numpy as np
import pandas as pd
import pytest
import torch

from model.evaluation.metrics import (
    PerImage,
    bootstrap_intervals,
    confusion_matrix,
    crowd_groups,
    group_scores,
    per_image_scores,
    size_groups,
    summarize,
)

SCORES = PerImage(
    true_class=np.array([0, 0, 0, 1]),
    predicted_class=np.array([0, 0, 1, 0]),
    l1_px=np.array([1.0, 2, 3, 6]),
    iou=np.array([0.5, 0.49, 0.9, 0.1]),
)


def test_summary_by_hand():
    assert summarize(SCORES) == pytest.approx({
        "class_accuracy": 2 / 4, "macro_accuracy": (2 / 3 + 0) / 2, "l1_px_224": 3.0,
        "mean_iou": 1.99 / 4, "iou_50": 2 / 4, "joint": 1 / 4,
    })  # fmt: skip


@pytest.mark.parametrize("size", [112, 224, 448])
def test_l1_is_that_of_a_224_canvas_and_iou_of_any(size):
    true = torch.tensor([[0.0, 0, size / 2, size / 2]])
    scores = per_image_scores(torch.tensor([1]), true + size / 224, torch.tensor([1]), true, size)
    assert scores.l1_px.tolist() == pytest.approx([1.0])
    assert scores.iou[0] == pytest.approx(111**2 / (2 * 112**2 - 111**2), rel=1e-5)


def test_per_class_and_confusion():
    by_class = {name: SCORES.true_class == i for i, name in enumerate(("ant", "bee", "cow"))}
    rows = group_scores(SCORES, by_class)
    assert [r["group"] for r in rows] == ["ant", "bee"]  # no cow occurs
    assert rows[0]["n_images"] == 3
    assert rows[0]["joint"] == pytest.approx(1 / 3)
    assert confusion_matrix(SCORES, 3).tolist() == [[2, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_sizes_part_the_photos():
    share = np.array([0.0, 0.049, 0.05, 0.39, 0.7, 1.0])
    groups = size_groups(share)
    assert sum(mine.astype(int) for mine in groups.values()).tolist() == [1] * 6
    assert groups["0 % to 5 % of the photo"].tolist() == [True, True] + [False] * 4
    assert groups["70 % to 100 % of the photo"].tolist() == [False] * 4 + [True, True]


def test_numbers_of_objects_and_rivals():
    groups = crowd_groups(
        pd.DataFrame({"n_objects": [1, 2, 3, 9], "second_share": [0.0, 0.9, 0.5, 0.6]})
    )
    assert [mine.tolist().count(True) for mine in groups.values()] == [1, 2, 1, 2]
    assert groups["second more than half as large"].tolist() == [False, True, False, True]


def test_intervals_hold_the_mean_and_narrow_with_more_images():
    few = bootstrap_intervals(SCORES, 200)
    many = bootstrap_intervals(PerImage(*(np.tile(v, 50) for v in vars(SCORES).values())), 200)
    for key, value in summarize(SCORES).items():
        assert few[key][0] <= value <= few[key][1]
        assert many[key][1] - many[key][0] < few[key][1] - few[key][0]
