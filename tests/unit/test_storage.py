"""demo/server/storage.py: whose files go first, and whose never."""

import errno
from pathlib import Path

import gradio as gr
import pytest
from starlette.formparsers import MultiPartException

from demo.server import storage
from demo.server.storage import MIB, Storage
from demo.server.uploads import delete_old_files


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch):
    monkeypatch.setattr(storage, "MAX_BYTES_OF_ADDRESS", 4 * MIB)
    monkeypatch.setattr(storage, "MAX_IN_ALL", 10 * MIB)
    monkeypatch.setattr(storage, "_disk_is_full", lambda: False)


@pytest.fixture
def store(tmp_path):
    """Store a file of one MiB of an owner; gives its folder."""
    store = Storage()

    def one(owner: str, name: str) -> Path:
        store.expect(owner, MIB)
        folder = tmp_path / name
        folder.mkdir()
        store.add(folder, owner, MIB)
        store.received(owner, MIB)
        return folder

    store.one = one
    return store


def test_the_oldest_of_a_visitor_goes_first_and_nobody_elses(store):
    others = store.one("alice", "a")
    own = [store.one("mallory", f"m{i}") for i in range(6)]
    assert others.is_dir()
    assert [folder.is_dir() for folder in own] == [False] * 2 + [True] * 4


def test_many_tiny_files_are_much(store, tmp_path):
    folders = [tmp_path / f"t{i}" for i in range(200)]
    for folder in folders:
        store.expect("mallory", 1)
        folder.mkdir()
        store.add(folder, "mallory", 0)
        store.received("mallory", 1)
    assert [folder.is_dir() for folder in folders] == [False] * 136 + [True] * 64


def test_paths_of_files_that_are_gone_are_forgotten(tmp_path):
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.touch()
    page = gr.Blocks()
    page.upload_file_set.update((str(there), str(gone)))
    delete_old_files(page, 3600)
    assert page.upload_file_set == {str(there)}


def test_what_somebody_looks_at_stays(store):
    first, *_ = [store.one("mallory", f"m{i}") for i in range(3)]
    store.use(first)
    for i in range(3, 12):
        store.one("mallory", f"m{i}")
    assert first.is_dir()


def test_a_visitor_who_looks_at_all_he_may_store_is_refused(store):
    for i in range(4):
        store.use(store.one("mallory", f"m{i}"))
    with pytest.raises(MultiPartException, match="maximum allowed size"):
        store.expect("mallory", MIB)
    store.one("alice", "a")


def test_what_was_looked_at_long_ago_goes(store, monkeypatch):
    folders = [store.one("mallory", f"m{i}") for i in range(4)]
    for folder in folders:
        store.use(folder)
    monkeypatch.setattr(storage, "LOOKED_AT_S", -1)
    store.one("mallory", "one more")
    assert [folder.is_dir() for folder in folders] == [False, True, True, True]


def test_the_oldest_of_all_goes_when_all_have_too_much(store):
    folders = [store.one(f"visitor {i}", f"f{i}") for i in range(10)]
    store.use(folders[0])
    store.one("another", "last")
    assert [folder.is_dir() for folder in folders] == [True, False] + [True] * 8


def test_all_in_use_is_a_full_disk(store):
    for i in range(10):
        store.use(store.one(f"visitor {i}", f"f{i}"))
    with pytest.raises(OSError, match="No space") as full:
        store.expect("another", MIB)
    assert full.value.errno == errno.ENOSPC


def test_a_reserve_of_the_disk_stays_free(store, monkeypatch):
    folders = [store.one("alice", f"f{i}") for i in range(3)]
    monkeypatch.setattr(storage, "_disk_is_full", lambda: folders[1].is_dir())
    store.one("bob", "b")
    assert [folder.is_dir() for folder in folders] == [False, False, True]
    monkeypatch.setattr(storage, "_disk_is_full", lambda: True)
    with pytest.raises(OSError, match="No space"):
        store.expect("alice", MIB)


def test_uploads_under_way_count_and_stop_counting(store):
    store.expect("mallory", 3 * MIB)
    with pytest.raises(MultiPartException):
        store.expect("mallory", 2 * MIB)
    store.received("mallory", 3 * MIB)
    store.expect("mallory", 4 * MIB)


def test_files_removed_for_their_age_do_not_count(store):
    for i in range(4):
        folder = store.one("mallory", f"m{i}")
        store.use(folder)
        folder.rmdir()
    store.one("mallory", "one more")


def test_the_same_photo_again_counts_once(store, tmp_path):
    (tmp_path / "same").mkdir()
    for _ in range(20):
        store.expect("mallory", MIB)
        store.add(tmp_path / "same", "mallory", MIB)
        store.received("mallory", MIB)
    store.expect("mallory", 3 * MIB)


def test_a_photo_somebody_looks_at_stays_when_another_one_sends_it_again(store):
    """Both have it at the same place, which is named after what is in the file."""
    photo = store.one("alice", "photo")
    store.use(photo)
    photo.rmdir()  # a file that is sent again is put in the same folder
    assert store.one("mallory", "photo") == photo
    for i in range(12):
        store.one("mallory", f"m{i}")
    assert photo.is_dir()
