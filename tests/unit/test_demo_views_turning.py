"""The photo that turns beside the answer, without a browser."""

import json
import re

import numpy as np
import pytest

from demo.views.markup import DrawnBox
from demo.views.turning import DEGREES, frames_of, turning_photo
from model.augment import AugmentConfig
from model.augment.geometry import move_boxes
from model.augment.steps.rotation import Rotation

USUAL = AugmentConfig().rotation_degrees


@pytest.mark.parametrize("size", [(200, 200), (300, 90)])
def test_the_boxes_are_those_of_augmentation(size):
    box, rule = [60, 20, 120, 70], AugmentConfig().box_rule
    frames = frames_of(box, size)
    assert frames[0] == frames[-1] == (0.0, box)
    angles = [angle for angle, _ in frames]
    assert (max(angles), min(angles)) == (DEGREES, -DEGREES)
    for angle, moved in frames:
        turned = move_boxes(np.array(box), Rotation().matrix({"angle": angle}, size), rule)
        assert moved == pytest.approx(turned.clip(0, [*size, *size]).tolist(), abs=0.1)


def test_a_box_at_the_border_stays_within_the_photo():
    for _, (x1, y1, x2, y2) in frames_of([0, 0, 100, 50], (100, 50)):
        assert 0 <= x1 < x2 <= 100
        assert 0 <= y1 < y2 <= 50


def test_it_is_a_few_kilobytes():
    html = turning_photo(DrawnBox((1, 2, 300, 400), "prediction", "cat"), (4000, 3000))
    assert len(html) < 4000
    assert f"easy to see (training: ±{USUAL:g}°)" in html
    (frames,) = re.findall(r'data-frames="([^"]+)"', html)
    assert len(json.loads(frames)) == 25
