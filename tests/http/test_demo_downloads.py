"""demo/server/downloads.py: files to download, and what becomes of old ones."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demo.server import downloads as module
from demo.server.downloads import KEEP_S, as_download, sweep
from model.errors import UserError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def test_it_is_where_gradio_serves_files_from(folder):
    path = Path(as_download("a.txt", "words"))
    assert path.read_text() == "words"
    assert path.name == "a.txt"
    assert path.is_relative_to(folder)
    assert as_download("a.txt", b"words") != str(path)


def test_old_ones_are_removed_and_young_ones_kept(folder):
    old, young = Path(as_download("a", "1")), Path(as_download("b", "2"))
    os.utime(old.parent, (0, time.time() - KEEP_S - 1))
    as_download("c", "3")
    assert not old.parent.exists()
    assert young.exists()


def test_many_visitors_sweep_at_once(folder):
    base = folder / "take-away"
    for number in range(300):
        (base / str(number)).mkdir(parents=True)
        (base / str(number) / "file").touch()
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(sweep, base, -1.0) for _ in range(8)]:
            done.result()
    assert list(base.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing_half_made(folder, monkeypatch):
    def full(path: Path, content: bytes) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left on device"):
        as_download("a", "1")
    assert list((folder / "take-away").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(folder):
    shutil.rmtree(folder)
    folder.write_text("a file where a folder should be")
    with pytest.raises(UserError, match="cannot write it"):
        as_download("a", "1")
