"""The check of a data set as the page shows it."""

import re
from pathlib import Path

import pytest
from conftest import make_voc, write_voc_xml

from demo.backend import Backend
from demo.serving.background import Step
from demo.views.blemishes import show_report, show_step, take_blemishes
from demo.views.dataset import DatasetState, show
from model.data.dataset import Dataset
from model.data.samples import PhotoLibrary
from model.errors import UserError


@pytest.fixture
def flawed(tmp_path):
    """Two photos with a box outside, one without a photo, and a class spelt twice."""
    root = make_voc(tmp_path / "mine", 6, 3)
    for name in ("000001", "000004"):
        write_voc_xml(root, name, (90, 120), [("cat", 1, 1, 140, 60), ("Cat", 5, 5, 9, 9)])
    (root / "JPEGImages" / "000002.jpg").unlink()
    return Backend(PhotoLibrary(root))


def test_all_kinds_are_counted_and_photos_can_be_opened(flawed):
    flawed.checking.start()
    assert flawed.checking.wait(60)
    shown = show_report(flawed, flawed.checking.result)
    found = flawed.checking.result.by_kind()
    for kind, rows in found.items():
        assert f"<b>{len(rows)} x {kind}</b>" in shown
    assert {"box outside", "photo missing", "class spelt twice"} <= set(found)
    assert set(re.findall('data-key="([^"]+)"', shown)) >= {"000001", "000004"}
    assert 'data-key="000002"' not in shown  # there is no such photo to be opened
    for key in set(re.findall('data-key="([^"]+)"', shown)):
        assert flawed.library.get(key).path.is_file()
    assert "box outside" in Path(take_blemishes(flawed.checking.result)).read_text()


def test_it_is_made_once_whoever_asks(flawed):
    for _ in range(3):
        flawed.checking.start()
    assert flawed.checking.wait(60)
    report = flawed.checking.result
    flawed.checking.start()
    assert flawed.checking.wait(0)
    assert flawed.checking.result is report


def test_it_says_how_far_it_is(flawed, monkeypatch):
    steps = []
    monkeypatch.setattr(flawed.checking, "_tell", lambda *step: steps.append(step))
    flawed.checking.start()
    assert flawed.checking.wait(60)
    assert {"reading annotations", "reading the sizes of photos"} <= {what for what, *_ in steps}
    assert all(0 <= done < total for _, done, total in steps)
    assert "3 of 9" in show_step(Step("reading annotations", 3, 9))


def test_reading_says_how_far_it_is_too(flawed, monkeypatch):
    steps = []
    monkeypatch.setattr(flawed.reading, "_tell", lambda *step: steps.append(step))
    flawed.reading.start()
    assert flawed.reading.wait(60)
    assert flawed.reading.result == len(flawed.library.dataset.photos) > 0
    assert "reading annotations" in {what for what, *_ in steps}
    assert "Reading annotations: 3 of 9" in show_step(Step("reading annotations", 3, 9))


def test_the_first_page_waits_for_nothing_once_all_is_read(flawed, monkeypatch):
    flawed.reading.start()
    assert flawed.reading.wait(60)
    monkeypatch.setattr(Dataset, "split", lambda *_: pytest.fail("a split is read again"))
    state = DatasetState(split=flawed.library.dataset.first_split)
    assert "photo" in show(flawed, state).count


def test_a_failure_is_told_to_those_who_wait_and_can_be_tried_again(flawed, monkeypatch):
    def fails(*_args, **_named):
        raise UserError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("demo.backend.check", fails)
        flawed.checking.start()
        with pytest.raises(UserError, match="the disk is gone"):
            flawed.checking.wait(60)
    flawed.checking.start()
    assert flawed.checking.wait(60)
    assert flawed.checking.result
