from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from conftest import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model import UserError, load_detector
from model.boxes import box_areas
from model.checkpoint import CheckpointInfo, load_checkpoint
from model.data.dataset import read_split
from model.evaluation.predict_dataset import LoaderOptions, predict_dataset, predict_negatives
from model.inference import Detector
from model.loading.dataset import DetectionDataset
from model.network.detector import LargestObjectDetector
from model.predictions import BatchPrediction
from model.score import Calibration
from model.second_look import SecondLook, cut_window

CANVAS = 64
SMALL = (REPOSITORY / "examples" / "owl.jpg", REPOSITORY / "examples" / "moonwalk.jpg")


def prediction(boxes, probabilities=None, evidence=None) -> BatchPrediction:
    n = len(boxes)
    return BatchPrediction(
        torch.tensor(probabilities or [[0.5, 0.5]] * n),
        torch.tensor(boxes, dtype=torch.float32),
        torch.tensor(evidence or [[0.0] * 4] * n),
        torch.full((n, 2, 2), 0.25),
    )


@pytest.fixture(scope="module")
def shipped():
    """The shipped weights, looking twice at what covers up to 35 % of a photo."""
    model, info = load_checkpoint()
    calibration = replace(info.calibration, second_look=SecondLook(below=0.35))
    return Detector(model, replace(info, calibration=calibration))


@pytest.fixture
def tiny(monkeypatch):
    """An untrained network whose box is given by the test."""
    torch.manual_seed(0)
    network = LargestObjectDetector(("ant", "bee"), CANVAS)
    return Detector(network, CheckpointInfo(("ant", "bee"), CANVAS), "cpu", bf16=False)


def test_only_what_is_small_is_wanted_again():
    boxes = torch.tensor([[0.0, 0, 64, 64], [0, 0, 32, 32], [0, 0, 32, 31.9], [9, 9, 9, 9]])
    assert SecondLook(below=0.25).is_wanted(boxes, CANVAS).tolist() == [False, True, True, True]
    assert SecondLook(below=1.0).is_wanted(2 * boxes, CANVAS).all()


boxes_xyxy = st.tuples(*[st.floats(-10, 74, width=32)] * 4).map(
    lambda c: [min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3])]
)


@given(st.lists(boxes_xyxy, min_size=1, max_size=5), st.floats(1, 3), st.floats(0.05, 0.5))
def test_windows_lie_on_the_canvas_around_their_boxes(boxes, factor, least):
    look, known = SecondLook(factor=factor, least=least), torch.tensor(boxes)
    windows = look.windows(known, CANVAS)
    assert (windows >= 0).all()
    assert (windows <= CANVAS).all()
    seen = known.clamp(0, CANVAS)
    assert (windows[:, :2] <= seen[:, :2] + 1e-4).all()
    assert (windows[:, 2:] >= seen[:, 2:] - 1e-4).all()
    wide = (known[:, 2:] - known[:, :2]) * factor
    assert (windows[:, 2:] - windows[:, :2] <= wide.clamp(min=least * CANVAS) + 1e-3).all()


def test_a_window_in_the_middle_has_the_sides_asked_for():
    window = SecondLook(factor=2, least=0.25).windows(torch.tensor([[28.0, 26, 36, 38]]), CANVAS)
    assert window.tolist() == [[24.0, 20.0, 40.0, 44.0]]  # 16 wide, the least; 2 x 12 high


@given(st.integers(1, 90), st.integers(1, 90), boxes_xyxy)
def test_a_window_is_cut_in_whole_pixels_and_says_which(width, height, box):
    # Every pixel tells where it lay.
    down, across = np.mgrid[:height, :width].astype(np.uint8)
    photo = Image.fromarray(np.stack([across, down, 0 * down], axis=2))
    picture, shown = cut_window(photo, torch.tensor(box).clamp(0, CANVAS), CANVAS)
    scale = torch.tensor([width, height] * 2) / CANVAS
    x1, y1, x2, y2 = (shown * scale).round().int().tolist()
    assert picture.size == (x2 - x1, y2 - y1)
    assert picture.getpixel((0, 0)) == (x1, y1, 0)
    assert picture.getpixel((picture.width - 1, picture.height - 1)) == (x2 - 1, y2 - 1, 0)
    assert (shown >= 0).all()
    assert (shown <= CANVAS + 1e-3).all()


def test_boxes_of_the_same_object_are_averaged_and_of_two_the_first_is_kept():
    first = prediction([[8, 8, 24, 24], [8, 8, 24, 24]], [[0.9, 0.1], [0.9, 0.1]])
    # In pixels of a canvas that the window fills.
    second = prediction([[16, 16, 52, 48], [0, 0, 8, 8]], [[0.5, 0.5], [0.3, 0.7]], [[2.0] * 4] * 2)
    windows = torch.tensor([[0.0, 0, 32, 32], [0, 0, 32, 32]])
    both = SecondLook(agree=0.3).merge(first, second, windows, CANVAS)
    assert both.bbox_xyxy.tolist() == [[8, 8, 25, 24], [8, 8, 24, 24]]
    assert both.probabilities.flatten().tolist() == pytest.approx([0.7, 0.3, 0.6, 0.4])
    assert both.evidence.tolist() == [[1.0] * 4] * 2
    assert both.attention is first.attention


