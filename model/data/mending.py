"""Compare annotations with their photos: boxes in pixels of the upright photo, and what was wrong.

Harmless blemishes are mended, and every one is noted.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from model.data.blemishes import BOXES_DO_NOT_FIT
from model.data.formats.listing import Box, Format, Parsed, Reading
from model.data.image_pixels import turned_box
from model.data.photo_headers import PhotoHeader
from model.data.records import ImageAnnotation, ObjectAnnotation
from model.words import percent

ROUNDING = 0.1  # pixels that a box may reach out of its photo unreported
EDGE = 2.0  # pixels; a box that reaches out further is "outside", not "at the edge"
KEPT = 0.5  # share of a box that must be inside the photo
ZERO_BOXES = 3  # least number of boxes at 0, and three of four at the edge, to count from 0

# Box numbers are read otherwise than the format says if there are at least TELLING_BOXES, of which
# less than FITTING lie in their photos by the format, and at least FITTING_OTHERWISE by the other
# reading; or TELLING_SCALE, of which DIFFERENT are unlike one another, that reach FILLED of the end
# of a scale, as 100 for percent, and no further.
TELLING_BOXES = 10
FITTING = 0.95
FITTING_OTHERWISE = 0.99
TELLING_SCALE = 20
DIFFERENT = 3
FILLED = 0.9

Problem = tuple[str, str]  # kind, detail


class Habits(NamedTuple):
    """How a set was annotated, judged by many photos together.

    Attributes:
        reading: what the numbers of a box mean.
        before_turning: photos that EXIF turns were annotated as they are stored; ``None`` if no
            photo tells.
        sides_swapped: the sizes in the annotations have the height first.
        blemish: the kind of blemish that all boxes share; empty if there is none.
        detail: of that blemish.
    """

    reading: Reading
    before_turning: bool | None = None
    sides_swapped: bool = False
    blemish: str = ""
    detail: str = ""


def habits_of(format: Format, parsed: Sequence[Parsed], headers: Sequence[PhotoHeader]) -> Habits:
    """How a set was annotated, by some of its annotations and the headers of their photos."""
    stored = upright = swapped = as_given = 0
    for annotation, header in zip(parsed, headers, strict=True):
        size = (annotation.size[0], annotation.size[1]) if annotation.size else (0, 0)
        if header.orientation >= 5 and header.width != header.height:
            stored += size == (header.width, header.height)
            upright += size == header.upright_size
        elif size != header.upright_size and size[::-1] == header.upright_size:
            fits_photo, fits_said = (_holds(s, annotation) for s in (header.upright_size, size))
            swapped += fits_photo and not fits_said
            as_given += fits_said and not fits_photo
    before_turning = stored > upright if stored + upright else None
    habits = Habits(Reading("", format.units), before_turning, swapped > as_given)
    return _with_reading(habits, format, parsed, headers)


def _with_reading(
    habits: Habits, format: Format, parsed: Sequence[Parsed], headers: Sequence[PhotoHeader]
) -> Habits:
    """``habits`` with what the numbers mean: what the format says, if the boxes fit that way."""
    boxes: list[tuple[Box, tuple[float, float]]] = []
    for annotation, header in zip(parsed, headers, strict=True):
        (width, height), given = header.upright_size, annotation.size or (0, 0)
        size = max(width, given[0]), max(height, given[1])
        boxes += [((x1, y1, x2, y2), size) for _, x1, y1, x2, y2, _ in annotation.objects]

    def share(reading: Reading) -> float:
        return sum(_fits(box, size, reading) for box, size in boxes) / len(boxes)

    usual = habits.reading
    # Boxes within the first pixel are shares, however few there are.
    are_shares = bool(boxes) and usual.units != "shares" and all(max(box) <= 1 for box, _ in boxes)
    if are_shares or (len(boxes) >= TELLING_BOXES and share(usual) < FITTING):
        possible = [each for each in format.others if not each.whole or _fill(each, boxes)]
        fitting = [each for each in possible if share(each) >= FITTING_OTHERWISE]
        if fitting:
            words = [each.words for each in fitting]
            detail = words[0] + (f" (they also fit as {words[1]})" if words[1:] else "")
            kind = "numbers of another kind"
            return habits._replace(reading=fitting[0], blemish=kind, detail=detail)
        if (in_order := share(usual._replace(box=_in_order))) < 0.5:
            said = f"{percent(1 - in_order, 0)} of {len(boxes)} that were looked at"
            return habits._replace(blemish=BOXES_DO_NOT_FIT, detail=said)
    n_different = len({box for box, _ in boxes})  # one box many times tells nothing of a scale
    if len(boxes) >= TELLING_SCALE and n_different >= DIFFERENT and usual.units != "shares":
        side = median(min(size) for _, size in boxes)
        for other in format.others:
            # Pixels have no reason to end there, in photos that are much larger.
            if 0 < 2 * other.whole <= side and _fill(other, boxes):
                kind = "numbers of another kind"
                return habits._replace(reading=other, blemish=kind, detail=other.words)
    if usual.units == "from 1" and _counts_from_zero(parsed):
        return habits._replace(reading=usual._replace(units="from 0"), blemish="counts from 0")
    return habits


def _fill(reading: Reading, boxes: Sequence[tuple[Box, tuple[float, float]]]) -> bool:
    """Whether boxes reach on both axes to what stands for the whole side, and no further."""
    right = max(box[2] for box, _ in boxes)
    bottom = max(box[3] for box, _ in boxes)
    whole = reading.whole
    return FILLED * whole <= min(right, bottom) and max(right, bottom) <= whole + ROUNDING


def _fits(box: Box, size: Sequence[float], reading: Reading) -> bool:
    """Whether a box lies in its photo, with at least a pixel inside."""
    x1, y1, x2, y2 = reading.box(box) if reading.box else box
    if reading.units == "shares":
        x1, y1, x2, y2 = x1 * size[0], y1 * size[1], x2 * size[0], y2 * size[1]
    elif max(x2, y2) <= 1:  # in the first pixel: shares of the photo
        return False
    width, height = size
    inside = min(x1, y1) >= -EDGE and x2 <= width + EDGE and y2 <= height + EDGE
    least = 0 if reading.units == "from 1" else 1  # a single pixel has equal corners there
    return inside and x2 - x1 >= least - ROUNDING and y2 - y1 >= least - ROUNDING


def _in_order(box: Box) -> Box:
    x1, y1, x2, y2 = box
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _counts_from_zero(parsed: Sequence[Parsed]) -> bool:
    """Whether boxes that touch the left or upper edge start at 0 rather than at 1."""
    zeros = ones = 0
    for annotation in parsed:
        for _, x1, y1, *_ in annotation.objects:
            zeros += x1 == 0 or y1 == 0
            ones += x1 == 1 or y1 == 1
    return zeros >= ZERO_BOXES and zeros >= 3 * ones


def mended(
    file_name: str, parsed: Parsed, header: PhotoHeader, habits: Habits
) -> tuple[ImageAnnotation | None, list[Problem]]:
    """The record of a photo, and what was wrong; ``None`` if the photo cannot be used.

    It cannot if its annotation is of another photo, or has objects of which none is usable: then
    it is no background either.
    """
    problems: list[Problem] = [(kind, detail) for kind, detail in parsed.problems]
    canvas = _annotated_canvas(parsed, header, habits, problems)
    if canvas is None:
        return None, problems
    width, height = header.upright_size
    objects = []
    units = habits.reading.units
    shift = 1.0 if units == "from 1" else 0.0
    is_the_photo = canvas == (width, height, False) and units != "shares"
    box_of = habits.reading.box
    for name, x1, y1, x2, y2, difficult in parsed.objects:
        if box_of:
            x1, y1, x2, y2 = box_of((x1, y1, x2, y2))
        if x2 < x1 or y2 < y1:
            problems.append(("corners swapped", f"{name} ({x1:g}, {y1:g}, {x2:g}, {y2:g})"))
            x1, y1, x2, y2 = _in_order((x1, y1, x2, y2))
        box = (x1 - shift, y1 - shift, x2, y2)
        if not is_the_photo:
            box = canvas.placed(box, header, units == "shares")
        x1, y1, x2, y2 = box
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            cut = _cut(name, box, (width, height), problems)
            if cut is None:
                continue
            box = cut
        objects.append(ObjectAnnotation(name, box, bool(difficult)))
    if not objects and any(kind.startswith("object without") for kind, _ in problems):
        return None, [*problems, ("no usable object", "")]
    return ImageAnnotation(file_name, width, height, tuple(objects)), problems


class _Canvas(NamedTuple):
    """What the boxes were drawn on: its size, and whether EXIF turns it afterwards."""

    width: float
    height: float
    turned: bool

    def placed(self, box: Box, header: PhotoHeader, shares: bool) -> Box:
        """The box in pixels of the upright photo."""
        stored = (header.width, header.height)
        width, height = stored if self.turned else header.upright_size
        if shares:
            box = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
        elif (self.width, self.height) != (width, height):
            x, y = width / self.width, height / self.height
            box = (box[0] * x, box[1] * y, box[2] * x, box[3] * y)
        return turned_box(box, stored, header.orientation) if self.turned else box


def _annotated_canvas(
    parsed: Parsed, header: PhotoHeader, habits: Habits, problems: list[Problem]
) -> _Canvas | None:
    upright, stored = header.upright_size, (header.width, header.height)
    turn = header.orientation > 1
    if habits.reading.units == "shares" or parsed.size is None:
        if habits.reading.units != "shares":
            problems.append(("no size", ""))
        return _assumed(header, habits, problems)
    size = (parsed.size[0], parsed.size[1])
    if size == upright and not (turn and upright == stored):
        return _Canvas(*size, turned=False)
    if size == upright:
        return _assumed(header, habits, problems)
    if size == stored:
        problems.append(("turned by EXIF", f"EXIF orientation {header.orientation}"))
        return _Canvas(*size, turned=True)
    sizes = f"annotation {size[0]:g} x {size[1]:g}, photo {upright[0]} x {upright[1]}"
    if habits.sides_swapped and not turn and size[::-1] == upright:
        problems.append(("sides swapped", sizes))
        return _Canvas(*upright, turned=False)
    if _holds(upright, parsed) and not _holds(size, parsed):
        problems.append(("wrong size", sizes))
        return _Canvas(*upright, turned=False)
    if _same_shape(size, upright):
        problems.append(("other size", sizes))
        return _Canvas(*size, turned=False)
    if _same_shape(size, stored):
        problems.append(("turned by EXIF", f"EXIF orientation {header.orientation}; {sizes}"))
        return _Canvas(*size, turned=True)
    problems.append(("other shape", sizes))
    return None


def _assumed(header: PhotoHeader, habits: Habits, problems: list[Problem]) -> _Canvas:
    """The canvas of an annotation whose size does not tell: as of the others of the set."""
    if header.orientation == 1 or habits.before_turning is False:
        return _Canvas(*header.upright_size, turned=False)
    orientation = f"EXIF orientation {header.orientation}"
    if habits.before_turning:
        problems.append(("turned by EXIF", f"{orientation}, like others of the set"))
        return _Canvas(header.width, header.height, turned=True)
    problems.append(("turn unknown", f"{orientation}; boxes taken as drawn on the upright photo"))
    return _Canvas(*header.upright_size, turned=False)


def _holds(size: tuple[float, float], parsed: Parsed) -> bool:
    width, height = size[0] + EDGE, size[1] + EDGE
    return all(x2 <= width and y2 <= height for _, _, _, x2, y2, _ in parsed.objects)


def _same_shape(size: tuple[float, float], photo: tuple[int, int]) -> bool:
    # Rounding to whole pixels moves a side by half a pixel of the smaller copy.
    scale = min(size[0] / photo[0], size[1] / photo[1])
    off = abs(size[0] / photo[0] - size[1] / photo[1])
    return off <= 1.0 / min(photo) + 0.005 * scale


def _cut(name: str, box: Box, size: tuple[int, int], problems: list[Problem]) -> Box | None:
    """A box cut at the edge of its photo; ``None`` if too little of it is inside."""
    x1, y1, x2, y2 = box
    shown = f"{name} ({x1:g}, {y1:g}, {x2:g}, {y2:g}) in {size[0]} x {size[1]}"
    if x2 <= x1 or y2 <= y1:
        problems.append(("object without area", shown))
        return None
    cut = max(x1, 0.0), max(y1, 0.0), min(x2, float(size[0])), min(y2, float(size[1]))
    inside = max(0.0, cut[2] - cut[0]) * max(0.0, cut[3] - cut[1])
    if inside < KEPT * (x2 - x1) * (y2 - y1):
        problems.append(("object without area", f"{shown}, mostly outside"))
        return None
    out = max(-x1, -y1, x2 - size[0], y2 - size[1])
    if out > ROUNDING:
        problems.append(("box outside" if out > EDGE else "box at the edge", shown))
    return cut
