"""What the Dataset tab shows, without a browser."""

import pytest
from conftest import make_voc

from demo.backend import Backend
from demo.views import dataset
from demo.views.dataset import DatasetState
from model.data.samples import PhotoLibrary
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


def test_a_data_set_of_ones_own_has_its_own_classes(tmp_path):
    library = PhotoLibrary(make_voc(tmp_path / "VOC2007", 4, 2, classes=("traffic light", "Bus-2")))
    assert dataset.class_names_of(library, "trainval") == ("Bus-2", "traffic light")
    asked = DatasetState().from_query({"class": "traffic light"}, library)
    assert "3 photos" in dataset.show(Backend(library), asked).count
    assert DatasetState().from_query({"class": "cat"}, library).class_name == dataset.ANY


def test_without_voc_the_examples_are_browsed():
    view = dataset.show(Backend(PhotoLibrary(None)), DatasetState(split=dataset.EXAMPLES))
    assert view.tiles.count("data-key") == 9  # one of the ten shows none of the classes
    assert "Its row of the CSV" in view.card
