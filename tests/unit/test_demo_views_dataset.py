"""What the tab "Data set" shows, without a browser."""

import dataclasses
import zlib
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from conftest import make_voc, write_voc_xml
from PIL import Image

from demo.api import Endpoints
from demo.backend import Backend
from demo.choice import PhotoChoice
from demo.views import dataset, markup
from demo.views.dataset import DatasetState
from model.data.dataset import Dataset
from model.data.decoding.pool import BusyError
from model.data.images import load_fitted
from model.data.samples import EXAMPLES, PhotoLibrary, find_dataset
from model.errors import UserError


@pytest.mark.parametrize(
    ("split", "class_name", "size", "count"),
    [
        ("trainval", "any", "any", 30),
        ("trainval", "", "any", 30),
        ("val", "cat", "any", 3),
        ("trainval", "any", "small: below 10 % of the photo", 0),
        ("trainval", "aeroplane", "any", 0),
    ],
)
def test_filters_of_the_data_set(backend, split, class_name, size, count):
    view = dataset.show(backend, DatasetState(split=split, class_name=class_name, size=size))
    assert f"{count} photos" in view.count
    assert view.tiles.count("data-key") == min(count, dataset.PER_PAGE)


def test_the_data_set_tab_says_what_is_wrong(backend):
    with pytest.raises(UserError, match="no split"):
        dataset.show(backend, DatasetState(split="nope"))
    with pytest.raises(UserError, match=r"no class 'unicorn'\. There is: any, aeroplane"):
        dataset.show(backend, DatasetState(class_name="unicorn"))
    with pytest.raises(UserError, match="no class '100000"):
        dataset.show(backend, DatasetState(class_name=10**39))


def test_a_data_set_of_ones_own_has_its_own_classes(tmp_path):
    library = PhotoLibrary(make_voc(tmp_path / "VOC2007", 4, 2, classes=("traffic light", "Bus-2")))
    assert library.split("trainval").class_names == ("Bus-2", "traffic light")
    asked = DatasetState().from_query({"class": "traffic light"}, library)
    assert "3 photos" in dataset.show(Backend(library), asked).count
    assert DatasetState().from_query({"class": "cat"}, library).class_name == dataset.ANY


def test_the_photo_of_all_tabs_is_followed_once_where_the_choice_has_it(backend):
    defaults = DatasetState()

    def followed(photo: str, before: str = "", **asked) -> tuple[str, int]:
        state = dataclasses.replace(defaults, photo=PhotoChoice(photo), **asked)
        state = dataset.follow_photo(backend, state, defaults, before)
        return state.picked, state.page

    assert followed("000025") == ("000025", 2)
    assert followed("000025", "000001", picked="000003") == ("000025", 2)
    assert followed("000025", "000025", picked="000003") == ("000003", 1), "picked afterwards"
    assert followed("000025", picked="000003") == ("000003", 1), "what an address asks for"
    assert followed("000001", page=2) == ("", 2), "what an address asks for"
    assert followed("000025", "000001", class_name="aeroplane") == ("000025", 2)
    # Of another split: that is chosen.
    assert followed("000025", "000001", split="train") == ("000025", 2)
    assert followed("") == ("", 1), "a photo of the visitor's own"


def test_the_first_visit_begins_at_page_1_unless_a_photo_was_chosen(tmp_path):
    backend = Backend(PhotoLibrary(make_voc(tmp_path / "VOC2007", 4, 2, classes=("Bus-2",))))
    first = backend.first_photo
    defaults = DatasetState(first)
    assert dataset.follow_photo(backend, defaults, defaults) == defaults
    chosen = dataclasses.replace(defaults, photo=dataclasses.replace(first, number=1))
    assert dataset.follow_photo(backend, chosen, defaults).picked == first.sample
    assert dataset.follow_photo(backend, defaults, defaults, "000002").picked == first.sample


def test_a_photo_is_followed_without_reading_all_others(toy_voc, monkeypatch):
    backend = Backend(PhotoLibrary(toy_voc))
    backend.library.split("trainval")  # which reads all of them, once
    found, find = [], Dataset.find
    monkeypatch.setattr(Dataset, "find", lambda self, name: found.append(name) or find(self, name))
    defaults = DatasetState()
    for photo, place in (("000025", ("000025", 2)), ("cat", ("", 1))):
        state = dataclasses.replace(defaults, photo=PhotoChoice(photo))
        followed = dataset.follow_photo(backend, state, defaults)
        assert (followed.picked, followed.page) == place
    assert len(found) <= 4


