"""model/data/mending.py: annotations compared with their photos."""

import numpy as np
import pytest
from PIL import Image

from model.data.blemishes import BOXES_DO_NOT_FIT
from model.data.formats import FORMATS
from model.data.formats.listing import Parsed, Reading
from model.data.image_pixels import turned_box
from model.data.images import load_image
from model.data.mending import Habits, habits_of, mended
from model.data.photo_headers import PhotoHeader

VOC = FORMATS["voc"]
FROM_1 = Habits(Reading("", "from 1"))


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
    assert boxes_of(parsed, header, FROM_1._replace(before_turning=False)) == (upright, [])
    assert boxes_of(parsed, header, FROM_1._replace(before_turning=True)) == (
        turned,
        ["turned by EXIF"],
    )
    telling = PhotoHeader(120, 80, 6)
    assert habits_of(VOC, [said([120, 80])], [telling]).before_turning is True
    assert habits_of(VOC, [said([80, 120])], [telling]).before_turning is False


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
        ([120, 80], (119, 50, 300, 60), None, ["object without area", "no usable object"]),
        ([120, 80], (50, 50, 49, 60), [(48, 49, 50, 60)], ["corners swapped"]),
        ([120, 80], (50, 60, 70, 20), [(49, 19, 70, 60)], ["corners swapped"]),
        ([120, 80], (70, 60, 50, 20), [(49, 19, 70, 60)], ["corners swapped"]),
        ([120, 80], (50, 60, 50, 60), [(49, 59, 50, 60)], []),  # one pixel
    ],
)
def test_blemishes(size, box, expected, kinds):
    assert boxes_of(said(size, box), PhotoHeader(120, 80)) == (expected, kinds)


# Of photos of 120 x 80: somewhere in them, as whole sets have them.
TRUE_BOXES = [(10 + 8 * i, 5 + 4 * i, 30 + 8 * i, 35 + 4 * i) for i in range(10)]


def shares(x1, y1, x2, y2):
    return x1 / 120, y1 / 80, x2 / 120, y2 / 80


def center(x1, y1, x2, y2):
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def corner_and_size(x1, y1, x2, y2):
    return x1, y1, x2 - x1, y2 - y1


def as_yolo_takes_them(numbers):
    x, y, w, h = numbers
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def as_coco_takes_them(numbers):
    x, y, w, h = numbers
    return x, y, x + w, y + h


def as_voc_takes_them(numbers):
    return numbers


@pytest.mark.parametrize(
    ("name", "taken", "written"),
    [
        ("yolo", as_yolo_takes_them, lambda b: shares(*b)),
        ("yolo", as_yolo_takes_them, lambda b: center(*b)),
        ("yolo", as_yolo_takes_them, lambda b: b),
        ("yolo", as_yolo_takes_them, lambda b: [100 * v for v in center(*shares(*b))]),
        ("yolo", as_yolo_takes_them, lambda b: corner_and_size(*b)),
        ("yolo", as_yolo_takes_them, lambda b: corner_and_size(*shares(*b))),
        ("coco", as_coco_takes_them, lambda b: b),
        ("coco", as_coco_takes_them, lambda b: shares(*b)),
        ("coco", as_coco_takes_them, lambda b: center(*b)),
        ("coco", as_coco_takes_them, lambda b: center(*shares(*b))),
        ("coco", as_coco_takes_them, lambda b: (*shares(*b)[:2], *center(*shares(*b))[2:])),
        ("voc", as_voc_takes_them, lambda b: (b[0] + 1, b[1] + 1, b[2] - b[0], b[3] - b[1])),
        ("voc", as_voc_takes_them, lambda b: shares(*b)),
        ("voc", as_voc_takes_them, lambda b: center(*b)),
        ("voc", as_voc_takes_them, lambda b: center(*shares(*b))),
    ],
)
def test_numbers_of_another_kind_are_told_from_the_whole_set(name, taken, written):
    size = None if name == "yolo" else [120, 80]
    parsed = [said(size, taken(written(box))) for box in TRUE_BOXES]
    header = PhotoHeader(120, 80)
    habits = habits_of(FORMATS[name], parsed, [header] * 10)
    assert habits.blemish == "numbers of another kind"
    assert habits.detail
    found = [boxes_of(p, header, habits)[0] for p in parsed]
    np.testing.assert_allclose(np.array(found)[:, 0], TRUE_BOXES, atol=1e-6)
    # Few boxes do not tell, and stay what the format says, unless no pixel is so small.
    numbers = np.array([thing[1:5] for each in parsed[:9] for thing in each.objects])
    are_told = name != "yolo" and numbers[:, 2:].max() <= 1
    assert bool(habits_of(FORMATS[name], parsed[:9], [header] * 9).blemish) == are_told


