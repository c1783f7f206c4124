"""The real download code against a local server that can break off, resume and lie."""

import hashlib
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import file_size_limit, make_voc

from model.data import download
from model.data.dataset import read_split
from model.errors import UserError


class Mirror(BaseHTTPRequestHandler):
    """Serves ``server.content``; answers ranges; breaks off after ``server.break_after`` bytes."""

    def do_GET(self):
        content, start = self.server.content, 0
        self.server.ranges.append(self.headers.get("Range"))
        if requested := self.headers.get("Range"):
            start = int(requested.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.server.break_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    make_voc(tmp_path / "src" / "VOCdevkit" / "VOC2007", 4, 2)
    archive = tmp_path / "voc.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "src" / "VOCdevkit", "VOCdevkit")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.content, server.break_after, server.ranges = archive.read_bytes(), None, []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setitem(
        download.DATASET_YEAR_DICT,
        "2007",
        {
            "url": f"http://127.0.0.1:{server.server_port}/VOCtrainval.tar",
            "filename": "VOCtrainval.tar",
            "md5": hashlib.md5(server.content).hexdigest(),
        },
    )
    yield server
    server.shutdown()


def test_downloads_verifies_unpacks_and_does_not_repeat(mirror, tmp_path):
    folder = download.download_voc2007(tmp_path / "data", progress=False)
    assert len(read_split(folder, "train").frame) == 4
    download.download_voc2007(tmp_path / "data", progress=False)
    assert mirror.ranges == [None]


def test_goes_on_where_it_broke_off(mirror, tmp_path):
    mirror.break_after = 5000
    with pytest.raises(UserError, match="broke at 5000") as caught:
        download.download_voc2007(tmp_path / "data", progress=False)
    assert "by hand" in str(caught.value)
    mirror.break_after = None
    folder = download.download_voc2007(tmp_path / "data", progress=False)
    assert mirror.ranges == [None, "bytes=5000-"]
    assert len(read_split(folder, "val").frame) == 2


def test_a_disk_too_full_to_unpack_keeps_what_was_downloaded(mirror, tmp_path):
    archive = tmp_path / "data" / "VOCtrainval.tar"
    archive.parent.mkdir()
    archive.write_bytes(mirror.content)
    with file_size_limit(1000), pytest.raises(UserError, match="cannot be unpacked") as caught:
        download.download_voc2007(tmp_path / "data", progress=False)
    assert "Make room" in str(caught.value)
    assert archive.read_bytes() == mirror.content
    folder = download.download_voc2007(tmp_path / "data", progress=False)
    assert len(read_split(folder, "train").frame) == 4
    assert mirror.ranges == []


def test_wrong_md5_is_never_unpacked(mirror, tmp_path):
    mirror.content = mirror.content[:-1] + b"x"
    with pytest.raises(UserError, match="wrong md5"):
        download.download_voc2007(tmp_path / "data", progress=False)
    assert not list((tmp_path / "data").iterdir())


def test_silent_host_names_the_steps_by_hand(mirror, tmp_path, monkeypatch):
    source = download.DATASET_YEAR_DICT["2007"]
    monkeypatch.setitem(source, "url", "http://127.0.0.1:9/VOCtrainval.tar")
    with pytest.raises(UserError) as caught:
        download.download_voc2007(tmp_path / "data", progress=False)
    for text in ("by hand", source["md5"], "VOCtrainval.tar", str(tmp_path / "data")):
        assert text in str(caught.value)


def test_torchvision_still_knows_the_published_checksums():
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    assert DATASET_YEAR_DICT["2007-test"]["md5"] == "b6e924de25625d8de591ea690078ad9f"
