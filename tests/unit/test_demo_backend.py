"""What the tabs ask of the model, and what a visitor is told when it fails."""

import shutil
from pathlib import Path

import pytest
from conftest import make_voc

from demo import inspection
from demo.backend import Backend, user_message
from demo.choice import PhotoChoice
from demo.serving.gpu import OWN_DEVICE
from demo.views import dataset
from model.data.samples import PhotoLibrary
from model.errors import UserError


def test_unforeseen_failures_become_a_sentence_and_a_log_entry(caplog):
    text = user_message(RuntimeError("secret /etc/path"))
    assert "unexpected" in text
    assert "secret" not in text
    assert "secret" in caplog.text
    assert user_message(UserError("words.jpg is empty.")) == "words.jpg is empty."


def test_photos_and_batches_share_one_detector(monkeypatch):
    loaded = []
    monkeypatch.setattr(
        inspection, "load_detector", lambda *given: loaded.append(given) or object()
    )
    path = Path("checkpoints/nobody-else-asks-for-it.safetensors")
    assert inspection.detector_of(path) is inspection.detector_of(path, OWN_DEVICE)
    assert loaded == [(path, OWN_DEVICE)]


@pytest.mark.parametrize("drawn_before", [False, True])
@pytest.mark.parametrize("damage", ["gone", "xml", "split"])
def test_no_folder_of_the_server_is_named_when_the_data_set_fails(tmp_path, damage, drawn_before):
    """Whichever part of the page asks for it."""
    root = make_voc(tmp_path / "secret place" / "VOC2007", 8, 4)
    backend, state = Backend(PhotoLibrary(root)), dataset.DatasetState(split="trainval")
    if drawn_before:
        dataset.show(backend, state)
    if damage == "gone":
        shutil.rmtree(root.parent)
    for file in root.glob({"xml": "Annotations/*", "split": "ImageSets/Main/*"}.get(damage, "-")):
        file.write_text("\0<not what it was")
    said = []
    for ask in (
        lambda: dataset.show(backend, state),
        lambda: dataset.show(backend, dataset.DatasetState(split="val")),
        lambda: backend.library.splits,
        lambda: dataset.choices(backend.library, "train"),
        lambda: dataset.photo_card(backend, "000001"),
        lambda: dataset.csv_download(backend, "train"),
        lambda: state.from_query({"split": "val", "class": "cat"}, backend.library),
        lambda: backend.inspect(PhotoChoice("000003")).detection,
    ):
        try:
            ask()
        except UserError as error:
            said.append(user_message(error))
    # Annotations that were read before are remembered: then nothing fails.
    assert bool(said) == (damage == "gone" or not drawn_before)
    assert not [text for text in said if "secret" in text or str(tmp_path) in text]


def test_other_paths_are_shortened_too():
    assert user_message(UserError("cannot read /srv/deep/inside/a.xml: it is empty.")) == (
        "Cannot read a.xml: it is empty."
    )
