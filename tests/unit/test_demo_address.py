"""demo/address.py: addresses are read with suspicion, and written by what reads them."""

from urllib.parse import parse_qsl

import pytest

from demo.address import refusal, tab_in_query
from demo.choice import LOST_UPLOAD, PhotoChoice
from demo.views.augment.state import AugmentState, read_settings, write_settings
from demo.views.confusion import TrainingState
from demo.views.dataset import DatasetState
from demo.views.detect import DetectState
from model.augment import AugmentConfig
from model.data.samples import PhotoLibrary

AUGMENT, DETECT, DATASET, TRAINING = (
    AugmentState(), DetectState(), DatasetState(), TrainingState(),
)  # fmt: skip


@pytest.fixture(scope="module")
def library(toy_voc) -> PhotoLibrary:
    return PhotoLibrary(toy_voc)


@pytest.mark.parametrize("defaults", [AUGMENT, DETECT, DATASET, TRAINING])
def test_nothing_asked_nothing_changed(library, defaults):
    assert defaults.from_query({}, library) == defaults
    assert defaults.to_query(defaults) == f"tab={defaults.tab}"


@pytest.mark.parametrize(
    ("defaults", "name", "text"),
    [
        *((AUGMENT, "seed", text) for text in ("x", "-1", "1e9", "")),
        *((AUGMENT, "count", text) for text in ("0", "17")),
        (AUGMENT, "variant", "99"), (AUGMENT, "box", "yours"), (AUGMENT, "boxes", "1,2,3"),
        (AUGMENT, "boxes", "1,2,3,nan"), (AUGMENT, "boxes", f"{'a' * 101} 1 2 3 4"),
        (AUGMENT, "rotation_degrees", "-3"), (AUGMENT, "rotation_degrees", "nan"),
        (AUGMENT, "box_rule", "round"), (AUGMENT, "hue", "2"), (AUGMENT, "min_visible", "inf"),
        (DETECT, "threshold", "1.5"), (DETECT, "threshold", "nan"), (DETECT, "explain", "because"),
        (DATASET, "size", "huge"), (DATASET, "page", "0"), (DATASET, "split", "test"),
        (DATASET, "split", "../x"), (DATASET, "class", "unicorn"),
        *((state, "sample", "../../etc/passwd") for state in (AUGMENT, DETECT, DATASET, TRAINING)),
    ],
)  # fmt: skip
def test_bad_values_are_left_out(library, defaults, name, text):
    assert defaults.from_query({name: text}, library) == defaults


@pytest.mark.parametrize(
    ("defaults", "query"),
    [
        (AUGMENT, "tab=augment&sample=000004&boxes=cat+1%2C+2%2C+30%2C+40&box=my+own&seed=12"
                  "&count=3&variant=2&rotation_degrees=15&box_rule=hull"),
        (AUGMENT, "tab=augment&sample=cat&box=detector"),
        (DETECT, "tab=detect&sample=000004&threshold=0.25&explain=box"),
        (DATASET, "tab=dataset&sample=000004&split=val&class=cat&page=2"),
        (TRAINING, "tab=training&sample=000004&cell=dog%2Fcat"),
    ],
)  # fmt: skip
def test_an_address_survives_reading_and_writing(library, defaults, query):
    state = defaults.from_query(dict(parse_qsl(query)), library)
    assert state != defaults
    assert state.to_query(defaults) == query


def test_an_upload_is_not_in_an_address_and_that_is_said(library):
    query = AugmentState(photo=PhotoChoice(upload="/secret/place.jpg"), seed=3).to_query(AUGMENT)
    assert query == "tab=augment&photo=own&seed=3"
    asked = AUGMENT.from_query({"photo": "own", "seed": "3"}, library)
    assert asked.photo.note == LOST_UPLOAD
    assert asked.seed == 3


@pytest.mark.parametrize(
    ("defaults", "query", "wrong"),
    [
        (AUGMENT, {"sample": "nope", "seed": "abc"}, ["seed=abc", "sample=nope"]),
        (AUGMENT, {"seed": "", "rotation_degrees": "999"}, ["seed=", "rotation_degrees=999"]),
        (AUGMENT, {"a": "zoom:9"}, ["a=zoom:9"]),
        (AUGMENT, {"a": "x"}, ["a=x"]),
        (AUGMENT, {"seed": "7", "sample": "cat", "__theme": "dark", "utm": "x"}, []),
        (AUGMENT, {"photo": "own", "kept": "k"}, []),
        (DETECT, {"threshold": "nan"}, ["threshold=nan"]),
        (DATASET, {"split": "nope", "class": "unicorn"}, ["split=nope", "class=unicorn"]),
        (DATASET, {"split": "val", "class": "cat"}, []),
    ],
)
def test_what_an_address_says_wrongly_is_known(library, defaults, query, wrong):
    assert sorted(defaults.read(query, library)[1]) == sorted(wrong)


def test_what_an_address_says_wrongly_is_one_sentence():
    assert refusal([]) == ""
    assert refusal(["seed=abc"]) == (
        "This link says seed=abc, which means nothing here: that is left out."
    )
    assert "seed=abc and sample=nope, which mean nothing" in refusal(["seed=abc", "sample=nope"])


@pytest.mark.parametrize("settings", [{}, {"zoom": 1}, {"hue": 0.1, "box_rule": "hull"}])
def test_pinned_settings_survive_an_address(library, settings):
    config = AugmentConfig(**settings)
    text = write_settings(config)
    assert read_settings(text) == config
    state = AUGMENT.from_query({"a": text}, library)
    assert state.pinned == text
    assert dict(parse_qsl(state.to_query(AUGMENT)))["a"] == text


def test_unknown_tabs_open_the_first():
    asked = [
        tab_in_query({"tab": name}, ["detect", "augment"]) for name in ("Augment", "nowhere", "")
    ]
    assert asked == ["augment", "detect", "detect"]
