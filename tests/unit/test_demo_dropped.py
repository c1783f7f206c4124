"""Many files that came together: photos, and what annotations of any format say of them."""

import json
import sys
from pathlib import Path

import pytest
from conftest import write_voc_xml
from PIL import Image

from demo.choice import UploadedFile
from demo.dropped import as_dataset_folder, plain_name
from model.errors import UserError

COCO = {
    "images": [
        {"id": n, "file_name": f"{n}.jpg", "width": 100, "height": 80} for n in range(40)
    ],
    "annotations": [{"id": 1, "image_id": 0, "category_id": 2, "bbox": [10, 20, 40, 40]}],
    "categories": [{"id": 2, "name": "mug"}],
}  # fmt: skip


@pytest.fixture
def sent(tmp_path):
    """As the server has files: under other names than they were sent by."""

    def send(files: dict[str, str | None]) -> list[UploadedFile]:
        found = []
        for number, (name, text) in enumerate(files.items()):
            path = tmp_path / f"upload{number}.jpg"
            if text is None:
                Image.new("RGB", (100, 80), (200, 90, number)).save(path)
            else:
                path.write_text(text)
            found.append(UploadedFile(path, name))
        return found

    return send


def said(files: list[UploadedFile]) -> dict[str, object]:
    """By photo: names of its objects, ``None`` for the detector's, or why it is left out."""
    with as_dataset_folder(files) as dropped:
        known = {f.name: [o.class_name for o in p.image.objects] for f, p in dropped.known.items()}
        why = {file.name: words for file, words in dropped.problems.items()}
        return {**known, **why, **{file.name: None for file in dropped.unknown}}


def test_a_yolo_set_with_its_folders(sent):
    """No label file: the detector is asked. An empty one: a background."""
    files = {
        "set/images/train/a.jpg": None, "set/labels/train/a.txt": "1 0.3 0.5 0.4 0.5\n",
        "set/images/train/b.jpg": None, "set/labels/train/b.txt": "",
        "set/images/train/c.jpg": None, "set/data.yaml": "names: [cup, mug]\n",
    }  # fmt: skip
    assert said(sent(files)) == {"a.jpg": ["mug"], "b.jpg": [], "c.jpg": None}


def test_a_coco_file_that_names_more_photos_than_came(sent):
    files = {"0.jpg": None, "1.jpg": None, "other.jpg": None, "all.json": json.dumps(COCO)}
    assert said(sent(files)) == {"0.jpg": ["mug"], "1.jpg": [], "other.jpg": None}


def test_a_broken_annotation_leaves_its_photo_out_and_no_other(sent, tmp_path):
    good = write_voc_xml(tmp_path, "a", (100, 80), [("cat", 10, 20, 60, 70)]).read_text()
    other = good.replace("<width>100<", "<width>300<")
    files = {
        "a.jpg": None, "a.xml": good, "b.jpg": None, "b.xml": "<annotation>",
        "c.jpg": None, "c.xml": other.replace("a.jpg", "c.jpg"), "d.jpg": None,
    }  # fmt: skip
    found = said(sent(files))
    assert found["a.jpg"] == ["cat"]
    assert found["d.jpg"] is None
    assert str(found["b.jpg"]).startswith("b.jpg: the annotation cannot be read")
    assert str(found["c.jpg"]).startswith("c.jpg: annotated on a photo of another shape")
    assert str(tmp_path.anchor + "tmp") not in " ".join(map(str, found.values()))


def test_files_that_are_no_annotation_are_said_to_be_none(sent):
    with as_dataset_folder(sent({"a.jpg": None, "README.txt": "hello"})) as dropped:
        assert dropped.note == "No annotation of VOC, YOLO, COCO or LabelMe is among 1 other file."
        assert dropped.unknown == dropped.files


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"a.jpg": None, "a.txt": "0 0.3 0.5 0.4 0.5", "all.json": json.dumps(COCO)},
            "annotations of yolo and coco: send those of one format",
        ),
        ({"a.jpg": None, "x/data.yaml": "names: ["}, "^x/data.yaml is not readable YAML"),
    ],
)
def test_what_concerns_all_photos_is_one_sentence(sent, files, sentence):
    with pytest.raises(UserError, match=sentence), as_dataset_folder(sent(files)):
        pass


def test_files_of_one_name_lie_in_different_folders(sent):
    first, second, third = sent({"a/cat.jpg": None, "b": None, "../../x/.cat": None})
    with as_dataset_folder([first, UploadedFile(second.path, first.name), third]) as dropped:
        assert len(set(dropped.files)) == 3
        assert all(file.is_file() and file.is_relative_to(dropped.root) for file in dropped.files)
    assert not Path(dropped.root).exists()


def test_annotations_that_would_take_long_are_refused(sent, monkeypatch):
    monkeypatch.setattr("demo.dropped.MAX_ANNOTATION_BYTES", 1000)
    files = {"a.jpg": None, "a.txt": "0 .5 .5 .1 .1\n" * 40, "b.txt": "0 .5 .5 .1 .1\n" * 40}
    with pytest.raises(UserError, match="larger than"), as_dataset_folder(sent(files)):
        pass
    monkeypatch.undo()
    files = {"a.jpg": None, "a.txt": "\n" * 20_000, "b.txt": "\n" * 20_000}
    with (
        pytest.raises(UserError, match="more than 30,000 lines together"),
        as_dataset_folder(sent(files)),
    ):
        pass


def test_a_photo_of_very_many_objects_is_left_out(sent):
    files = {"a.jpg": None, "a.txt": "0 .5 .5 .1 .1\n" * 1001, "b.jpg": None}
    with as_dataset_folder(sent(files | {"b.txt": "0 .5 .5 .1 .1"})) as dropped:
        assert [file.name for file in dropped.known] == ["b.jpg"]
        assert "1,001 objects" in dropped.problems[dropped.files[0]]


def test_half_characters_in_names(sent):
    with as_dataset_folder(sent({"a\ud800b.jpg": None})) as dropped:
        assert [file.name for file in dropped.files] == ["a?b.jpg"]


def test_a_name_of_a_megabyte_is_shortened_at_once():
    """It was shortened letter by letter, with a call for each, which took half a minute."""
    calls: list[str] = []
    sys.setprofile(lambda frame, event, argument: calls.append(event))
    try:
        short = plain_name("x" * 1_000_000 + ".jpg")
    finally:
        sys.setprofile(None)
    assert short == "x" * 196 + ".jpg"
    assert len(calls) < 100
    assert plain_name("é" * 200 + ".jpg") == "é" * 98 + ".jpg"


def test_a_label_of_very_many_objects_is_refused_before_it_is_read(sent):
    xml = f"<annotation>{'<object/>' * 31_000}</annotation>"
    with pytest.raises(UserError, match="more than 30,000 lines"), as_dataset_folder(
        sent({"a.jpg": None, "a.xml": xml})
    ):  # fmt: skip
        pass
