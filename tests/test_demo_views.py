"""What the tabs show, without a browser."""

import random
import re

import pytest
from PIL import Image

from demo import augment_view, dataset_tab, detect_view, training_tab
from demo.augment_view import FIELDS, Request, surprise
from demo.backend import Backend, in_words
from model.augment import AugmentConfig
from model.data.samples import PhotoLibrary
from model.data.voc import find_voc_root
from model.errors import UserError


@pytest.fixture(scope="module")
def backend(toy_voc) -> Backend:
    return Backend(PhotoLibrary(find_voc_root(toy_voc)))


@pytest.mark.parametrize("seed", range(50))
def test_surprises_are_valid_settings(seed):
    number, *settings = surprise(random.Random(seed))
    assert 0 <= number < 10_000
    AugmentConfig(**{field.name: v for field, v in zip(FIELDS, settings, strict=True)})


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(), "Choose a photo first"),
        (Request(sample="nope"), "There is no sample"),
        (Request(sample="000004", box_source="my own"), "two corners"),
        (Request(sample="000004", seed=None), "seed must be a whole number"),
        (Request(sample="000004", seed=float("nan")), "seed must be a whole number"),
        (Request(sample="000004", count=0), "from 1 to 16"),
        (Request(sample="000004", settings=("x",) * len(FIELDS)), "must be"),
        (Request(sample="000004", checkpoint="../x"), "There is no checkpoint"),
    ],
)
def test_augment_says_what_is_wrong_in_the_page(backend, request_, words):
    shown = augment_view.show(backend, request_)
    assert 'role="alert"' in shown["advice"]
    assert words in shown["advice"]
    assert shown["grid"] == ""


def test_a_box_too_thin_is_refused_in_pixels_of_the_photo(backend, tmp_path):
    large = tmp_path / "large.jpg"
    Image.new("RGB", (4000, 3000)).save(large)

    def advice(width: float) -> str:
        request = Request("", str(large), "my own", 100, 100, 100 + width, 900)
        return augment_view.show(backend, request)["advice"]

    assert "too thin: on this photo of 4000 x 3000 pixels" in advice(3)
    least = int(re.search(r"at least (\d+) pixels wide", advice(3))[1])
    assert "too thin" in advice(least - 1)
    assert "problem" not in advice(least)


def test_the_hull_is_advised_against_and_the_ellipse_not(backend):
    values = {field.name: field.default for field in FIELDS} | {"rotation_degrees": 30.0}
    for rule, expected in (("hull", True), ("ellipse", False)):
        settings = tuple((values | {"box_rule": rule}).values())
        advice = augment_view.show(backend, Request("000004", settings=settings))["advice"]
        assert ("learn loose boxes" in advice) == expected


@pytest.mark.parametrize("why", ["off", "class", "box", "nonsense"])
def test_detect_with_and_without_heat(backend, why):
    html = detect_view.show(backend, "cat", None, why=why)
    assert ('class="heat"' in html) == (why in ("class", "box"))
    assert 'data-role="prediction"' in html


def test_detect_compares_with_the_truth(backend):
    html = detect_view.show(backend, "000004", None, threshold=0)
    assert 'data-role="truth"' in html
    assert "IoU" in html
    assert "The largest object is" in html
    assert "Not sure" in detect_view.show(backend, "000004", None, threshold=1)


@pytest.mark.parametrize(
    ("split", "class_name", "size", "count"),
    [
        ("trainval", "any", "any", 30),
        ("val", "cat", "any", 3),
        ("trainval", "any", "small: below 10 % of the photo", 0),
        ("trainval", "aeroplane", "any", 0),
    ],
)
def test_filters_of_the_data_set(backend, split, class_name, size, count):
    grid, _, _, told = dataset_tab.show(backend, split, class_name, size, 1, "")
    assert f"{count} photos" in told
    assert grid.count("data-key") == min(count, dataset_tab.PER_PAGE)


def test_the_data_set_tab_says_what_is_wrong(backend):
    assert 'role="alert"' in dataset_tab.show(backend, "nope", "any", "any", 1, "")[0]


def test_training_shows_curves_and_scores(backend):
    losses, shares, result, card = training_tab.show(backend, backend.checkpoint)
    assert set(losses.columns) == {"epoch", "value", "curve"}
    assert len(losses) > 4
    assert len(shares) > 2
    assert "joint" in result
    assert card.startswith("# Model card")
    assert 'role="alert"' in training_tab.show(backend, "nope")[2]


def test_unforeseen_failures_become_a_sentence_and_a_log_entry(caplog):
    text = in_words(RuntimeError("secret /etc/path"))
    assert "unexpected" in text
    assert "secret" not in text
    assert "secret" in caplog.text
    assert in_words(UserError("words.jpg is empty.")) == "words.jpg is empty."