@pytest.mark.parametrize(
    "change",
    [{"below": 1.5}, {"factor": 0.5}, {"factor": float("nan")}, {"least": None}, {"agree": "x"}],
)
def test_a_second_look_of_a_file_has_usable_numbers(change):
    usable = {"below": 0.25, "factor": 1.7, "least": 0.2, "agree": 0.3}
    assert SecondLook.from_dict(usable) == SecondLook(**usable)
    with pytest.raises((ValueError, TypeError)):
        SecondLook.from_dict({**usable, **change})
    with pytest.raises(KeyError):
        SecondLook.from_dict({})


def test_how_often_to_look_is_said_or_stated():
    mine = SecondLook(below=0.1)
    silent = CheckpointInfo()
    stating = CheckpointInfo(calibration=Calibration((0.0,) * 4, 0.0, 0.5, second_look=mine))
    assert silent.second_look() is None
    assert stating.second_look() is mine
    assert stating.second_look(1) is None
    assert stating.second_look(2) is mine
    assert silent.second_look(2) == SecondLook()
    with pytest.raises(UserError, match=r"looks is 3\. Give 1 or 2"):
        silent.second_look(3)


def test_a_small_object_is_looked_at_twice_and_a_large_one_once(shipped):
    small, large = shipped.predict_batch([SMALL[1], REPOSITORY / "examples" / "cat.jpg"], looks=2)
    assert (small.looks, large.looks) == (2, 1)
    once = shipped.predict_batch([SMALL[1], REPOSITORY / "examples" / "cat.jpg"], looks=1)
    assert [d.looks for d in once] == [1, 1]
    assert once[1].probabilities == large.probabilities
    assert once[0].class_name == small.class_name
    assert once[0].bbox_xyxy != small.bbox_xyxy
    assert box_areas(torch.tensor([small.bbox_xyxy])) > 0


def test_the_shipped_checkpoint_looks_twice_at_what_is_small():
    detector = load_detector()
    balloon, cat = (REPOSITORY / "examples" / name for name in ("balloon.jpg", "cat.jpg"))
    assert [d.looks for d in detector.predict_batch([balloon, cat])] == [2, 1]
    assert [d.looks for d in detector.predict_batch([balloon, cat], looks=1)] == [1, 1]


@pytest.mark.slow
def test_a_batch_answers_as_single_photos_do(shipped):
    files = [*SMALL, REPOSITORY / "examples" / "cat.jpg"]
    for alone, together in zip(
        (shipped.predict(file, looks=2) for file in files),
        shipped.predict_batch(files, looks=2),
        strict=True,
    ):
        assert alone.looks == together.looks
        assert alone.class_name == together.class_name
        assert alone.bbox_xyxy == pytest.approx(together.bbox_xyxy, abs=6)
    assert shipped.predict_batch([], looks=2) == []


def test_a_photo_is_read_larger_only_where_it_is_looked_at_twice(tiny, tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (640, 480)).save(path)
    assert [max(tiny.load(path, looks).image.size) for looks in (1, 2)] == [80, 160]
    assert tiny.predict(path).looks == 1  # an uncalibrated checkpoint states nothing


def test_the_checkpoint_states_how_often_to_look(tiny):
    calibration = Calibration((0.0,) * 4, 0.0, 0.5, 1.0, SecondLook(below=1.0))
    info = CheckpointInfo(("ant", "bee"), CANVAS, calibration=calibration)
    twice = Detector(tiny.model, info, "cpu", bf16=False)
    assert twice.predict(Path(SMALL[0])).looks == 2
    assert twice.predict(Path(SMALL[0]), looks=1).looks == 1


def test_a_data_set_is_looked_at_as_photos_are(toy_voc, shallow_network):
    torch.manual_seed(0)
    model = LargestObjectDetector(image_size=CANVAS).eval()
    dataset = DetectionDataset(read_split(toy_voc, "val"), CANVAS, progress=False)
    accelerator = Accelerator(cpu=True)
    look = SecondLook(below=1.0)
    once, twice = (
        predict_dataset(
            model, dataset, accelerator, LoaderOptions(4, progress=False, second_look=s)
        )
        for s in (None, look)
    )
    assert (once.n_looks, twice.n_looks) == (1.0, 2.0)
    info = CheckpointInfo(
        image_size=CANVAS, calibration=Calibration((0.0,) * 4, 0.0, 0.5, 1.0, look)
    )
    detector = Detector(model, info, "cpu", bf16=False)
    for row, detection in enumerate(detector.predict_batch(dataset.files)):
        assert detection.looks == 2
        known = dataset.objects[row]
        scale = torch.tensor([known.width, known.height] * 2) / CANVAS
        assert detection.bbox_xyxy == pytest.approx(
            (twice.bbox_xyxy[row] * scale).tolist(), abs=0.05
        )
    negatives = [
        predict_negatives(model, dataset, accelerator, LoaderOptions(progress=False, second_look=s))
        for s in (None, look)
    ]
    assert negatives[0].all.shape == negatives[1].all.shape
    assert not torch.equal(negatives[0].all, negatives[1].all)
