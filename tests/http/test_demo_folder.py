"""Many photos, augmented into one ZIP: over HTTP, as the page asks for it."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import A_CONNECTION_EACH, REPOSITORY, SLOW_PHOTO, write_voc_xml
from handlers import META, harmless, upload
from PIL import Image

from demo.views.augment.folder import MAX_PICTURES
from model.data.dataset import Dataset

CAT, DOG, NOTHING = (
    REPOSITORY / "examples" / name for name in ("cat.jpg", "dog.jpg", "balloon.jpg")
)


@pytest.fixture(scope="module")
def http(demo_address) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=demo_address, timeout=120, limits=A_CONNECTION_EACH) as client:
        yield client


class Maker:
    """Asks for ZIPs, and reads what comes back."""

    def __init__(self, http: httpx.Client) -> None:
        config = http.get("config").json()
        self.http, self.known = http, {c["id"]: c for c in config["components"]}
        by_name = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        self.handler = next(
            d for d in config["dependencies"]
            if d["backend_fn"] and [by_name["folder-make"], "click"] in d["targets"]
        )  # fmt: skip

    def ask(self, files: dict[str, Path], **values: Any) -> str:
        """Send files under these names, and begin; gives the session that reads the answer."""
        sent = [
            {"path": upload(self.http, path), "orig_name": name, **META}
            for name, path in files.items()
        ]
        data = []
        for number in self.handler["inputs"]:
            name = self.known[number]["props"].get("elem_id", "")
            given = {"folder-files": sent, "photo": {"sample": "cat"}, **values}
            data.append(given.get(name, harmless(self.known[number])))
        session = uuid.uuid4().hex
        body = {"fn_index": self.handler["id"], "data": data, "session_hash": session}
        self.event = self.http.post("gradio_api/queue/join", json=body).json()["event_id"]
        return session

    def messages(self, session: str) -> Iterator[dict[str, Any]]:
        where = "gradio_api/queue/data"
        with self.http.stream("GET", where, params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line else {}
                yield message
                if message.get("msg") == "process_completed":
                    return

    def make(self, files: dict[str, Path], **values: Any) -> tuple[str, zipfile.ZipFile | None]:
        """What is said at last, and the ZIP."""
        *_, last = self.messages(self.ask(files, **values))
        shown, file, _ = last["output"]["data"]
        if "path" not in file:
            return shown, None
        content = self.http.get(f"gradio_api/file={file['path']}").content
        return shown, zipfile.ZipFile(io.BytesIO(content))


@pytest.fixture(scope="module")
def maker(http) -> Maker:
    return Maker(http)


def test_a_folder_comes_back_with_the_boxes_of_its_annotations(maker, toy_voc, tmp_path):
    voc = toy_voc / "VOCdevkit" / "VOC2007"
    names = ["000000", "000001", "000004"]
    files = {f"set/JPEGImages/{n}.jpg": voc / "JPEGImages" / f"{n}.jpg" for n in names}
    files |= {f"set/Annotations/{n}.xml": voc / "Annotations" / f"{n}.xml" for n in names}
    shown, archive = maker.make(files, **{"folder-count": 2})
    assert "6 pictures of 3 photos" in shown
    assert "detector" not in shown
    assert archive
    archive.extractall(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["boxes_from_detector"] == {}
    assert (manifest["variants"], manifest["pictures"]) == (2, "canvas")
    found = {Path(p.path).name: p.image for p in Dataset(tmp_path, "coco").photos}
    known = Dataset(voc)
    assert len(found) == 6
    for name, image in found.items():
        photo = known.find(name.partition("_")[0])
        assert photo
        objects = sorted(photo.image.objects, key=lambda o: -o.area)
        assert image.objects[0].class_name == objects[0].class_name
        assert len(image.objects) <= len(objects)
    assert sum(len(image.objects) for image in found.values()) > 6  # two of the photos show two


def test_without_annotation_it_is_the_detectors_box_and_bad_photos_are_named(maker, tmp_path):
    xml = write_voc_xml(tmp_path, "dog", Image.open(DOG).size, [("sofa", 10, 20, 200, 180)])
    broken = tmp_path / "words.jpg"
    broken.write_text("no photo")
    files = {
        "cat.jpg": CAT, "dog.jpg": DOG, "dog.xml": xml, "words.jpg": broken, "sky.jpg": NOTHING,
    }  # fmt: skip
    shown, archive = maker.make(files, **{"folder-count": 1})
    assert "sky.jpg: the detector is not sure of it. Send its annotation too." in shown
    assert "2 pictures of 2 photos" in shown
    assert "The box of 1 photo is the detector" in shown
    assert "words.jpg is not an image" in shown
    assert archive
    manifest = json.loads(archive.read("manifest.json"))
    assert list(manifest["boxes_from_detector"]) == ["cat.jpg"]
    assert 0.5 < manifest["boxes_from_detector"]["cat.jpg"] <= 1
    coco = json.loads(archive.read("coco.json"))
    classes = {c["id"]: c["name"] for c in coco["categories"]}
    assert [classes[a["category_id"]] for a in coco["annotations"]] == ["cat", "sofa"]


@pytest.mark.parametrize(
    ("files", "count", "words"),
    [
        ({}, 3, "Choose some photos first"),
        ({f"{n}.jpg": CAT for n in range(19)}, 16, f"at most {MAX_PICTURES}"),
        ({f"{n}.jpg": CAT for n in range(101)}, 1, "101 photos are too many"),
        ({"words.jpg": REPOSITORY / "LICENSE"}, 1, "No photo is left."),
    ],
)
def test_what_is_too_much_gets_one_sentence(maker, monkeypatch, files, count, words):
    # The same upload under many names.
    paths: dict[Path, str] = {}
    plain = upload
    monkeypatch.setattr(
        f"{__name__}.upload", lambda http, path: paths.setdefault(path, plain(http, path))
    )
    shown, archive = maker.make(files, **{"folder-count": count})
    assert archive is None
    assert words in shown
    # And one for each photo that is left out.
    assert shown.count("<p") == 1 + shown.count("data-left-out")


def test_nothing_is_left_of_one_that_was_stopped(maker, demo_folder, tmp_path):
    slow = tmp_path / SLOW_PHOTO
    slow.write_bytes(CAT.read_bytes())
    files = {f"{n}/{SLOW_PHOTO if n else 'cat.jpg'}": slow if n else CAT for n in range(4)}
    before = set(demo_folder.rglob("take-away/*"))
    session = maker.ask(files, **{"folder-count": 3})
    for message in maker.messages(session):
        if message.get("msg") == "progress" and message["progress_data"][0]["desc"] == "drawing":
            break
    else:
        pytest.fail("it was finished before it could be stopped")
    body = {"session_hash": session, "fn_index": maker.handler["id"], "event_id": maker.event}
    assert maker.http.post("gradio_api/cancel", json=body).json()["success"]
    until = time.monotonic() + 60
    while set(demo_folder.rglob("take-away/*")) - before:
        assert time.monotonic() < until, "what was made so far is still there"
        time.sleep(0.1)
