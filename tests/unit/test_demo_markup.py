"""demo/views/markup.py: what people typed stays text, and boxes stand where they should."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from demo.views import markup

PHOTO = Image.new("RGB", (200, 100), "grey")


def test_names_cannot_become_html():
    evil = '<img src=x onerror="alert(1)">'
    box = markup.DrawnBox((1, 2, 3, 4), "prediction", "cat", evil)
    parts = [
        markup.figure(PHOTO, (200, 100), [box], alt=evil),
        markup.problem(evil),
        markup.note(evil),
        markup.tile(evil, "data:,", evil, evil),
        markup.bar(0.5, evil, evil),
        markup.chip("cat", evil),
    ]
    for html in parts:
        assert "<img src=x" not in html
        assert "&lt;img src=x" in html


@pytest.mark.parametrize(
    ("bbox_xyxy", "above", "left"),
    [
        ((0, 0, 50, 50), False, "0.00%"),
        ((0, 40, 50, 90), True, "0.00%"),
        ((150, 40, 199, 90), True, "75.00%"),
        ((150, 2, 199, 90), False, "75.00%"),
        ((-30, 2, 199, 90), False, "0.00%"),
    ],
)
def test_labels_begin_at_their_box(bbox_xyxy, above, left):
    """Above it or inside; what stands before one that would not fit shrinks in the browser."""
    box = markup.DrawnBox(bbox_xyxy, "prediction", "cat", "cat 97%")
    style = re.search(
        r'class="tag-line" style="([^"]+)"><i style="flex-basis: ([^"]+)">',
        markup.figure(PHOTO, (200, 100), [box]),
    )
    assert ("bottom:" in style[1]) == above
    assert style[2] == left


def test_labels_that_would_lie_on_others_are_left_out():
    """The target keeps its label, though another box is larger."""
    crowd = [
        markup.DrawnBox((20 + 2 * i, 30, 60 + 2 * i, 60), "object", "cat", "cat") for i in range(16)
    ]
    target = markup.DrawnBox((22, 31, 50, 50), "target", "dog", "largest: dog")
    apart = markup.DrawnBox((150, 60, 190, 90), "object", "cow", "cow")
    html = markup.figure(PHOTO, (200, 100), [*crowd, target, apart])
    assert html.count("<rect") == 2 * 18
    labels = re.findall(r'class="tag \w+"[^>]*>([^<]+)<', html)
    assert {"largest: dog", "cow"} <= set(labels)
    assert labels.count("cat") < 4


def test_boxes_keep_the_pixels_of_the_original():
    """Shown small, the SVG still counts in pixels of the original photo."""
    box = markup.DrawnBox((10.25, 20, 3000.5, 1500), "prediction", "cat")
    html = markup.figure(PHOTO, (4000, 2000), [box])
    assert 'viewBox="0 0 4000 2000"' in html
    assert 'data-xyxy="10.25,20.0,3000.5,1500.0"' in html
    assert 'width="2990.25" height="1480.00"' in html


@pytest.mark.parametrize("heat", [np.zeros((8, 8)), np.eye(8), np.ones((1, 1))])
def test_heat_is_a_picture_that_is_clear_where_it_is_cold(heat):
    start, _, content = markup.heat_uri(heat.astype(np.float32)).partition(",")
    assert start == "data:image/png;base64"
    alpha = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))[..., 3]
    corners = alpha[[0, 0, -1, -1], [0, -1, 0, -1]] > 100
    assert corners.tolist() == [bool(heat[at]) for at in ((0, 0), (0, -1), (-1, 0), (-1, -1))]
