"""The photos behind the cells of the confusion matrix."""

import dataclasses
import re
from pathlib import Path

import pytest
from conftest import make_voc

from demo.backend import Backend
from demo.views import confusion
from demo.views.confusion import TrainingState
from model.checkpoint import DEFAULT_CHECKPOINT
from model.data.samples import PhotoLibrary
from model.evaluation.per_photo import COMMAND, PerPhoto, read_per_photo


@pytest.fixture(scope="module")
def with_photos(toy_voc, toy_per_photo) -> Backend:
    library = PhotoLibrary(toy_voc)
    return Backend(library, per_photo=read_per_photo(toy_per_photo))


@pytest.mark.parametrize(
    ("cell", "count", "first"),
    [
        ("sheep/cat", "1 photo", "000020"),
        ("sheep/", "4 photos", "000020"),
        ("/cat", "4 photos", "000020"),
        ("car/car", "3 photos", ""),
    ],
)
def test_a_cell_opens_the_photos_behind_it_worst_first(with_photos, cell, count, first):
    view = confusion.show_behind(with_photos, TrainingState(cell=cell))
    assert re.search(rf": {count}\b", view.heading)
    assert view.tiles.count("data-key") == int(count.split()[0])
    assert first in view.picked
    assert view.card.count('class="heat"') == 2
    assert view.card.count('data-role="truth"') == 3
    # The CSV was made up, so the checkpoint does not predict what it says.
    assert "written with other weights" in view.card


@pytest.mark.parametrize("cell", ["", "/", "unicorn/cat", "sheep", "<b>/cat"])
def test_what_is_no_cell_opens_nothing(with_photos, cell):
    view = confusion.show_behind(with_photos, TrainingState(cell=cell))
    assert "Press a number" in view.heading
    assert not view.tiles


def test_cells_count_as_many_photos_as_they_open(with_photos):
    html = confusion.show_matrix(with_photos, None)
    assert 'aria-label="sheep taken for cat: 1 photo"' in html
    counted = sum(int(n) for n in re.findall(r"taken for \w+: (\d+) photos?", html))
    assert counted == 10
    assert "10 photos of photos.csv" in html


def test_a_photo_that_is_gone_is_said_and_the_others_are_shown(with_photos, toy_per_photo):
    table = read_per_photo(toy_per_photo).table
    table.loc[table.file_name == "000020.jpg", "file_name"] = "../000099.jpg"
    photos = dataclasses.replace(with_photos, per_photo=PerPhoto("x.csv", table))
    view = confusion.show_behind(photos, TrainingState(cell="sheep/", picked="000023"))
    assert "there is no sample" in view.tiles
    assert view.tiles.count("data-key") == 4
    assert "Photo 000023" in view.card


def test_without_csv_or_voc_a_sentence_says_how_to_get_them(backend, toy_per_photo):
    photos = read_per_photo(toy_per_photo)
    report = {"class_names": ["cat", "dog"], "confusion": [[3, 1], [0, 2]], "split": "val"}
    for without in (backend, Backend(PhotoLibrary(None), per_photo=photos)):
        html = confusion.show_matrix(without, report)
        assert COMMAND in html
        assert "<button" not in html
        assert "6 photos of val" in html
        assert not confusion.show_behind(without, TrainingState(cell="cat/dog")).tiles
    assert "dataset download" in html
    shown = confusion.show_matrix(backend, None)
    assert COMMAND in shown
    assert "To see which classes it takes for which, write" in shown


def test_an_own_checkpoint_and_an_own_folder_are_named(tmp_path, monkeypatch):
    mine = tmp_path / "mine.safetensors"
    mine.symlink_to(DEFAULT_CHECKPOINT)
    own = make_voc(tmp_path / "cells")
    words = confusion.what_is_missing(Backend(PhotoLibrary(own), "mine", extra=mine))
    which = "--checkpoint .../mine.safetensors --data .../cells"
    assert f"python -m model.evaluate {which} --split val" in words
    assert f"start the demo with {which} --per-photo" in words
    assert str(tmp_path) not in words
    alone = confusion.what_is_missing(Backend(PhotoLibrary(None), "mine", extra=mine))
    assert "--checkpoint .../mine.safetensors --data DIR --split val" in alone
    assert "VOC" not in alone
    monkeypatch.chdir(tmp_path)  # where the command works as it is
    backend = Backend(PhotoLibrary("cells"), "mine", extra=Path("mine.safetensors"))
    words = confusion.what_is_missing(backend)
    assert "--checkpoint mine.safetensors --data cells --split val" in words
