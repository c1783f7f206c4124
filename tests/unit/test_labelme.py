"""model/data/formats/labelme.py: one JSON a photo, of LabelMe and Supervisely."""

import json
from pathlib import Path

import pytest
from commands import run_here
from own_data import SIZE, photo

from model.data.dataset import Dataset

BOX = (10, 20, 40, 60)
RECTANGLE = {"label": "cat", "points": [[40, 60], [10, 20]], "shape_type": "rectangle"}


def make(root: Path, *shapes: dict) -> Path:
    photo(root / "a.jpg")
    content = {"shapes": shapes, "imagePath": r"..\x\a.jpg", "imageData": "A" * 99}
    size = {"imageWidth": SIZE[0], "imageHeight": SIZE[1]}
    (root / "a.json").write_text(json.dumps(content | size))
    return root


def objects(dataset: Dataset) -> list[tuple]:
    return [(o.class_name, o.bbox_xyxy) for o in dataset.find("a").image.objects]


def test_check_reads_it(tmp_path):
    done = run_here("-m", "model.dataset", "check", "--data", make(tmp_path, RECTANGLE))
    assert done.returncode == 0
    assert "labelme, 1 class: cat" in done.stdout


@pytest.mark.parametrize(
    "shape",
    [
        RECTANGLE,
        {"label": "cat", "points": [[10, 30], [40, 20], [20, 60]], "shape_type": "polygon"},
        {"label": " cat", "points": [[10, 20], [40, 60]]},
        {"label": "cat", "points": [[10, 20], [40, 60]], "shape_type": "mask", "mask": "iVBO"},
    ],
)
def test_the_hull_of_a_shape_is_the_box(tmp_path, shape):
    assert objects(Dataset(make(tmp_path, shape))) == [("cat", BOX)]


def test_a_circle_has_a_middle_and_a_point_on_its_edge(tmp_path):
    circle = {"label": "cat", "points": [[30, 40], [33, 44]], "shape_type": "circle"}
    assert objects(Dataset(make(tmp_path, circle))) == [("cat", (25, 35, 35, 45))]


def test_supervisely(tmp_path):
    photo(tmp_path / "train/img/a.png")
    points = {"exterior": [[10, 20], [40, 60]], "interior": []}
    thing = {"classTitle": "cat", "geometryType": "rectangle", "points": points}
    content = {"size": {"width": SIZE[0], "height": SIZE[1]}, "objects": [thing]}
    (tmp_path / "train/ann").mkdir()
    (tmp_path / "train/ann/a.png.json").write_text(json.dumps(content))
    (tmp_path / "meta.json").write_text('{"classes": []}')
    dataset = Dataset(tmp_path)
    assert (objects(dataset), dataset.blemishes) == ([("cat", BOX)], [])
    assert dataset.splits == ["train", "trainval"]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"points": [[1, 2]]}, "object without box"),
        ({"points": [[1, 2], ["x", 4]]}, "object without box"),
        ({"points": None}, "object without box"),
        ({"shape_type": "line"}, "object without box"),
        ({"shape_type": ["rectangle"]}, "object without box"),
        ({"shape_type": {"a": 1}}, "object without box"),
        ({"label": None}, "object without class"),
    ],
)
def test_a_bad_shape_costs_itself(tmp_path, changes, kind):
    dataset = Dataset(make(tmp_path, RECTANGLE, RECTANGLE | changes))
    assert objects(dataset) == [("cat", BOX)]
    assert [blemish.kind for blemish in dataset.blemishes][-1] == kind


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 1}', '{"shapes": [1]}'])
def test_a_broken_file_is_no_background(tmp_path, text):
    make(tmp_path, RECTANGLE)
    photo(tmp_path / "b.jpg", shade=1)
    (tmp_path / "b.json").write_text(text)
    dataset = Dataset(tmp_path)
    assert [p.image.file_name for p in dataset.photos] == ["a.jpg"]
    assert "annotation unreadable" in [blemish.kind for blemish in dataset.blemishes]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("轿车", "gbk"), ("ネコ", "shift_jis"), ("Bär", "cp1252"), ("cat", "gbk"), ("猫", "utf-16")],
)
def test_other_encodings_are_read(tmp_path, name, encoding):
    """As LabelMe wrote its files on Windows: nothing in them says which encoding it is."""
    make(tmp_path, RECTANGLE | {"label": name})
    path = tmp_path / "a.json"
    content = json.loads(path.read_text())
    if name == "cat":
        content["imagePath"] = "照片.jpg"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding)
    dataset = Dataset(tmp_path)
    assert objects(dataset) == [(name, BOX)]
    noted = [b.where for b in dataset.blemishes if b.kind == "other encoding"]
    assert noted == ([] if encoding == "utf-16" else ["a.jpg"])
