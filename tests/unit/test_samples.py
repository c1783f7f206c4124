"""model/data/samples.py: photos by name."""

from types import SimpleNamespace

import pytest
import torch
from conftest import make_voc, write_voc_xml
from PIL import Image

from model.boxes import paired_iou
from model.data import dataset, samples, source
from model.data.dataset import Dataset
from model.data.photo_headers import read_photo_headers
from model.data.samples import MOST_OWN, PhotoLibrary, find_dataset
from model.data.source import Source
from model.errors import UserError
from model.inference import load_detector


@pytest.fixture(scope="module")
def shipped():
    return load_detector()


@pytest.mark.parametrize("name", ["", "nope", "../secret", "a/b", "x" * 5000, "a\0b", "000099"])
def test_unknown_names_are_refused_in_words(toy_voc, name):
    for root in (None, toy_voc):
        with pytest.raises(UserError, match="there is no sample"):
            PhotoLibrary(root).get(name)


def test_examples_are_there_without_voc():
    library = PhotoLibrary(None)
    names = [photo.name for photo in library.examples()]
    assert 8 <= len(names) <= 12
    assert {"astronaut", "cat"} <= set(names)
    assert library.get("cat").path.is_file()
    with pytest.raises(UserError, match="download"):
        library.split("train")


def test_examples_bring_their_true_boxes_like_voc_photos():
    library = PhotoLibrary(None)
    assert all(photo.annotated for photo in library.examples())
    assert library.get("cat").largest.class_name == "cat"
    two = library.get("dogs")
    assert [thing.class_name for thing in two.objects] == ["dog", "dog"]
    assert two.largest is max(two.objects, key=lambda thing: thing.area)
    nothing = library.get("balloon")
    assert nothing.annotated
    assert nothing.largest is None


def test_a_folder_without_boxes_is_not_annotated(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "mine.png")
    photo = PhotoLibrary(None, tmp_path).get("mine")
    assert not photo.annotated
    assert photo.largest is None


def test_bad_boxes_are_said_when_the_library_is_opened(tmp_path):
    (tmp_path / "boxes.json").write_text("{")
    with pytest.raises(UserError, match=r"boxes\.json is not readable JSON"):
        PhotoLibrary(None, tmp_path)


def test_voc_photos_bring_their_objects(toy_voc):
    library = PhotoLibrary(toy_voc)
    photo = library.get("000004")
    assert len(photo.objects) == 2
    assert photo.largest is max(photo.objects, key=lambda o: o.area)
    assert len(library.split("train").frame) == 20
    assert library.split("train") is library.split("train")


def test_a_photo_without_its_file_is_said(own_voc):
    (own_voc / "JPEGImages" / "000001.jpg").unlink()
    with pytest.raises(UserError, match="no sample"):
        PhotoLibrary(own_voc).get("000001")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("JPEGImages/000001.jpg", "the photo cannot be read; .*000001.jpg is not an image"),
        ("Annotations/000001.xml", "the annotation cannot be read; .*not readable XML"),
        (None, "annotated on a photo of another shape"),
    ],
)
def test_a_photo_that_cannot_be_used_is_said_to_be_there(own_voc, broken, why):
    if broken:
        (own_voc / broken).write_text("<oops")
    else:
        write_voc_xml(own_voc, "000001", (33, 900), [("cat", 1, 1, 9, 9)])
    with pytest.raises(UserError, match=f"sample '000001' cannot be used: {why}"):
        PhotoLibrary(own_voc).get("000001")


def test_photos_that_are_looked_at_for_the_strip_are_read_once(tmp_path, monkeypatch):
    read = []

    def noted(paths):
        read.extend(paths)
        return read_photo_headers(paths)

    monkeypatch.setattr(source, "read_photo_headers", noted)
    library = PhotoLibrary(make_voc(tmp_path / "own", 20, 10))
    assert len(library.examples()) == MOST_OWN - 2  # those held out
    assert len(read) == len(set(read)) == 30


def test_voc_is_found_where_it_usually_is(toy_voc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOC_ROOT", raising=False)
    assert find_dataset() is None
    with pytest.raises(UserError, match="download"):
        find_dataset([tmp_path])
    monkeypatch.setenv("VOC_ROOT", str(toy_voc))
    found = find_dataset()
    assert found
    assert found.folders == (Dataset(toy_voc).folders[0],)


@pytest.mark.slow
def test_of_the_ten_examples_eight_are_answered_rightly_one_is_hard_and_one_shows_nothing(shipped):
    library = PhotoLibrary(None)
    right, hard, nothing = [], [], []
    for photo in library.examples():
        d = shipped.predict(photo.path)
        if photo.largest is None:
            nothing.append(photo)
            assert not d.sure
        elif d.sure:
            right.append(photo)
            assert d.class_name == photo.largest.class_name, photo.name
            boxes = (torch.tensor([b]) for b in (d.bbox_xyxy, photo.largest.bbox_xyxy))
            assert paired_iou(*boxes) > 0.7, photo.name
        else:
            hard.append(photo)
    assert (len(right), len(hard), len(nothing)) == (8, 1, 1)
    assert all("on purpose" in photo.note.lower() for photo in hard + nothing)
    assert not any(photo.note for photo in right)


def test_the_example_that_is_shown_first_is_sure_and_tight(shipped):
    first = PhotoLibrary(None).examples()[0]
    d = shipped.predict(first.path)
    boxes = (torch.tensor([b]) for b in (d.bbox_xyxy, first.largest.bbox_xyxy))
    assert d.score > 0.8
    assert paired_iou(*boxes) > 0.9


def test_a_set_that_takes_long_to_read_gives_fewer_examples(own_voc, monkeypatch):
    """The demo does not start meanwhile; with 57 hostile photos it took three minutes."""
    asked, now = [], iter(range(1000))
    monkeypatch.setattr(dataset, "time", SimpleNamespace(monotonic=lambda: next(now)))
    monkeypatch.setattr(Source, "photo", lambda _, name: asked.append(name))
    monkeypatch.setattr(samples, "LOOKING_S", 3)
    monkeypatch.setattr(dataset, "PHOTOS_PER_CALL", 1)
    assert PhotoLibrary(Dataset(own_voc)).examples()  # those of the project
    assert len(asked) == 2