@pytest.mark.parametrize("name", FORMATS)
def test_numbers_that_the_format_explains_are_left_alone(name):
    written = {"yolo": lambda b: shares(*b), "voc": lambda b: (b[0] + 1, b[1] + 1, *b[2:])}
    size = None if name == "yolo" else [120, 80]
    right = [said(size, written.get(name, list)(box)) for box in TRUE_BOXES]
    slip = said(size, (500, 500, 600, 600))
    header = PhotoHeader(120, 80)
    for parsed in (right, [*right, slip]):
        habits = habits_of(FORMATS[name], parsed, [header] * len(parsed))
        assert (habits.reading.units, habits.blemish) == (FORMATS[name].units, "")


@pytest.mark.parametrize("whole", [100, 1000])
@pytest.mark.parametrize("name", ["voc", "coco"])
def test_a_scale_that_ends_where_no_photo_does_is_told(name, whole):
    # The photos are so large that all numbers would be pixels of their upper left corner.
    corners = [(x1 * whole / 120, y1 * whole / 80, x2 * whole / 120, y2 * whole / 80)
               for x1, y1, x2, y2 in [(20, 10, 119, 79), *TRUE_BOXES, *TRUE_BOXES]]  # fmt: skip
    parsed = [said([4000, 3000], box) for box in corners]
    header = PhotoHeader(4000, 3000)
    habits = habits_of(FORMATS[name], parsed, [header] * 21)
    assert habits.blemish == "numbers of another kind"
    assert boxes_of(parsed[0], header, habits)[0][0] == pytest.approx(
        (4000 / 6, 375, 3966.67, 2962.5)
    )
    far_too_small = [each._replace(size=[120, 80]) for each in parsed]
    assert habits_of(FORMATS[name], far_too_small, [PhotoHeader(120, 80)] * 21) == habits
    # Where only some do, they are pixels; so they are in photos of about this size.
    for others in (parsed[1:], [*parsed, said([4000, 3000], (1, 1, 2 * whole, 9))]):
        assert not habits_of(FORMATS[name], others, [header] * len(others)).blemish
    small = [each._replace(size=[whole, whole]) for each in parsed]
    assert not habits_of(FORMATS[name], small, [PhotoHeader(whole, whole)] * 21).blemish


def test_boxes_that_fit_in_no_way_stop_the_set():
    parsed = [said([120, 80], (500, 500, 600, 600))] * 6 + [said([120, 80], TRUE_BOXES[0])] * 5
    habits = habits_of(VOC, parsed, [PhotoHeader(120, 80)] * 11)
    assert (habits.blemish, habits.detail) == (BOXES_DO_NOT_FIT, "55 % of 11 that were looked at")
    assert habits_of(VOC, parsed[3:], [PhotoHeader(120, 80)] * 8).blemish == ""


def test_sides_that_changed_places_are_told_from_the_whole_set():
    beyond, within = said([80, 120], (90, 10, 110, 70)), said([80, 120], (10, 10, 20, 20))
    header = PhotoHeader(120, 80)
    habits = habits_of(VOC, [beyond, within], [header] * 2)
    assert boxes_of(within, header, habits) == ([(9, 9, 20, 20)], ["sides swapped"])
    assert boxes_of(beyond, header, habits) == ([(89, 9, 110, 70)], ["sides swapped"])
    # A box that only the annotation's own size holds was drawn on another photo.
    other = said([80, 120], (10, 90, 20, 110))
    habits = habits_of(VOC, [other, within], [header] * 2)
    assert boxes_of(within, header, habits) == (None, ["other shape"])


def test_a_set_that_counts_from_0_is_shifted_as_a_whole():
    header = PhotoHeader(120, 80)
    from_zero = [said([120, 80], (0, 5, 20, 10), (9, 9, 30, 30)) for _ in range(3)]
    assert habits_of(VOC, from_zero, [header] * 3).reading.units == "from 0"
    one = [*from_zero[:1], said([120, 80], (1, 1, 20, 10))]
    assert habits_of(VOC, one, [header] * 2).reading.units == "from 1"
    boxes, kinds = boxes_of(from_zero[0], header, Habits(Reading("", "from 0")))
    assert (boxes, kinds) == ([(0, 5, 20, 10), (9, 9, 30, 30)], [])


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "yolo"])
def test_one_box_within_the_first_pixel_is_shares(name):
    parsed = said([120, 80], (0.25, 0.25, 0.75, 0.5))
    header = PhotoHeader(120, 80)
    habits = habits_of(FORMATS[name], [parsed], [header])
    assert habits.blemish == "numbers of another kind"
    assert boxes_of(parsed, header, habits)[0] == [(30, 20, 90, 40)]


@pytest.mark.parametrize("n_boxes", [15, 30, 120])
def test_one_box_that_is_repeated_is_no_evidence(n_boxes):
    """All of them reach 90 and no further, as percent would: but they are one box."""
    parsed = said((451, 300), *[(1, 1, 90, 90)] * n_boxes)
    habits = habits_of(VOC, [parsed], [PhotoHeader(451, 300, 1)])
    assert habits == FROM_1
