"""Labels on photos with many boxes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.draw import LabelledBox, draw_box, draw_boxes, place_labels


def lie_on_each_other(first, second) -> bool:
    (x, y, width, height), (u, v, across, high) = first, second
    return x < u + across and u < x + width and y < v + high and v < y + height


@pytest.mark.parametrize("n_boxes", [1, 2, 16, 60])
def test_plates_never_lie_on_each_other_and_never_leave_the_picture(n_boxes):
    rng = np.random.default_rng(n_boxes)
    corners = rng.uniform(-10, 300, (n_boxes, 4))
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    plates = [(float(width), 20.0) for width in rng.uniform(30, 90, n_boxes)]
    places = place_labels(boxes, plates, (320.0, 240.0))
    assert places[0] is not None, "the first box chooses first"
    lying = [
        (place.x, place.y, *plate)
        for place, plate in zip(places, plates, strict=True)
        if place is not None
    ]
    for first, second in itertools.combinations(lying, 2):
        assert not lie_on_each_other(first, second)
    assert all(x >= 0 and x + width <= 320 for x, _, width, _ in lying)
    assert all(y >= 0 and y + height <= 240 for _, y, _, height in lying)


def test_a_label_without_room_above_and_inside_goes_below():
    """Two boxes share their upper left corner at the top of the picture."""
    boxes = [(0, 0, 100, 60), (0, 0, 90, 40)]
    places = place_labels(boxes, [(50.0, 20.0)] * 2, (200, 100))
    assert [place and place.side for place in places] == ["inside", "below"]
    assert place_labels(boxes, [(50.0, 20.0), (0.0, 0.0)], (200, 100))[1] is None


def test_the_larger_of_two_boxes_in_one_place_keeps_its_label():
    photo = Image.new("RGB", (200, 150), "grey")
    large, small = (60.0, 60.0, 160.0, 140.0), (60.0, 60.0, 62.0, 62.0)
    both = draw_boxes(
        photo, [LabelledBox(small, (0, 0, 255), "cat"), LabelledBox(large, (255, 0, 0), "dog")]
    )
    alone = draw_box(photo, large, (255, 0, 0), "dog")
    plate = (70, 40, 90, 58)  # above the box
    assert both.crop(plate).tobytes() == alone.crop(plate).tobytes()


SIDES = st.floats(-50, 250, width=32)


@given(st.tuples(SIDES, SIDES, SIDES, SIDES), st.booleans(), st.sampled_from(["", "cat"]))
def test_any_box_is_drawn(corners, dashed, label):
    """One of dashes whose lower side lay at 149.6 could not be drawn."""
    left, right = sorted(corners[::2])
    top, bottom = sorted(corners[1::2])
    photo = Image.new("RGB", (200, 150), "grey")
    box = LabelledBox((left, top, right, bottom), (255, 0, 0), label, dashed=dashed)
    assert draw_boxes(photo, [box]).size == (200, 150)


def test_what_is_not_sure_is_dashed():
    photo = Image.new("RGB", (200, 150), "grey")
    box = (20, 20, 180, 130)
    edges = {}
    for dashed in (False, True):
        drawn = np.asarray(draw_boxes(photo, [LabelledBox(box, (255, 0, 0), dashed=dashed)]))
        edges[dashed] = (drawn[20, 20:180] != 128).any(-1).mean()
    assert edges[False] == 1
    assert 0.3 < edges[True] < 0.7
