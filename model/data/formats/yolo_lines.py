"""Lines of YOLO's label files: ``class x_center y_center width height``, and variants of them.

Longer lines are outlines ``class x y x y ...``, of which the upright hull is the box, or hold more
than a box: a score, a score and the number of a track, key points. One line does not tell which;
:func:`kind_of_lines` looks at many.
"""

import math
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from model.checked import is_name
from model.classes import MAX_NAME_LENGTH
from model.data.formats.listing import (
    Box,
    Parsed,
    hull,
    number_of,
    of_center_and_size,
    text_of,
)

TELLING_LINES = 10  # needed to tell where a score stands, or that points are key points
MOST = 0.95  # of the lines must be alike
MAX_ID = 1e9
ROUNDING = 0.01  # shares that a box may reach out of its photo
_NO_NUMBER = re.compile(r"[-+]?(nan|inf|infinity|none|null)", re.IGNORECASE)


class LineKind(NamedTuple):
    """What the lines of a set hold.

    Attributes:
        parse: reads one label file, given its path; raises nothing.
        passed_over: what lines hold besides boxes and outlines; empty if nothing.
    """

    parse: Callable[[str], Parsed]
    passed_over: str = ""


def parse(path: str) -> Parsed:
    """Read one label file; class names are still the ids or names in the file."""
    return _parse(path, _box_or_outline)


def parse_boxes(path: str) -> Parsed:
    """As :func:`parse`, taking the first four numbers as a box and ignoring what follows."""
    return _parse(path, _box)


def parse_scored(path: str) -> Parsed:
    """As :func:`parse`, for lines that end in a score, or a score and a track."""
    return _parse(path, _before_score)


def parse_score_first(path: str) -> Parsed:
    """As :func:`parse`, for lines with the score of a box before it."""
    return _parse(path, _behind_score)


def kind_of_lines(paths: Iterable[str]) -> LineKind:
    """What the lines of a set hold, judged by some of its label files."""
    lines = [line.numbers for path in paths for line in _usable_lines(path) if not line.is_named]
    with_score = [numbers for numbers in lines if len(numbers) == 5]
    longer = [numbers for numbers in lines if len(numbers) > 5]
    odd = [numbers for numbers in longer if len(numbers) % 2]
    if _are_key_points(longer):
        return LineKind(parse_boxes, "key points behind boxes")
    if _have_tracks([numbers for numbers in longer if len(numbers) % 2 == 0]):
        return LineKind(parse_scored, "a score and the number of a track at the end of lines")
    if odd and sum(_is_score(numbers[-1]) for numbers in odd) >= MOST * len(odd):
        return LineKind(parse_scored, "a score at the end of lines")
    if len(with_score) >= TELLING_LINES:
        usual, other = (
            sum(map(_fits, boxes)) / len(with_score)
            for boxes in ([n[:4] for n in with_score], [n[1:] for n in with_score])
        )
        if usual < MOST <= other:
            return LineKind(parse_score_first, "a score between class and box")
    return LineKind(parse, "a score behind boxes" if with_score else "")


def _are_key_points(lines: Sequence[Sequence[float]]) -> bool:
    """Whether all lines have equally many points, with visibility flags or all inside the box."""
    if not lines or len({len(numbers) for numbers in lines}) > 1:
        return False
    length = len(lines[0])
    if length % 3 == 1 and all({*numbers[6::3]} <= {0, 1, 2} for numbers in lines):
        return True
    return length % 2 == 0 and len(lines) >= TELLING_LINES and all(map(_holds_points, lines))


def _holds_points(numbers: Sequence[float]) -> bool:
    left, top, right, bottom = _box(numbers)
    x1, y1, x2, y2 = hull(numbers[4:])
    inside = min(x1 - left, y1 - top, right - x2, bottom - y2) >= -ROUNDING
    return inside and _fits(numbers)


def _have_tracks(lines: Sequence[Sequence[float]]) -> bool:
    """Whether lines of an even length end in a score and a track, not in a point."""
    tracked = [numbers for numbers in lines if _ends_in_track(numbers)]
    if not tracked or len(tracked) < MOST * len(lines):
        return False
    # Outlines, too, end in a whole number where they end at the lower edge of the photo.
    beyond_photo = any(numbers[-1] > 1 for numbers in tracked)
    return beyond_photo or all(len(n) == 6 and _fits(n) for n in tracked)


def _ends_in_track(numbers: Sequence[float]) -> bool:
    score, track = numbers[-2:]
    return _is_score(score) and track >= 0 and track.is_integer()


def _is_score(number: float) -> bool:
    return 0 <= number <= 1


