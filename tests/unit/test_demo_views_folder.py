"""Many photos as one ZIP, without a browser: what ends it early leaves nothing."""

import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import REPOSITORY
from PIL import Image

from demo.choice import PhotoChoice, UploadedFile
from demo.serving import calls
from demo.serving.calls import Call, CallEndedError
from demo.views.augment import folder
from demo.views.augment.files import CANVAS, PHOTO
from demo.views.augment.folder import folder_zip
from demo.views.augment.state import AugmentState
from model.errors import UserError

STATE = AugmentState(photo=PhotoChoice("cat"), zoom=1.5)
FILES = [
    UploadedFile(REPOSITORY / "examples" / name, name)
    for name in ("cat.jpg", "dog.jpg", "astronaut.jpg")
]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Where what is made lies."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path / "take-away"


def test_it_tells_how_far_it_is(backend, place):
    told = [
        (made.doing, made.done, made.total, made.unit)
        for made in folder_zip(backend, STATE, FILES, 2, CANVAS)
    ]
    assert told[0] == ("reading annotations", 0, 0, "photos")
    assert ("looking for boxes", 3, 3, "photos") in told
    drawn = [done for doing, done, *_ in told if doing == "drawing"]
    assert drawn == sorted(drawn)
    assert told[-1] == ("drawing", 6, 6, "pictures")


def test_what_is_left_out_is_said_by_file_also_where_nothing_is_left(backend, place, tmp_path):
    words = UploadedFile(tmp_path / "words.jpg", "set/words.jpg")
    words.path.write_text("no photo")
    *_, made = folder_zip(backend, STATE, [FILES[0], words], 1, CANVAS)
    assert [file for file, _ in made.problems] == [words.path]
    assert made.shown.count(f'data-left-out="{words.path}"') == 1
    told = []
    with pytest.raises(UserError, match="no photo is left"):
        told.extend(folder_zip(backend, STATE, [words], 1, CANVAS))
    assert [file for file, _ in told[-1].problems] == [words.path]


def test_photos_keep_their_shape_where_that_is_asked_for(backend, place):
    state = replace(STATE, zoom=1.0, rotation_degrees=0.0)
    *_, made = folder_zip(backend, state, FILES[:1], 1, PHOTO)
    with zipfile.ZipFile(made.file) as archive, archive.open("cat_v001.jpg") as content:
        picture = Image.open(content)
        with Image.open(FILES[0].path) as photo:
            shapes = [image.width / image.height for image in (picture, photo)]
    assert shapes[0] == pytest.approx(shapes[1], rel=0.02)


def test_nothing_stays_of_one_that_nobody_waits_for(backend, place):
    call = Call()
    token = calls.current.set(call)
    making = folder_zip(backend, STATE, FILES, 4, CANVAS)
    try:
        while next(making).doing != "drawing":
            pass
        call.ended = True
        with pytest.raises(CallEndedError):
            next(making)
    finally:
        calls.current.reset(token)
    assert list(place.iterdir()) == []


def test_nothing_stays_of_one_that_is_dropped(backend, place):
    with closing(folder_zip(backend, STATE, FILES, 4, CANVAS)) as making:
        while next(making).doing != "drawing":
            pass
        assert list(place.iterdir())
    assert list(place.iterdir()) == []


def test_one_that_gets_too_large_is_one_sentence(backend, place, monkeypatch):
    monkeypatch.setattr(folder, "MAX_ZIP_BYTES", 100_000)
    with pytest.raises(UserError, match=r"the ZIP would be larger than .* choose fewer variants"):
        list(folder_zip(backend, STATE, FILES, 4, CANVAS))
    assert list(place.iterdir()) == []
