"""model/example_boxes.py: true boxes of the photos that are shipped."""

import json

import pytest
from PIL import Image

from model.data.example_boxes import read_example_boxes
from model.data.samples import EXAMPLE_FOLDER
from model.errors import UserError

GOOD = {"class_name": "cat", "bbox_xyxy": [1, 2, 30, 20]}


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    return tmp_path


def write(folder, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "boxes.json").write_text(text)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not readable JSON"),
        ("{", "not readable JSON"),
        ("[" * 100_000, "not readable JSON"),
        ("[]", "must map each photo"),
        ({"a.png": {}}, "must map each photo"),
        ({"b.png": []}, "no such photo"),
        ({"../a.png": []}, "no such photo"),
        ({"a.png": ["cat"]}, "class_name and bbox_xyxy"),
        ({"a.png": [{"class_name": "cat"}]}, "class_name and bbox_xyxy"),
        ({"a.png": [GOOD | {"box": 1}]}, "class_name and bbox_xyxy"),
        ({"a.png": [GOOD | {"class_name": " "}]}, "no name of a class"),
        ({"a.png": [GOOD | {"class_name": ["cat"]}]}, "no name of a class"),
        ({"a.png": [GOOD | {"difficult": 1}]}, "true or false"),
        ({"a.png": [GOOD | {"bbox_xyxy": "1, 2, 3, 4"}]}, "four numbers"),
        ({"a.png": [GOOD | {"bbox_xyxy": [1, 2, 3]}]}, "four numbers"),
        ({"a.png": [GOOD | {"bbox_xyxy": [1, 2, 3, True]}]}, "four numbers"),
        ({"a.png": [GOOD | {"bbox_xyxy": [1, 2, 3, float("nan")]}]}, "four numbers"),
        ({"a.png": [GOOD | {"bbox_xyxy": [0, 0, 41, 30]}]}, "outside the 40 x 30 photo"),
        ({"a.png": [GOOD | {"bbox_xyxy": [-1, 0, 40, 30]}]}, "outside the 40 x 30 photo"),
        ({"a.png": [GOOD | {"bbox_xyxy": [9, 0, 9, 30]}]}, "no area"),
    ],
)
def test_bad_files_get_one_sentence_that_names_the_file(folder, content, says):
    write(folder, content)
    with pytest.raises(UserError, match=says) as caught:
        read_example_boxes(folder)
    assert "boxes.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text(folder):
    (folder / "boxes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not readable JSON"):
        read_example_boxes(folder)


def test_no_file_means_nobody_looked(folder):
    assert read_example_boxes(folder) == {}


def test_objects_are_read_in_order(folder):
    write(folder, {"a.png": [GOOD, GOOD | {"difficult": True}]})
    first, second = read_example_boxes(folder)["a.png"]
    assert first.bbox_xyxy == (1, 2, 30, 20)
    assert (first.difficult, second.difficult) == (False, True)


def test_every_shipped_photo_is_annotated_credited_and_small():
    photos = {path.name: path for path in EXAMPLE_FOLDER.glob("*.jpg")}
    boxes = read_example_boxes(EXAMPLE_FOLDER)
    assert set(boxes) == set(photos)
    credits = (EXAMPLE_FOLDER / "README.md").read_text()
    for name, path in photos.items():
        assert f"`{name}`" in credits
        assert path.stat().st_size < 90_000


def test_the_shipped_photos_show_what_a_newcomer_should_see():
    boxes = read_example_boxes(EXAMPLE_FOLDER)
    assert boxes["balloon.jpg"] == ()
    smaller, larger = sorted(o.area for o in boxes["dogs.jpg"])
    assert smaller > 0.5 * larger
    assert {o.class_name for objects in boxes.values() for o in objects} == {
        "bird", "car", "cat", "dog", "person",
    }  # fmt: skip