def test_without_voc_the_examples_are_browsed():
    view = dataset.show(Backend(PhotoLibrary(None)), DatasetState(split=EXAMPLES))
    assert view.tiles.count("data-key") == 9  # one of the ten shows none of the classes
    assert "Its row of the CSV" in view.card
    assert "without the one that shows none of the classes" in dataset.WITHOUT_DATA


NAMES = ("shot 16.42.03", "a [1] (2)", "übergrößé", "v1.2.jpg.rf.0a1b", "x" * 150)


def make_yolo(root: Path, folders=("train", "valid", "test"), names=NAMES) -> Path:
    """A set as Roboflow writes it; every photo shows one lime."""
    for folder in folders:
        for part in ("images", "labels"):
            (root / folder / part).mkdir(parents=True)
        for name in names:
            shade = zlib.crc32(f"{folder}{name}".encode()) % 200
            Image.new("RGB", (60, 40), (shade, 90, 90)).save(
                root / folder / "images" / f"{folder} {name}.PNG"
            )
            (root / folder / "labels" / f"{folder} {name}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (root / "data.yaml").write_text("names: [lime]\n")
    return root


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_names_with_dots_spaces_brackets_and_unicode_are_found_by_one_rule(tmp_path, split):
    backend = Backend(PhotoLibrary(find_dataset([make_yolo(tmp_path / "limes")])))
    view = dataset.show(backend, DatasetState(split=split))
    assert f"{len(NAMES)} photos" in view.count
    assert "Its row of the CSV" in view.card
    for file_name in backend.library.split(split).table.file_name:
        name = backend.library.name_of(file_name)
        query = dict(parse_qsl(DatasetState(picked=name).to_query(DatasetState())))
        assert DatasetState().from_query(query, backend.library).picked == name
        for asked in (name, file_name, f"C:\\photos\\{name}.jpg"):
            assert backend.library.get(asked).path.name == Path(file_name).name
        assert Endpoints(backend).sample(name)["file_name"] == Path(file_name).name
        assert backend.library.row(name)["split"] == split


def test_photos_of_one_name_in_several_folders_stay_apart(tmp_path):
    first, second = (make_yolo(tmp_path / name, ("train",), ("a", "b")) for name in "AB")
    library = PhotoLibrary(find_dataset([first, second]))
    rows = library.split("train").table
    names = [library.name_of(name) for name in rows.file_name]
    assert len({library.get(name).path for name in names}) == len(set(names)) == 4


def test_ones_own_photos_are_the_examples_spread_over_classes(tmp_path):
    root = make_voc(tmp_path / "mine", 30, 30, classes=("owl", "newt"))
    (root / "JPEGImages" / "000031.jpg").write_bytes(b"\xff\xd8 cut off")
    library = PhotoLibrary(find_dataset([root]))
    shown = [photo.largest.class_name for photo in library.examples()]
    assert (shown.count("owl"), shown.count("newt")) == (6, 6)
    assert library.class_names() == ["newt", "owl"]
    assert library.get("cat").path.name == "cat.jpg"  # those of the project keep their names


def test_a_photo_that_cannot_be_read_does_not_hide_the_others(tmp_path):
    root = make_voc(tmp_path / "mine", 4, 2)
    backend = Backend(PhotoLibrary(root))
    backend.library.split("train")
    (root / "JPEGImages" / "000000.jpg").write_bytes(b"overwritten")
    view = dataset.show(backend, DatasetState(split="train"))
    assert view.tiles.count("data-key") == 4
    assert "cannot be read" in view.tiles
    assert 'class="note problem"' in view.card


def test_a_photo_that_cannot_be_read_is_tried_once(tmp_path, monkeypatch):
    """It may take seconds to find out, for each of the 20 of a page."""
    root = make_voc(tmp_path / "mine", 4, 2)
    backend, tried = Backend(PhotoLibrary(root)), []
    backend.library.split("train")
    damaged = root / "JPEGImages" / "000001.jpg"
    damaged.write_bytes(b"overwritten")

    def load(path, side):
        tried.append(path)
        if len(tried) == 1:
            raise BusyError("the server is busy")
        return load_fitted(path, side)

    monkeypatch.setattr(markup, "load_fitted", load)
    for attempt in range(4):
        with pytest.raises(BusyError if attempt == 0 else UserError):
            markup.thumbnail(damaged)
    assert tried == [damaged] * 2


def test_backgrounds_can_be_browsed(tmp_path):
    root = make_voc(tmp_path / "mine", 4, 2)
    write_voc_xml(root, "000001", (90, 120), [])
    backend = Backend(PhotoLibrary(root))
    assert "4 photos" in dataset.show(backend, DatasetState(split="train")).count
    view = dataset.show(backend, DatasetState(split="train", class_name=dataset.NO_OBJECT))
    assert "1 photo," in view.count
    assert "photo 000001 with no object" in view.card
