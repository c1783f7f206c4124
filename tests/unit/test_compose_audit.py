"""Counts over traces of pipelines, against steps whose effect is known."""

import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from model.inspect.compose_audit import ComposeTally, findings
from model.inspect.compose_trace import trace_compose

PHOTO = Image.new("RGB", (200, 100), "navy")
BOXES, LABELS = [[0, 0, 100, 100], [150, 40, 170, 60], [90, 10, 130, 50]], ["cat", "dog", "dog"]


class LeftHalf(v2.Transform):
    """Keeps the left half of the picture, whatever lies there."""

    def transform(self, inpt, params):
        return v2.functional.crop(inpt, 0, 0, 100, 100)


def counted(*steps, boxes=BOXES, labels=LABELS) -> ComposeTally:
    tally = ComposeTally()
    tally.add("one", trace_compose(v2.Compose(list(steps)), PHOTO, boxes, 0, labels))
    return tally


def test_what_is_cut_lost_and_kept():
    tally = counted(LeftHalf())
    assert [box.visible for box in tally.boxes] == pytest.approx([1, 0, 0.25])
    numbers = tally.numbers("dog")
    assert (numbers.boxes, numbers.lost, numbers.cut, numbers.dropped) == (2, 0.5, 0.5, 0)
    assert tally.numbers(targets=True).lost == 0
    assert tally.labels() == ["dog", "cat"]
    assert tally.worst(3) == []  # the largest one is whole


def test_a_step_that_drops_is_named_with_its_count():
    tally = counted(LeftHalf(), v2.SanitizeBoundingBoxes())
    assert [box.dropped_by for box in tally.boxes] == ["", "SanitizeBoundingBoxes", ""]
    assert tally.dropped_by_step() == [("SanitizeBoundingBoxes", 1)]
    assert "SanitizeBoundingBoxes drops 1 box, 33 % of all." in list(findings(tally))


def test_growth_is_that_of_the_turned_box():
    tally = counted(v2.RandomRotation((45, 45), expand=True), boxes=[[50, 0, 150, 100]],
                    labels=["cat"])  # fmt: skip
    assert tally.numbers("cat").growth == pytest.approx(1, abs=0.05)  # of a square: twice the area
    assert tally.worst(1) == [("one", "box 100 % larger")]
    assert not any("grow" in sentence for sentence in findings(tally)), "of one box"
    tally.boxes *= 20
    assert any("Boxes of cat grow by 100 %" in sentence for sentence in findings(tally))


def test_a_step_that_does_not_say_which_box_it_dropped_is_counted_apart():
    class DropsAndMoves(v2.Transform):
        def forward(self, image, target):
            boxes = target["boxes"][1:] + torch.tensor([3.0, 0, 3, 0])
            return image, {"boxes": boxes, "labels": target["labels"][1:]}

    tally = counted(DropsAndMoves())
    assert sum(tally.untold.values()) == 1
    assert len(tally.boxes) == 0
    assert tally.numbers().boxes == 0
