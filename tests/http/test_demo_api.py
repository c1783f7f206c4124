"""The real server, called as clients call it."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import REPOSITORY
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from model import load_detector
from model.augment import AugmentConfig, working_side
from model.data.images import load_fitted
from model.inspect.variants import make_variants, to_dict

CAT = REPOSITORY / "examples" / "cat.jpg"
EXAMPLE_NAMES = {path.stem for path in CAT.parent.glob("*.jpg")}


@pytest.fixture(scope="module")
def client(demo_address) -> Client:
    return Client(demo_address, verbose=False)


@pytest.fixture(scope="module")
def detector():
    return load_detector()


def test_only_four_endpoints_are_public_and_documented(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert sorted(endpoints) == ["/augment", "/detect", "/detect_many", "/sample"]
    names = [p["parameter_name"] for p in endpoints["/augment"]["parameters"]]
    assert names == [
        "photo", "sample", "bbox_xyxy", "settings", "seed", "count", "ask_detector", "checkpoint",
    ]  # fmt: skip
    assert client.view_api(return_format="dict")["unnamed_endpoints"] == {}


def test_detect_says_what_python_says(client, detector):
    answer = client.predict(photo=handle_file(CAT), api_name="/detect")
    expected = detector.predict(CAT)
    assert answer["class_name"] == expected.class_name == "cat"
    assert answer["bbox_xyxy"] == pytest.approx(expected.bbox_xyxy, abs=0.5)
    assert answer["score"] == pytest.approx(expected.score, abs=0.01)
    assert answer["image_size"] == list(expected.image_size)
    assert len(answer["probabilities"]) == 20
    by_name = client.predict(photo=None, sample="cat", api_name="/detect")
    assert by_name["bbox_xyxy"] == answer["bbox_xyxy"]


def test_visitors_who_ask_at_the_same_time_get_their_own_answers(client, detector):
    """The server answers them together."""

    def ask(name: str) -> dict:
        return client.predict(photo=None, sample=name, api_name="/detect")

    names = sorted(EXAMPLE_NAMES) * 3
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, names))
    for name, answer in zip(names, answers, strict=True):
        expected = detector.predict(CAT.with_name(f"{name}.jpg"))
        assert answer["class_name"] == expected.class_name
        assert answer["bbox_xyxy"] == pytest.approx(expected.bbox_xyxy, abs=0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"photo": None}, "Choose a photo first"),
        ({"photo": None, "sample": "../../etc/passwd"}, "There is no sample"),
        ({"photo": None, "sample": "cat", "checkpoint": "../../secret"}, "There is no checkpoint"),
        ({"photo": handle_file(REPOSITORY / "README.md")}, "is not an image"),
    ],
)
def test_detect_refuses_in_one_sentence(client, arguments, words):
    with pytest.raises(AppError, match=words):
        client.predict(**arguments, api_name="/detect")


def test_augment_is_the_pipeline(client, detector):
    settings = {"rotation_degrees": 20, "box_rule": "hull"}
    box = [60, 40, 400, 280]
    answer = client.predict(
        photo=handle_file(CAT), bbox_xyxy=box, settings=settings, seed=3, count=4,
        api_name="/augment",
    )  # fmt: skip
    size = detector.info.image_size
    photo = load_fitted(CAT, working_side(size))
    scale = [s / f for s, f in zip(photo.image.size, photo.original_size, strict=True)] * 2
    scaled = [v * s for v, s in zip(box, scale, strict=True)]
    config = AugmentConfig(**settings)
    expected = make_variants(photo.image, scaled, config, size, 3, 4)
    assert answer["variants"] == json.loads(json.dumps([to_dict(v) for v in expected]))
    assert answer["settings"]["rotation_degrees"] == 20
    assert answer["box_from"] == "my own"


def test_augment_takes_the_truth_and_asks_the_detector(client):
    answer = client.predict(
        photo=None, sample="000004", count=2, ask_detector=True, api_name="/augment"
    )
    truth = client.predict(sample="000004", api_name="/sample")
    (largest,) = [thing for thing in truth["objects"] if thing["largest"]]
    assert answer["box_from"] == "ground truth"
    assert answer["bbox_xyxy"] == pytest.approx(largest["bbox_xyxy"])
    assert answer["class_name"] == largest["class_name"]
    assert all(0 <= v["detector"]["iou"] <= 1 for v in answer["variants"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 0}, "from 1 to 16"),
        ({"count": 99}, "number of variants must be"),
        ({"seed": -1}, "seed must be"),
        ({"settings": {"hue": 7}}, "Hue must be a number from 0 to 0.5"),
        ({"settings": {"colour": 1}}, "nknown augmentation setting"),
        ({"settings": [1]}, "JSON object"),
        ({"bbox_xyxy": [1, 2]}, "four numbers"),
        ({"bbox_xyxy": [9, 9, 3, 3]}, "no area"),
    ],
)
def test_augment_refuses_in_one_sentence(client, arguments, words):
    with pytest.raises(AppError, match=words):
        client.predict(photo=None, sample="cat", **arguments, api_name="/augment")


def test_detect_many_skips_what_it_cannot_read(client):
    files = [CAT, REPOSITORY / "LICENSE", REPOSITORY / "examples" / "astronaut.jpg"]
    answer = client.predict(photos=[handle_file(f) for f in files], api_name="/detect_many")
    assert [d["file_name"] for d in answer["detections"]] == ["cat.jpg", "astronaut.jpg"]
    assert [d["class_name"] for d in answer["detections"]] == ["cat", "person"]
    assert len(answer["problems"]) == 1
    assert "LICENSE" in answer["problems"][0]


def test_any_sample(client):
    assert client.predict(api_name="/sample")["sample"] in EXAMPLE_NAMES


def test_plain_http_as_in_the_readme(demo_address):
    """POST, then read the event stream: what curl does."""
    body = json.dumps({"data": [None, "cat", ""]}).encode()
    request = urllib.request.Request(
        f"{demo_address}gradio_api/call/detect", body, {"Content-Type": "application/json"}
    )
    event = json.load(urllib.request.urlopen(request))["event_id"]
    with urllib.request.urlopen(f"{demo_address}gradio_api/call/detect/{event}") as stream:
        lines = stream.read().decode().splitlines()
    assert lines[0] == "event: complete"
    assert json.loads(lines[1].removeprefix("data: "))[0]["class_name"] == "cat"


@pytest.mark.parametrize("path", ["README.md", "checkpoints/README.md", "/etc/passwd", "train.py"])
def test_files_of_the_server_cannot_be_read(demo_address, path):
    full = path if path.startswith("/") else str(REPOSITORY / path)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{demo_address}gradio_api/file={full}")
    assert refused.value.code in (403, 404)


def test_a_path_from_a_client_is_no_photo(client, demo_address):
    """Naming a file on the server's disk instead of uploading one."""
    body = json.dumps({"data": [{"path": str(CAT), "meta": {"_type": "gradio.FileData"}}, "", ""]})
    request = urllib.request.Request(
        f"{demo_address}gradio_api/call/detect", body.encode(), {"Content-Type": "application/json"}
    )
    event = json.load(urllib.request.urlopen(request))["event_id"]
    with urllib.request.urlopen(f"{demo_address}gradio_api/call/detect/{event}") as stream:
        assert "event: error" in stream.read().decode()
