import pandas as pd
import pytest
import torch

from model.data.dataset import read_split
from model.evaluation.per_photo import read_per_photo
from model.evaluation.predict_dataset import NO_NEGATIVES, Negatives, Predictions
from model.evaluation.report import (
    accuracy_report,
    baseline_report,
    format_report,
    per_photo_table,
    photo_facts,
    score_report,
    score_sentence,
)
from model.loading.dataset import LargestObjectDataset
from model.score import Calibration


@pytest.fixture
def dataset(toy_voc):
    return LargestObjectDataset(read_split(toy_voc, "val"), 64, progress=False)


@pytest.fixture
def predictions(dataset):
    """Everything right, but for the class of the first photo and the box of the second."""
    targets = [dataset[i][1] for i in range(len(dataset))]
    boxes = torch.stack([box for box, _ in targets])
    classes = torch.stack([label for _, label in targets])
    predicted = torch.nn.functional.one_hot(classes, 20).float()
    predicted[0] = predicted[0].roll(1)
    moved = boxes.clone()
    moved[1] = torch.tensor([0.0, 0, 1, 1])
    evidence = torch.zeros(len(dataset), 4)
    evidence[:2, 0] = -5
    return Predictions(predicted, moved, evidence, classes, boxes, 64)


def test_facts_are_read_off_the_annotations(dataset):
    facts = photo_facts(dataset)
    assert facts.n_objects.tolist() == [2, 1, 1, 1, 2, 1, 1, 1, 2, 1]
    assert facts.area_share.tolist() == pytest.approx(
        dataset.frame.area_fraction.tolist(), abs=1e-5
    )
    assert (facts.second_share > 0).tolist() == (facts.n_objects > 1).tolist()


def test_every_table_covers_all_photos(dataset, predictions):
    report = accuracy_report(predictions, dataset, 20)
    assert report["metrics"]["joint"] == pytest.approx(0.8)
    for table in ("per_class", "by_size"):
        assert sum(row["n_images"] for row in report[table]) == 10
    counts = {row["group"]: row["n_images"] for row in report["by_objects"]}
    assert counts == {"one object": 7, "two or three objects": 3}


def test_the_score_is_judged_on_photos_and_on_windows_of_nothing(predictions):
    calibration = Calibration((1.0, 0.0, 0.0, 0.0), 2.0, 0.5)
    negatives = torch.tensor([[-9.0, 0, 0, 0], [9.0, 0, 0, 0], [-9.0, 0, 0, 0]])
    report = score_report(predictions, calibration, Negatives(negatives[:2], negatives))
    assert report["right_kept"] == 1
    assert report["negatives"] == {"n": 3, "refused": pytest.approx(2 / 3)}
    assert report["backgrounds"] == {"n": 2, "refused": 0.5}
    says = "refuses 50.0 % of 2 backgrounds and 66.7 % of 3 empty windows"
    assert score_sentence(report).endswith(f" and {says}")
    one = score_report(predictions, calibration, Negatives(negatives[:1], negatives[:0]))
    assert score_sentence(one).endswith(" and refuses 100.0 % of 1 background")
    assert sum(report["reliability"]["count"]) == 10
    without = score_report(predictions, calibration, NO_NEGATIVES)
    assert not {"negatives", "backgrounds"} & set(without)
    assert "refuses" not in score_sentence(without)


def test_one_row_a_photo_in_pixels_of_the_original(dataset, predictions):
    table = per_photo_table(predictions, dataset, None)
    frame = dataset.frame
    assert table.file_name.tolist() == frame.file_name.tolist()
    assert table.true_class.tolist() == frame.class_name.tolist()
    assert table.true_xmax.tolist() == pytest.approx(frame.xmax.tolist(), abs=0.1)
    assert table.iou.round(2).tolist()[2:] == [1.0] * 8
    assert table.predicted_class[0] != table.true_class[0]
    assert table.score.tolist() == [1.0] * 10
    scored = per_photo_table(predictions, dataset, Calibration((1.0, 0, 0, 0), 2.0, 0.5))
    assert scored.score[0] < 0.1 < scored.score[2]


def test_the_rows_are_read_back_as_they_were_written(dataset, predictions, tmp_path):
    table = per_photo_table(predictions, dataset, None)
    table.to_csv(tmp_path / "photos.csv", index=False)
    photos = read_per_photo(tmp_path / "photos.csv")
    assert photos.table.to_csv(index=False) == table.to_csv(index=False)
    report = accuracy_report(predictions, dataset, 20)
    assert photos.confusion(dataset.class_names).tolist() == report["confusion"]


def test_the_majority_baseline_is_fitted_elsewhere():
    fit = pd.DataFrame(
        {"class_name": ["c", "c", "b"], "xmin": 0, "ymin": 0, "xmax": [10, 20, 200],
         "ymax": [10, 20, 200], "width": 224, "height": 224}
    )  # fmt: skip
    true = torch.tensor([[0.0, 0, 20, 20], [0, 0, 22, 22]])
    nothing = torch.zeros(2, 4)
    predictions = Predictions(torch.zeros(2, 3), nothing, nothing, torch.tensor([2, 0]), true, 224)
    baseline = baseline_report(predictions, ("a", "b", "c"), fit, "train")
    assert baseline["fitted_on"] == "train"
    assert baseline["metrics"]["class_accuracy"] == 0.5
    assert baseline["metrics"]["l1_px_224"] == pytest.approx(0.5)
    assert baseline["metrics"]["mean_iou"] == pytest.approx((1 + 400 / 484) / 2)


def test_the_text_names_what_is_weak(dataset, predictions):
    report = {
        "checkpoint": "c.safetensors", "split": "val", "flip": False, "looks": 1.25,
        "precision": "fp32",
        **accuracy_report(predictions, dataset, 20),
        "majority_baseline": baseline_report(
            predictions, dataset.class_names, dataset.frame, "val"
        ),
        "score": score_report(
            predictions,
            Calibration((1.0, 0, 0, 0), 2.0, 0.5),
            Negatives(torch.empty(0, 4), torch.full((4, 4), -9.0)),
        ),
    }  # fmt: skip
    text = format_report(report)
    assert "two or three objects" in text
    assert "of the photo" in text
    assert "refuses 100.0 % of 4 empty windows" in text
    assert f"{report['majority_baseline']['metrics']['joint']:8.3f}" in text
