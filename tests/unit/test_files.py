import os
import stat

import pytest
from conftest import file_size_limit, mounted_tmpfs

from model.errors import UserError
from model.files import atomic_write, distinct, ensure_room, ensure_writable


def test_a_file_appears_whole_and_readable_by_others(tmp_path):
    with atomic_write(tmp_path / "new" / "a.csv") as temporary:
        assert temporary.suffix == ".csv"
        temporary.write_text("1")
        assert not (tmp_path / "new" / "a.csv").exists()
    assert (tmp_path / "new" / "a.csv").read_text() == "1"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new" / "a.csv").stat().st_mode) == 0o666 & ~mask
    assert len(list((tmp_path / "new").iterdir())) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_goes_wrong_inside_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def write_half():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_sentence_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with (
        file_size_limit(10),
        pytest.raises(UserError, match=r"cannot write .*a\.csv: File too large.*Make room"),
        atomic_write(path) as temporary,
    ):
        temporary.write_text("longer than that")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def under_a_file(tmp_path):
    (tmp_path / "file").touch()
    return tmp_path / "file" / "folder"


@pytest.mark.parametrize("write", [ensure_writable, lambda f: atomic_write(f / "a").__enter__()])
def test_a_folder_that_cannot_be_written_to(tmp_path, write):
    with pytest.raises(UserError, match=r"cannot write.*Choose a folder you may write to"):
        write(under_a_file(tmp_path))
    with (
        mounted_tmpfs(tmp_path / "disk", "ro") as disk,
        pytest.raises(UserError, match="Read-only file system"),
    ):
        write(disk / "run")


def test_trying_leaves_nothing_but_the_folder(tmp_path):
    ensure_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_room(tmp_path):
    ensure_room(tmp_path, 1)
    with pytest.raises(UserError, match=r"needs 1,099,511,627,776 MiB of disk space and there are"):
        ensure_room(tmp_path, 2**60)
    with mounted_tmpfs(tmp_path / "disk", "size=1m") as disk:
        ensure_room(disk, 2**20)
        with pytest.raises(UserError, match="there are 1 MiB"):
            ensure_room(disk, 2**20 + 1)


def test_names_that_are_taken_are_numbered_until_they_are_free():
    names = ["a", "A", "a_2", "b", "a"]
    assert distinct(names, "_") == ["a", "A_2", "a_2_2", "b", "a_3"]
    assert distinct([], "_") == []
