import errno
import json
import os
import pickle
from contextlib import nullcontext

import numpy as np
import pytest
from conftest import file_size_limit, make_voc
from own_data import damage

from model.data import pixel_cache
from model.data.dataset import read_split
from model.data.images import load_fitted
from model.data.pixel_cache import PixelCache, refuse_without_room
from model.errors import UserError


@pytest.fixture
def files(tmp_path):
    root = make_voc(tmp_path / "VOC2007", 5, 1)
    return sorted((root / "JPEGImages").iterdir())


def open_cache(files, folder, side=80):
    return PixelCache(files, side, folder, progress=False)


def test_holds_the_pixels_the_loader_gives(files, tmp_path):
    cache = open_cache(files, tmp_path / "cache")
    assert len(cache) == 6
    for i, file in enumerate(files):
        expected = load_fitted(file, 80).image
        assert np.array_equal(np.asarray(cache[i]), np.asarray(expected))


def test_is_built_once(files, tmp_path, monkeypatch):
    open_cache(files, tmp_path / "cache")
    monkeypatch.setattr(pixel_cache, "load_each", lambda *_: pytest.fail("decoded again"))
    assert len(open_cache(files, tmp_path / "cache")) == 6


@pytest.mark.parametrize(
    "change", ["content", "content alone", "touched", "order", "side", "format"]
)
def test_a_stale_cache_is_never_used(files, tmp_path, monkeypatch, change):
    before = open_cache(files, tmp_path / "cache").path
    side = 80
    if change == "content":
        files[0].write_bytes(files[1].read_bytes())
    elif change == "content alone":  # size and time are as they were
        facts = files[0].stat()
        content = bytearray(files[0].read_bytes())
        content[-40] ^= 1
        files[0].write_bytes(content)
        os.utime(files[0], ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert (files[0].stat().st_size, files[0].stat().st_mtime_ns) == (
            facts.st_size,
            facts.st_mtime_ns,
        )
    elif change == "touched":
        os.utime(files[0], (1, 1))
    elif change == "order":
        files = files[::-1]
    elif change == "side":
        side = 40
    else:
        monkeypatch.setattr(pixel_cache, "FORMAT", 999)
    after = open_cache(files, tmp_path / "cache", side)
    assert after.path != before
    assert np.array_equal(np.asarray(after[0]), np.asarray(load_fitted(files[0], side).image))


def test_workers_get_a_copy_that_maps_the_file_itself(files, tmp_path):
    cache = open_cache(files, tmp_path / "cache")
    first = np.asarray(cache[0])
    sent = pickle.dumps(cache)
    assert len(sent) < 20_000  # not the pixels
    assert np.array_equal(np.asarray(pickle.loads(sent)[0]), first)


def test_a_missing_photo_is_named_and_leaves_no_cache(files, tmp_path):
    files[3].unlink()
    with pytest.raises(UserError, match=files[3].name):
        open_cache(files, tmp_path / "cache")
    folder = tmp_path / "cache"
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize("broken", [[0], [5], [1, 2, 4], [0, 1, 2, 3, 4, 5]])
def test_all_photos_that_cannot_be_decoded_are_reported_and_the_others_served(
    files, tmp_path, monkeypatch, broken
):
    for i in broken:
        damage(files[i])
    for _ in range(2):  # built, and opened again
        cache = open_cache(files, tmp_path / "cache")
        assert list(cache.unreadable) == broken
        for i, file in enumerate(files):
            if i in broken:
                assert file.name in cache.unreadable[i]
                with pytest.raises(UserError, match=file.name):
                    cache[i]
            else:
                expected = load_fitted(file, 80).image
                assert np.array_equal(np.asarray(cache[i]), np.asarray(expected))
        monkeypatch.setattr(pixel_cache, "load_each", lambda *_: pytest.fail("decoded again"))


def test_a_mended_photo_is_read_again(files, tmp_path):
    whole = files[2].read_bytes()
    damage(files[2])
    assert list(open_cache(files, tmp_path / "cache").unreadable) == [2]
    files[2].write_bytes(whole)
    assert open_cache(files, tmp_path / "cache").unreadable == {}


def test_too_little_room_is_said_unless_the_cache_is_there(files, tmp_path, monkeypatch):
    split = read_split(tmp_path / "VOC2007", "train")
    needed = open_cache(split.files, tmp_path / "first").path.stat().st_size
    folder = tmp_path / "deep" / "cache"  # need not exist
    for free, splits, fits in (
        (needed, [split], True),
        (needed - 1, [split], False),
        (needed, [split, split], True),  # one cache
        (needed, [split, read_split(tmp_path / "VOC2007", "val")], False),
    ):
        monkeypatch.setattr(pixel_cache, "free_bytes", lambda _, free=free: free)
        with nullcontext() if fits else pytest.raises(UserError, match=f"{folder}.*--cache-dir"):
            refuse_without_room(splits, 80, folder)
    assert not folder.exists()
    open_cache(split.files, folder)
    monkeypatch.setattr(pixel_cache, "free_bytes", lambda _: 0)
    refuse_without_room([split], 80, folder)


def test_unwritable_folder(files, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        open_cache(files, tmp_path / "file")


def edit_index(cache, change):
    index = json.loads(cache.index_path.read_text())
    change(index)
    cache.index_path.write_text(json.dumps(index))


DAMAGE = {
    "pixels cut": lambda c: os.truncate(c.path, c.path.stat().st_size - 1),
    "pixels too long": lambda c: c.path.write_bytes(c.path.read_bytes() + b"x"),
    "pixels empty": lambda c: c.path.write_bytes(b""),
    "index cut": lambda c: c.index_path.write_text(c.index_path.read_text()[:-5]),
    "index empty": lambda c: c.index_path.write_text(""),
    "index not UTF-8": lambda c: c.index_path.write_bytes(b"\xff\xfe\x00"),
    "index a list": lambda c: c.index_path.write_text("[]"),
    "index nested deeply": lambda c: c.index_path.write_text("[" * 100_000),
    "a size missing": lambda c: edit_index(c, lambda i: i["photos"].pop()),
    "a photo for a sentence": lambda c: edit_index(
        c, lambda i: i["photos"].__setitem__(2, "it cannot be decoded")
    ),
    "sizes of strings": lambda c: edit_index(c, lambda i: i.update(photos=["abc"] * 6)),
    "a fraction": lambda c: edit_index(c, lambda i: i["photos"][0].__setitem__(0, 80.0)),
    "a negative size": lambda c: edit_index(
        c, lambda i: i["photos"].__setitem__(0, [-v for v in i["photos"][0]])
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_built_again(files, tmp_path, damage, capsys):
    DAMAGE[damage](open_cache(files, tmp_path / "cache"))
    capsys.readouterr()
    healed = open_cache(files, tmp_path / "cache")
    for i, file in enumerate(files):
        assert np.array_equal(np.asarray(healed[i]), np.asarray(load_fitted(file, 80).image))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "is damaged" in said[0]
    open_cache(files, tmp_path / "cache")
    assert capsys.readouterr().err == ""  # it healed for good


@pytest.mark.skipif(os.geteuid() != 0, reason="who may not read it may not replace it either")
def test_a_folder_in_the_place_of_a_cache_file_is_named(files, tmp_path):
    cache = open_cache(files, tmp_path / "cache")
    cache.path.unlink()
    cache.path.mkdir()
    with pytest.raises(UserError, match=f"cannot write.*{cache.path.name}"):
        open_cache(files, tmp_path / "cache")


def test_a_disk_that_fills_up_is_one_sentence_and_leaves_nothing(files, tmp_path):
    with file_size_limit(10_000), pytest.raises(UserError) as caught:
        open_cache(files, tmp_path / "cache")
    assert os.strerror(errno.EFBIG) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_wrong_pixels_in_a_file_of_the_right_length_are_never_served(files, tmp_path):
    cache = open_cache(files, tmp_path / "cache")
    content = bytearray(cache.path.read_bytes())
    content[cache.offsets[2] + 7] ^= 1
    cache.path.write_bytes(content)
    damaged = open_cache(files, tmp_path / "cache")
    assert np.array_equal(np.asarray(damaged[1]), np.asarray(load_fitted(files[1], 80).image))
    for _ in range(2):
        with pytest.raises(UserError, match=f"{cache.path} is damaged. Delete it"):
            damaged[2]