def _fits(numbers: Sequence[float]) -> bool:
    """Whether a box of shares lies in its photo."""
    x1, y1, x2, y2 = _box(numbers)
    return -ROUNDING <= x1 < x2 <= 1 + ROUNDING and -ROUNDING <= y1 < y2 <= 1 + ROUNDING


class _Line(NamedTuple):
    """One line, split into its parts.

    Attributes:
        text: the line.
        class_id: the number or name of the class; empty if it is none.
        is_named: whether it is a name.
        numbers: behind it.
    """

    text: str
    class_id: str
    is_named: bool
    numbers: list[float]

    @property
    def is_usable(self) -> bool:
        """Whether there is a box."""
        if len(self.numbers) < 4 or not all(map(math.isfinite, self.numbers)):
            return False
        return not self.is_named or _is_box_with_score(self.numbers)


def _parse(path: str, box_of: Callable[[Sequence[float]], Box]) -> Parsed:
    try:
        lines = list(_lines(path))
    except (ValueError, OSError) as error:
        return Parsed(None, "", [], [["annotation unreadable", f"no text ({error})"]])
    objects, problems = [], []
    for line in lines:
        if not line.is_usable:
            problems.append(["object without box", reprlib.repr(line.text)])
        elif not is_name(line.class_id):
            problems.append(["object without class", reprlib.repr(line.text.split()[0])])
        else:
            box = _box(line.numbers) if line.is_named else box_of(line.numbers)
            objects.append([line.class_id, *box, 0])
    return Parsed(None, "", objects, problems)


def _usable_lines(path: str) -> list[_Line]:
    """The usable lines; empty if the file cannot be read, which the check reports later."""
    try:
        return [line for line in _lines(path) if line.is_usable]
    except (ValueError, OSError):
        return []


def _lines(path: str) -> Iterator[_Line]:
    for text in text_of(path).splitlines():
        words = _words(text)
        if words and not words[0].startswith("#"):
            yield _line(" ".join(words), words)


def _words(line: str) -> list[str]:
    """The words of a line; commas may separate them, or stand for decimal points."""
    if line.strip()[:1] in "[(":
        line = line.strip(" \t[]()")
    words = line.split()
    if len(words) < 5 and ("," in line or ";" in line):
        return re.split(r"[\s,;]+", line.strip())
    return [word.strip(",;").replace(",", ".") for word in words]


def _line(text: str, words: Sequence[str]) -> _Line:
    values = [number_of(word) for word in words]
    n_name = next((i for i in range(len(words), 0, -1) if values[i - 1] is None), 0)
    numbers = [value for value in values[n_name or 1 :] if value is not None]
    if any(_NO_NUMBER.fullmatch(word) for word in words[1:n_name]):
        numbers = []  # it stands in the place of a number, and is no part of a name
    if n_name == 0:
        return _Line(text, _id(words[0]), False, numbers)
    while n_name < MAX_NAME_LENGTH and numbers and _belongs_to_name(words[n_name], numbers):
        n_name, numbers = n_name + 1, numbers[1:]
    return _Line(text, " ".join(words[:n_name]).strip("\"':"), True, numbers)


def _belongs_to_name(word: str, numbers: Sequence[float]) -> bool:
    """Whether the first number behind a name is its last word, as in ``person 2 .5 .5 .1 .1``."""
    if len(numbers) < 5 or not word.isdecimal():
        return False
    return all(0 <= number <= 1 for number in numbers[1:5]) or not _is_box_with_score(numbers)


def _is_box_with_score(numbers: Sequence[float]) -> bool:
    """Whether it is a box, perhaps with a score and a track; other formats have more there."""
    score_and_track = numbers[4:]
    if len(score_and_track) == 2:
        return _ends_in_track(score_and_track)
    return all(map(_is_score, score_and_track)) and len(score_and_track) < 2


def _id(text: str) -> str:
    """``0``, ``0.0`` and ``0e+00`` are the same class; empty if it is no number of one."""
    number = number_of(text) or 0.0
    return str(int(number)) if 0 <= number < MAX_ID and number == int(number) else ""


def _box(numbers: Sequence[float]) -> Box:
    return of_center_and_size(numbers[:4])


def _box_or_outline(numbers: Sequence[float]) -> Box:
    return hull(numbers) if len(numbers) >= 6 and len(numbers) % 2 == 0 else _box(numbers)


def _before_score(numbers: Sequence[float]) -> Box:
    if len(numbers) % 2:
        return _box_or_outline(numbers[:-1])
    has_track = len(numbers) >= 6 and _ends_in_track(numbers)
    return _box_or_outline(numbers[:-2] if has_track else numbers)


def _behind_score(numbers: Sequence[float]) -> Box:
    return _box_or_outline(numbers[1:] if len(numbers) == 5 else numbers)
