"""Photos that come together with their annotation."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from demo.annotated import objects_in_annotations
from demo.backend import Backend
from demo.box_editor import MAX_BOXES
from demo.choice import PhotoChoice, UploadedFile
from demo.photos import PhotoChooser, check_chosen_photo
from demo.views.detect import DetectState, show
from model.data.records import ObjectAnnotation
from model.data.samples import PhotoLibrary
from model.errors import UserError

XML = """<annotation><filename>elsewhere.jpg</filename><size><width>{}</width><height>80</height>
</size>{}</annotation>"""
OBJECT = """<object><name>{}</name><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>{}</xmax>
<ymax>60</ymax></bndbox></object>"""
COCO = {
    "images": [{"id": 7, "file_name": "my photo (1).jpg", "width": 100, "height": 80}],
    "annotations": [{"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20, 40, 40]}],
    "categories": [{"id": 2, "name": "mug"}],
}
LABELME = {
    "imagePath": "my photo (1).jpg", "imageWidth": 100, "imageHeight": 80,
    "shapes": [{"label": "mug", "shape_type": "rectangle", "points": [[10, 20], [50, 60]]}],
}  # fmt: skip
FLAT = {"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20, 0, 40]}


def send(tmp_path, files: dict[str, str], photo: str = "my photo (1).jpg"):
    """As the server has them: under other names."""
    picture = tmp_path / "upload.jpg"
    Image.new("RGB", (100, 80), (200, 90, 90)).save(picture)
    sent = []
    for i, (name, text) in enumerate(files.items()):
        path = tmp_path / f"upload{i}"
        path.write_text(text)
        sent.append(UploadedFile(path, name))
    return objects_in_annotations(UploadedFile(picture, photo), sent)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"my photo (1).xml": XML.format(100, OBJECT.format("mug", 50))}, "mug"),
        ({"other.XML": XML.format(100, OBJECT.format("mug", 50))}, "mug"),
        ({"a.txt": "1 0.3 0.5 0.4 0.5\n", "classes.txt": "cup\nmug\n"}, "mug"),
        ({"data.yaml": "names: [cup, mug]\n", "a.txt": "1 0.3 0.5 0.4 0.5"}, "mug"),
        ({"a.txt": "1 0.3 0.5 0.4 0.5\n"}, "1"),
        ({"_annotations.coco.json": json.dumps(COCO)}, "mug"),
        ({"anything.json": json.dumps(COCO)}, "mug"),
        ({"my photo (1).json": json.dumps(LABELME)}, "mug"),
    ],
)
def test_the_boxes_of_every_format_are_read(tmp_path, files, name):
    (thing,) = send(tmp_path, files)
    assert thing.class_name == name
    assert thing.bbox_xyxy == pytest.approx((10, 20, 50, 60))


@pytest.mark.parametrize(
    "photo", ["../../passwd.jpg", ".hidden.jpg", "x" * 300 + ".jpg", "a\0b.jpg", "a.xml"]
)
def test_whatever_the_photo_is_called(tmp_path, photo):
    (thing,) = send(tmp_path, {"a.xml": XML.format(100, OBJECT.format("mug", 50))}, photo)
    assert thing.class_name == "mug"


def test_the_target_is_first(tmp_path):
    xml = XML.format(100, OBJECT.format("cup", 20) + OBJECT.format("mug", 90))
    assert [thing.class_name for thing in send(tmp_path, {"a.xml": xml})] == ["mug", "cup"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.xml": "<annotation><object>"}, "a.xml: the annotation cannot be read"),
        ({"a.xml": XML.format(100, "")}, "a.xml names no object of"),
        ({"a.json": json.dumps(COCO | {"annotations": [FLAT]})}, "a.json: .* has no area"),
        ({"a.xml": XML.format(300, OBJECT.format("mug", 50))}, "a.xml: .* another shape"),
        ({"a.txt": "0 0.5 0.5"}, "^a.txt is no annotation of VOC, YOLO, COCO or LabelMe:"),
        ({"a.txt": "\n" * 40_000}, "a.txt has more than 30,000 lines"),
        ({"a.txt": "hello world, this is a text"}, "^a.txt is no annotation of"),
        ({"a.txt": "5 0.3 0.5 0.4 0.5", "classes.txt": "cup"}, "a.txt and classes.txt: .*id 5"),
        ({"a.json": "{"}, "^a.json is no annotation of"),
        ({"a.json": json.dumps(COCO | {"annotations": []})}, "a.json names no object of"),
        ({"data.yaml": "names: [", "a.txt": "0 .5 .5 .1 .1"}, "data.yaml is not readable YAML"),
        (dict.fromkeys(("a.xml", "b.xml", "c.xml", "d.xml"), ""), "4 files came"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, files, sentence):
    with pytest.raises(UserError, match=sentence) as said:
        send(tmp_path, files)
    assert "/tmp" not in str(said.value)
    assert "\n" not in str(said.value)


def test_the_coco_file_of_a_whole_set_does_for_one_of_its_photos(tmp_path):
    others = [{"id": n, "file_name": f"{n}.jpg", "width": 9, "height": 9} for n in range(8, 20)]
    whole = COCO | {"images": [*COCO["images"], *others]}
    (thing,) = send(tmp_path, {"instances.json": json.dumps(whole)})
    assert thing.class_name == "mug"


def test_a_photo_offered_with_its_annotation_has_a_true_box(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    picture, xml = tmp_path / "a.jpg", tmp_path / "a.xml"
    Image.new("RGB", (100, 80)).save(picture)
    xml.write_text(XML.format(100, OBJECT.format("mug", 50)))
    offered = PhotoChoice(upload=str(picture), annotations=(UploadedFile(xml, "a.xml"),), number=3)
    backend = Backend(PhotoLibrary(None))
    taken = check_chosen_photo(backend, PhotoChoice("cat", offered=offered))
    assert (taken.upload, taken.boxes, taken.annotations) == (str(picture), "", ())
    chooser = PhotoChooser()
    known = backend.photo(chooser.preprocess(chooser.postprocess(taken)))
    assert known.largest == ObjectAnnotation("mug", (10, 20, 50, 60))
    shown = show(backend, DetectState(photo=taken))
    assert "true class" in shown
    assert "mug is none of them" in shown
    assert "numbers for classes" not in shown
    (tmp_path / "a.txt").write_text("1 .5 .5 .2 .2")
    numbers = replace(offered, annotations=(UploadedFile(tmp_path / "a.txt", "a.txt"),))
    unnamed = check_chosen_photo(backend, PhotoChoice(offered=numbers))
    assert unnamed.note == ""
    assert "numbers for classes: drop the photo with" in show(backend, DetectState(photo=unnamed))
    xml.write_text("<")
    refused = check_chosen_photo(backend, PhotoChoice("cat", offered=offered))
    assert (refused.sample, refused.number) == ("cat", 3)
    assert "a.xml" in refused.note
    kept = check_chosen_photo(backend, replace(taken, offered=offered))
    assert (kept.upload, kept.objects) == (taken.upload, taken.objects)


@pytest.mark.parametrize(
    "rows",
    [
        5,
        [5],
        [["mug", 1, 2, 3, 4]],
        [["mug", 1, 2, 3, "4", 0]],
        [["mug", 1, 2, 3, float("nan"), 0]],
        [["mug", 3, 2, 1, 4, 0]],
        [["", 1, 2, 3, 4, 0]],
        [[{}, 1, 2, 3, 4, 0]],
        [["mug", 1, 2, 3, 4, 0]] * (MAX_BOXES + 1),
    ],
)
def test_what_the_browser_did_not_get_from_the_server_is_not_believed(tmp_path, monkeypatch, rows):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "a.jpg").touch()
    choice = PhotoChoice(upload=str(tmp_path / "a.jpg"))
    sent = PhotoChooser().postprocess(choice) | {"objects": rows}
    with pytest.raises((TypeError, ValueError)):
        PhotoChooser().preprocess(sent)


def test_an_annotation_alone_is_told_from_a_photo():
    alone = PhotoChoice(upload="/somewhere/a.xml", name="a.xml")
    refused = check_chosen_photo(Backend(PhotoLibrary(None)), PhotoChoice("cat", offered=alone))
    assert (refused.sample, refused.note) == (
        "cat", "a.xml is no photo: drop an annotation together with its photo."
    )  # fmt: skip
