"""model/inspect/explanation.py: heat maps point at what an answer was read from."""

import numpy as np
import pytest
import torch
from PIL import Image

from model import load_detector
from model.data.images import LoadedImage
from model.data.samples import PhotoLibrary
from model.inference import Detector
from model.inspect.explanation import explain
from model.network.detector import HEADS, LargestObjectDetector

REPOSITORY_CAT = "examples/cat.jpg"


@pytest.mark.parametrize("head", HEADS)
def test_maps_of_the_class_and_the_box(head):
    torch.manual_seed(0)
    detector = Detector(LargestObjectDetector(image_size=64, head=head).eval(), device="cpu")
    noise = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    maps = explain(detector, LoadedImage(Image.fromarray(noise), (90, 60)))
    expected = {"class": (2, 2)} | ({"box": (8, 8)} if head == "pyramid" else {})
    assert {name: heat.shape for name, heat in maps.items()} == expected
    for heat in maps.values():
        assert heat.dtype == np.float32
        assert 0 <= heat.min() <= heat.max() <= 1


@pytest.mark.parametrize("name", ["class", "box"])
def test_both_are_read_where_the_object_is(name):
    """An example photo pasted left or right on grey: the heat follows it."""
    detector = load_detector()
    cat = Image.open(REPOSITORY_CAT).convert("RGB").resize((250, 250))
    centres = []
    for left in (0, 350):
        photo = Image.new("RGB", (600, 250), (124, 116, 104))
        photo.paste(cat, (left, 0))
        heat = explain(detector, detector.load(photo))[name]
        columns = heat.sum(axis=0)
        centres.append(float((columns * np.arange(len(columns))).sum() / columns.sum()))
    assert centres[0] + len(columns) / 8 < centres[1]


@pytest.mark.slow
def test_nothing_is_left_behind():
    detector = load_detector()
    explain(detector, detector.load(REPOSITORY_CAT))
    assert all(p.grad is None for p in detector.model.parameters())


@pytest.mark.parametrize("name", ["owl", "moonwalk", "parrot"])
def test_most_of_the_heat_of_the_class_is_on_the_object(name):
    """Grad-CAM in its place leaves a third of the heat beside the owl."""
    detector, named = load_detector(), PhotoLibrary(None).get(name)
    photo = detector.load(named.path)
    heat = explain(detector, photo)["class"]
    assert named.largest
    inside = []
    for side, n in enumerate((heat.shape[1], heat.shape[0])):
        length = photo.original_size[side]
        centres = (np.arange(n) + 0.5) / n * length
        low, high = named.largest.bbox_xyxy[side], named.largest.bbox_xyxy[side + 2]
        half = length / n / 2  # a cell counts if it touches the box
        inside.append((centres > low - half) & (centres < high + half))
    assert heat[np.ix_(inside[1], inside[0])].sum() / heat.sum() > 0.75
