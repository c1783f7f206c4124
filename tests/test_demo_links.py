"""demo/links.py: addresses are read with suspicion."""

import pytest

from demo.backend import Backend
from demo.links import parse
from model.data.samples import PhotoLibrary
from model.data.voc import find_voc_root


@pytest.fixture(scope="module")
def backend(toy_voc) -> Backend:
    return Backend(PhotoLibrary(find_voc_root(toy_voc)))


def test_nothing_asked_nothing_changed(backend):
    view = parse({}, backend)
    assert (view.tab, view.sample, view.values, view.settings) == ("", "", {}, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("seed", "x"), ("seed", "-1"), ("seed", "1e9"), ("count", "0"), ("count", "17"),
        ("variant", "99"), ("box", "yours"), ("corners", "1,2,3"), ("corners", "1,2,3,nan"),
        ("threshold", "1.5"), ("threshold", "nan"), ("why", "because"), ("size", "huge"),
        ("page", "0"), ("split", "test"), ("split", "../x"), ("class", "unicorn"),
    ],
)  # fmt: skip
def test_bad_values_are_left_out(backend, name, text):
    assert parse({name: text}, backend).values == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rotation_degrees", "-3"), ("rotation_degrees", "nan"), ("rotation_degrees", "x"),
        ("box_rule", "round"), ("hue", "2"), ("min_visible", "inf"),
    ],
)  # fmt: skip
def test_bad_settings_are_left_out(backend, name, text):
    assert parse({name: text}, backend).settings == {}


def test_good_values_are_taken(backend):
    query = {
        "tab": "augment", "sample": "000004", "seed": "12", "count": "3", "variant": "2",
        "box": "my own", "corners": "1,2,30,40", "rotation_degrees": "15", "box_rule": "hull",
        "split": "val", "class": "cat", "page": "2",
    }  # fmt: skip
    view = parse(query, backend)
    assert (view.tab, view.sample) == ("augment", "000004")
    assert view.settings == {"rotation_degrees": 15.0, "box_rule": "hull"}
    assert view.values == {
        "seed": 12, "count": 3, "variant": "2", "box": "my own", "corners": [1, 2, 30, 40],
        "split": "val", "class": "cat", "page": 2,
    }  # fmt: skip


def test_unknown_samples_are_left_out(backend):
    assert parse({"sample": "../../etc/passwd"}, backend).sample == ""
