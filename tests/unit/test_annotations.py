"""model/annotations.py: what is written reads back as the same boxes."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model.classes import VOC_CLASSES
from model.data.annotations import (
    AnnotatedPhoto,
    annotation_files,
    to_coco,
    to_voc,
    to_yolo,
    yolo_yaml,
)
from model.data.formats.listing import Reading
from model.data.formats.voc import parse
from model.data.mending import Habits, mended
from model.data.photo_headers import PhotoHeader
from model.data.records import ImageAnnotation, ObjectAnnotation

NAMES = st.sampled_from(VOC_CLASSES)


@st.composite
def photos(draw) -> AnnotatedPhoto:
    width, height = draw(st.integers(1, 2000)), draw(st.integers(1, 2000))

    def side(most: int) -> list[float]:
        whole = draw(st.booleans())
        number = st.integers(0, most) if whole else st.floats(0, most, width=32)
        return sorted(draw(st.tuples(number, number)))

    things = []
    for _ in range(draw(st.integers(1, 4))):
        (x1, x2), (y1, y2) = side(width), side(height)
        things.append(ObjectAnnotation(draw(NAMES), (x1, y1, x2, y2), draw(st.booleans())))
    return AnnotatedPhoto("a.png", width, height, tuple(things))


def read_voc(path: Path) -> ImageAnnotation:
    """What an XML file says of a photo of the size it says."""
    parsed = parse(str(path))
    width, height = map(int, parsed.size)
    image, problems = mended(
        parsed.file_name, parsed, PhotoHeader(width, height), Habits(Reading("", "from 1"))
    )
    assert problems == []
    return image


@settings(max_examples=60, deadline=None)
@given(photo=photos())
def test_voc_reads_back_with_our_own_parser(photo, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "a.xml"
    path.write_text(to_voc(photo))
    read = read_voc(path)
    assert (read.file_name, read.width, read.height) == ("a.png", photo.width, photo.height)
    for thing, again in zip(photo.objects, read.objects, strict=True):
        assert (again.class_name, again.difficult) == (thing.class_name, thing.difficult)
        x1, y1, x2, y2 = thing.bbox_xyxy
        # Whole pixels; what is less than one pixel wide becomes one.
        most = 0.5 if min(x2 - x1, y2 - y1) >= 1 else 1.5
        for before, after in zip(thing.bbox_xyxy, again.bbox_xyxy, strict=True):
            assert abs(after - before) <= most
        if all(v == int(v) for v in thing.bbox_xyxy) and thing.area:
            assert again.bbox_xyxy == thing.bbox_xyxy


@settings(max_examples=60, deadline=None)
@given(photo=photos())
def test_yolo_reads_back(photo):
    lines = to_yolo(photo, VOC_CLASSES).splitlines()
    for thing, line in zip(photo.objects, lines, strict=True):
        class_id, *shares = line.split()
        x, y, w, h = map(float, shares)
        assert VOC_CLASSES[int(class_id)] == thing.class_name
        assert all(0 <= v <= 1 for v in (x, y, w, h))
        box = (x - w / 2) * photo.width, (y - h / 2) * photo.height
        box += (x + w / 2) * photo.width, (y + h / 2) * photo.height
        assert box == pytest.approx(thing.bbox_xyxy, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(some=st.lists(photos(), max_size=3))
def test_coco_reads_back(some):
    coco = json.loads(to_coco(some, VOC_CLASSES))
    names = {c["id"]: c["name"] for c in coco["categories"]}
    assert [image["id"] for image in coco["images"]] == list(range(1, len(some) + 1))
    assert len({a["id"] for a in coco["annotations"]}) == len(coco["annotations"])
    for number, photo in enumerate(some, 1):
        mine = [a for a in coco["annotations"] if a["image_id"] == number]
        for thing, one in zip(photo.objects, mine, strict=True):
            x, y, w, h = one["bbox"]
            assert names[one["category_id"]] == thing.class_name
            assert (x, y, x + w, y + h) == pytest.approx(thing.bbox_xyxy, abs=0.02)
            assert one["iscrowd"] == thing.difficult


def test_known_numbers():
    """A box over the right half of a 100 x 50 photo, in each format."""
    photo = AnnotatedPhoto("b.png", 100, 50, (ObjectAnnotation("dog", (50, 0, 100, 50)),))
    assert to_yolo(photo, ["cat", "dog"]) == "1 0.750000 0.500000 0.500000 1.000000\n"
    assert json.loads(to_coco([photo], ["cat", "dog"]))["annotations"] == [
        {"id": 1, "image_id": 1, "category_id": 2, "bbox": [50, 0, 50, 50], "area": 2500,
         "iscrowd": 0},
    ]  # fmt: skip
    xml = to_voc(photo)
    for tag, value in (("xmin", 51), ("ymin", 1), ("xmax", 100), ("ymax", 50)):
        assert f"<{tag}>{value}</{tag}>" in xml


def test_ugly_names_stay_names():
    name = 'a & "b" <c>: d'
    photo = AnnotatedPhoto("a.png", 10, 10, (ObjectAnnotation(name, (0, 0, 5, 5)),))
    assert "a &amp;" in to_voc(photo)
    assert yolo_yaml([name]).endswith('  0: "a & \\"b\\" <c>: d"\n')
    with pytest.raises(ValueError, match="not in list"):
        to_yolo(photo, ["cat"])


def test_a_photo_without_objects():
    photo = AnnotatedPhoto("a.png", 10, 10, ())
    files = annotation_files([photo], VOC_CLASSES)
    assert files["a.txt"] == ""
    assert json.loads(files["coco.json"])["annotations"] == []
    assert set(files) == {"coco.json", "data.yaml", "a.txt", "voc/a.xml"}


def test_the_examples_survive_the_round_trip(tmp_path):
    from model.data.samples import PhotoLibrary

    for photo in PhotoLibrary(None).examples():
        with Image.open(photo.path) as picture:
            annotated = AnnotatedPhoto(photo.path.name, *picture.size, photo.objects)
        if photo.objects:
            (tmp_path / "a.xml").write_text(to_voc(annotated))
            assert read_voc(tmp_path / "a.xml").objects == photo.objects
