"""What is said of a frame of the camera, without a browser."""

import base64

import pytest
from conftest import REPOSITORY

from demo.live import MAX_FRAME, START, Frame, LiveCamera, look
from model.checkpoint import DEFAULT_CHECKPOINT
from model.errors import UserError

CAT = (REPOSITORY / "examples" / "cat.jpg").read_bytes()


@pytest.fixture(scope="module")
def camera() -> LiveCamera:
    return LiveCamera()


def sent(content: bytes) -> dict:
    return {"number": 3, "frame": START + base64.b64encode(content).decode()}


def test_a_frame_is_answered_like_a_photo(camera, backend):
    frame = camera.preprocess(sent(CAT))
    assert frame == Frame(3, CAT)
    said = look(frame, DEFAULT_CHECKPOINT, 0.5)
    expected = backend.detector().predict(CAT)
    assert (said["number"], said["kind"]) == (3, "sure")
    assert said["words"] == f"cat {100 * expected.score:.0f} %"
    assert said["size"] == list(expected.image_size)
    assert said["bbox_xyxy"] == pytest.approx(expected.bbox_xyxy, abs=0.06)
    assert look(frame, DEFAULT_CHECKPOINT, 1)["words"] == "Not sure. Probably a cat."


@pytest.mark.parametrize(
    "payload",
    [
        None, "text", {}, {"number": True, "frame": START}, {"number": 10**25, "frame": START},
        {"number": 1}, {"number": "1", "frame": START}, {"number": 1, "frame": 7},
        {"number": 1, "frame": START + "&&&"}, {"number": 1, "frame": "x" * (MAX_FRAME + 1)},
    ],
)  # fmt: skip
def test_what_is_no_frame_is_refused(camera, payload):
    with pytest.raises(UserError, match="no frame of a camera"):
        camera.preprocess(payload)


def test_what_cannot_be_read_is_said(camera):
    with pytest.raises(UserError, match="not an image this program can read"):
        look(camera.preprocess(sent(b"no photo")), DEFAULT_CHECKPOINT, 0.5)
