"""model/evaluation/per_photo.py: the CSV of predictions is read with suspicion."""

import numpy as np
import pandas as pd
import pytest

from model.errors import UserError
from model.evaluation.per_photo import COLUMNS, read_per_photo

CLASSES = ("car", "cat", "dog")


def table(**changed) -> pd.DataFrame:
    """Six photos, three of them cats; ``changed`` replaces columns."""
    columns = {
        "file_name": [f"00000{i}.jpg" for i in range(6)],
        "true_class": ["cat", "cat", "cat", "car", "car", "dog"],
        "predicted_class": ["cat", "dog", "dog", "car", "cat", "dog"],
        "score": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], "iou": [0.9, 0.3, 0.2, 0.8, 0.7, 0.6],
    }  # fmt: skip
    filled = {name: columns.get(name, [1.0] * 6) for name in COLUMNS}
    return pd.DataFrame(filled | changed)


@pytest.fixture
def written(tmp_path):
    def write(frame: pd.DataFrame):
        path = tmp_path / "photos.csv"
        frame.to_csv(path, index=False)
        return path

    return write


def test_counts_and_photos_agree(written):
    photos = read_per_photo(written(table()))
    matrix = photos.confusion(CLASSES)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 2], [0, 0, 1]]
    for row, true in enumerate(CLASSES):
        for column, predicted in enumerate(CLASSES):
            assert len(photos.behind(true, predicted)) == matrix[row, column]
    assert len(photos.behind()) == 6


def test_the_worst_come_first(written):
    photos = read_per_photo(written(table()))
    assert photos.behind("cat").file_name.tolist() == ["000002.jpg", "000001.jpg", "000000.jpg"]
    assert photos.behind("", "dog").file_name.tolist() == ["000002.jpg", "000001.jpg", "000005.jpg"]
    alike = read_per_photo(written(table(iou=[0.5] * 6)))
    assert alike.behind("cat", "dog").file_name.tolist() == ["000001.jpg", "000002.jpg"]


def test_a_photo_is_found_by_its_name(written):
    photos = read_per_photo(written(table(file_name=["'=1.jpg", *"bcdef"])))
    assert photos.row_of("=1").score == 0.9
    assert photos.row_of("b").predicted_class == "dog"
    assert photos.row_of("nope") is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"iou": [np.nan] + [0.5] * 5}, "iou is not a number everywhere"),
        ({"iou": ["x"] + [0.5] * 5}, "iou is not a number everywhere"),
        ({"score": [2.0] * 6}, "score has a value that cannot be"),
        ({"true_xmin": [np.inf] * 6}, "true_xmin has a value that cannot be"),
        ({"n_objects": [True] * 6}, "n_objects is not a number"),
        ({"file_name": ["a.jpg"] * 6}, "a photo is listed twice"),
        ({"true_class": [""] * 6}, "true_class holds something that is no name"),
        ({"true_class": ["x" * 1000] * 6}, "true_class holds something that is no name"),
        ({"predicted_class": ["a\x00b"] * 6}, "predicted_class holds something that is no name"),
    ],
)
def test_bad_values_get_one_sentence(written, changed, says):
    with pytest.raises(UserError, match=says) as refused:
        read_per_photo(written(table(**changed)))
    assert "--per-photo photos.csv" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_columns_must_be_there(written):
    with pytest.raises(UserError, match="no column iou"):
        read_per_photo(written(table().drop(columns="iou")))
    with pytest.raises(UserError, match="no rows"):
        read_per_photo(written(table().iloc[:0]))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b'"' * 50, b"a,b\n1,2,3,4\n", b"\x89PNG\r\n\x1a\n" * 9]
)
def test_what_is_no_csv_is_refused(tmp_path, content):
    path = tmp_path / "photos.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"photos\.csv"):
        read_per_photo(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_per_photo(tmp_path / "missing.csv")
    with pytest.raises(UserError, match="cannot be read"):
        read_per_photo(tmp_path)
