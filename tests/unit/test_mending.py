"""model/data/mending.py: annotations compared with their photos."""

import numpy as np
import pytest
from PIL import Image

from model.data.formats.listing import Parsed
from model.data.images import load_image
from model.data.mending import Habits, habits_of, mended, turned_box
from model.data.photo_headers import PhotoHeader

FROM_1 = Habits("from 1")


def said(size, *boxes) -> Parsed:
    return Parsed(size, "", [["cat", *box, 0] for box in boxes], [])


def boxes_of(parsed, header, habits=FROM_1):
    image, problems = mended("a.jpg", parsed, header, habits)
    return [o.bbox_xyxy for o in image.objects] if image else None, [kind for kind, _ in problems]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_the_photo(tmp_path, orientation):
    pixels = np.zeros((80, 120, 3), np.uint8)
    pixels[16:32, 8:56] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    shown = np.asarray(load_image(tmp_path / "a.png"))[..., 0] > 128
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    true = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    assert turned_box((8, 16, 56, 32), (120, 80), orientation) == true


def test_the_size_tells_which_way_a_turned_photo_was_annotated():
    header = PhotoHeader(120, 80, 6)
    assert boxes_of(said([120, 80], (1, 1, 20, 10)), header) == (
        [(70, 0, 80, 20)],
        ["turned by EXIF"],
    )
    assert boxes_of(said([80, 120], (1, 1, 20, 10)), header) == ([(0, 0, 20, 10)], [])


@pytest.mark.parametrize("header", [PhotoHeader(120, 80, 3), PhotoHeader(90, 90, 6)])
def test_where_the_size_does_not_tell_the_others_do(header):
    parsed = said([header.width, header.height], (1, 1, 20, 10))
    upright = [(0, 0, 20, 10)]
    turned = [turned_box(upright[0], (header.width, header.height), header.orientation)]
    assert boxes_of(parsed, header) == (upright, ["turn unknown"])
    assert boxes_of(parsed, header, Habits("from 1", False)) == (upright, [])
    assert boxes_of(parsed, header, Habits("from 1", True)) == (turned, ["turned by EXIF"])
    telling = PhotoHeader(120, 80, 6)
    assert habits_of("from 1", [said([120, 80])], [telling]).before_turning is True
    assert habits_of("from 1", [said([80, 120])], [telling]).before_turning is False


@pytest.mark.parametrize(
    ("size", "box", "expected", "kinds"),
    [
        (None, (1, 1, 20, 10), [(0, 0, 20, 10)], ["no size"]),
        ([60, 40], (1, 1, 20, 10), [(0, 0, 40, 20)], ["other size"]),
        ([240, 160], (1, 1, 20, 10), [(0, 0, 10, 5)], ["other size"]),
        ([50, 50], (1, 1, 110, 70), [(0, 0, 110, 70)], ["wrong size"]),
        ([300, 100], (1, 1, 20, 10), None, ["other shape"]),
        ([120, 80], (0, 0, 121, 81), [(0, 0, 120, 80)], ["box at the edge"]),
        ([120, 80], (50, 50, 150, 60), [(49, 49, 120, 60)], ["box outside"]),
        ([120, 80], (119, 50, 300, 60), [], ["object without area"]),
        ([120, 80], (50, 50, 49, 60), [], ["object without area"]),
        ([120, 80], (50, 60, 70, 20), [], ["object without area"]),
        ([120, 80], (50, 60, 50, 60), [(49, 59, 50, 60)], []),  # one pixel
    ],
)
def test_blemishes(size, box, expected, kinds):
    assert boxes_of(said(size, box), PhotoHeader(120, 80)) == (expected, kinds)


def test_a_set_that_counts_from_0_is_shifted_as_a_whole():
    header = PhotoHeader(120, 80)
    from_zero = [said([120, 80], (0, 5, 20, 10), (9, 9, 30, 30)) for _ in range(3)]
    assert habits_of("from 1", from_zero, [header] * 3).units == "from 0"
    one = [*from_zero[:1], said([120, 80], (1, 1, 20, 10))]
    assert habits_of("from 1", one, [header] * 2).units == "from 1"
    boxes, kinds = boxes_of(from_zero[0], header, Habits("from 0"))
    assert (boxes, kinds) == ([(0, 5, 20, 10), (9, 9, 30, 30)], [])
