"""The findings of an audit in sentences: the worst first, each with its cause and remedy."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from model.augment.steps import PixelStep
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.inspect.audit.causes import SAMPLE, Cause, Trials, main_cause, targets_of
from model.inspect.audit.tally import EDGES, SMALL_PX, Numbers, Tally
from model.words import percent

LEVELS = ("bad", "look", "fine")
FEW = 20  # least number of photos of a class or size for a finding about it
# Values above which a figure is worth a look, and bad; of IoU the difference to 1.
GROWTH, IOU = (0.15, 0.4), (0.2, 0.35)
LOST, GAVE_UP, CUT = (0.01, 0.2), (0.0005, 0.005), (0.01, 0.1)
SMALL, OUT = (0.01, 0.1), (0.05, 0.25)


@dataclass(frozen=True)
class Finding:
    """One sentence of a verdict.

    Attributes:
        level: ``bad``, ``look`` (worth a look) or ``fine``.
        weight: severity; ``bad`` begins at 1.
        text: the problem and its cause.
        remedy: what to do about it; empty if nothing.
        setting: name of the setting that causes it; empty if none does.
    """

    level: str
    weight: float
    text: str
    remedy: str = ""
    setting: str = ""


def verdict(tally: Tally, trials: Trials) -> list[Finding]:
    """The findings, the worst first; a single one of level ``fine`` if nothing is wrong."""
    checks = (_gave_up, _growth, _iou, _cut, _small, _lost, _out)
    findings = [finding for check in checks for finding in check(tally, trials)]
    return sorted(findings, key=lambda f: -f.weight) or [_all_well(tally)]


def _lost(tally: Tally, trials: Trials) -> Iterator[Finding]:
    numbers, lost = tally.numbers("target"), attrgetter("lost")
    if numbers.lost > LOST[0]:
        cause = main_cause(trials.causes, lost)
        text = (
            f"{percent(numbers.lost)} of the draws lose too much of the target and are drawn again"
            f"{_most_of(tally, lost)}{_by(cause, lost)}: training sees milder settings than these."
        )
        yield _finding(numbers.lost, LOST, text, _lower(cause, trials), cause)


def _gave_up(tally: Tally, trials: Trials) -> Iterator[Finding]:
    numbers, gave_up = tally.numbers("target"), attrgetter("gave_up")
    if numbers.gave_up > GAVE_UP[0]:
        cause = main_cause(trials.causes, gave_up)
        text = (
            f"{percent(numbers.gave_up)} of the draws lose the target in every try, so that nothing"
            f" is moved{_most_of(tally, gave_up)}{_by(cause, gave_up)}."
        )
        remedy = _lower(cause, trials) or "Lower the minimum visible share."
        yield _finding(numbers.gave_up, GAVE_UP, text, remedy, cause)


def _growth(tally: Tally, trials: Trials) -> Iterator[Finding]:
    def growth(numbers: Numbers) -> float:
        return numbers.median("growth")

    classes = tally.classes()
    name = _worst(tally, classes, growth)
    numbers = tally.numbers("target", name)
    if growth(numbers) <= GROWTH[0]:
        return
    cause = main_cause(trials.causes, growth)
    overall = percent(growth(tally.numbers("target")))
    compared = f" ({overall} over all classes)" if len(classes) > 1 else ""
    text = (
        f"{_start(cause)}boxes of {name} grow by {percent(growth(numbers))} in the median"
        f"{compared}: what lies between the box and the object is learned with it."
    )
    remedy = ""
    value = trials.strongest(cause.setting) if cause else None
    if cause and value is None:
        value = cause.safe_alone
    if cause and value is not None and value < cause.value:
        table = tally.table
        of_class = np.flatnonzero(table.labels[table.starts[:-1]] == table.class_names.index(name))
        chosen = targets_of(table.take(of_class[:SAMPLE]))
        milder = trials.numbers(chosen, **{cause.setting.name: value})
        remedy = f"At {cause.at(value)} they grow by {percent(growth(milder))}."
    if tally.config.box_rule == "hull":
        remedy = f'{remedy} For round things the box rule "ellipse" is the tighter one.'.strip()
    yield _finding(growth(numbers), GROWTH, text, remedy, cause)


def _iou(tally: Tally, trials: Trials) -> Iterator[Finding]:
    def apart(numbers: Numbers) -> float:
        return 1 - numbers.median("iou")

    numbers = tally.numbers("target")
    if apart(numbers) > IOU[0]:
        cause = main_cause(trials.causes, apart)
        text = (
            f"{_start(cause)}the two estimates of a moved box, hull and ellipse, agree only to IoU"
            f" {numbers.median('iou'):.2f} in the median: the annotation no longer says where the"
            " object ends."
        )
        yield _finding(apart(numbers), IOU, text, _lower(cause, trials), cause)


def _cut(tally: Tally, trials: Trials) -> Iterator[Finding]:
    numbers, cut = tally.numbers("target"), attrgetter("cut")
    if numbers.cut > CUT[0]:
        cause = main_cause(trials.causes, cut)
        text = (
            f"of {percent(numbers.cut)} of the targets less than half can be seen"
            f"{_by(cause, cut)}: the network is asked for what it cannot see."
        )
        lower = f"ower {cause.setting.label.lower()}" if cause else "ower the settings"
        pixel_steps = [s for s in trials.config.steps if isinstance(s, PixelStep)]
        hides = cause and any(cause.setting in step.settings for step in pixel_steps)
        remedy = f"L{lower}." if hides else f"Raise the minimum visible share, or l{lower}."
        yield _finding(numbers.cut, CUT, text, remedy, cause)


def _small(tally: Tally, trials: Trials) -> Iterator[Finding]:
    numbers, small_after = tally.numbers("target"), attrgetter("small_after")
    if numbers.small_after <= SMALL[0]:
        return
    side = tally.table.image_size
    text = (
        f"{percent(numbers.small_after)} of the targets are narrower than {SMALL_PX} pixels on the"
        f" canvas of {side}, {percent(numbers.small_before)} before the augmentation"
    )
    cause, remedy = None, ""
    if numbers.small_after > 1.25 * numbers.small_before:
        cause = main_cause(trials.causes, small_after)
        text += _by(cause, small_after)
    if larger := _canvas_for(tally, max(SMALL[0], numbers.small_after / 2)):
        remedy = f"--image-size {larger[0]} makes it {percent(larger[1])}."
    yield _finding(numbers.small_after, SMALL, f"{text}: hardly learnable.", remedy, cause)


def _canvas_for(tally: Tally, wanted: float) -> tuple[int, float] | None:
    """A larger canvas, up to twice as large, with few enough small targets, and their share."""
    counts, side = tally.histogram("target", "after"), tally.table.image_size
    below = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    for larger in range(side + 32, 2 * side + 1, 32):
        share = float(np.interp(SMALL_PX * side / larger, EDGES["after"], below))
        if share <= wanted:
            return larger, share
    return None


def _out(tally: Tally, trials: Trials) -> Iterator[Finding]:
    numbers = tally.numbers("other")
    if numbers.out > OUT[0]:
        text = (
            f"{percent(numbers.out)} of the boxes beside the target leave the picture: less than"
            f" {percent(MIN_VISIBLE_TO_LABEL)} of them can be seen, and training leaves them out."
        )
        # Never bad: it follows from showing part of a photo, and does not harm the target.
        weight = min(numbers.out / OUT[1], 0.99)
        yield Finding("look", weight, text, "Nothing need be done unless they matter to you.")


def _all_well(tally: Tally) -> Finding:
    numbers = tally.numbers("target")
    text = (
        f"Nothing to fix: {percent(numbers.lost)} of the draws lose their target at first, boxes"
        f" grow by {percent(numbers.median('growth'))} in the median, hull and ellipse agree to"
        f" IoU {numbers.median('iou'):.2f}."
    )
    return Finding("fine", 0, text)


def _finding(
    figure: float, edges: tuple[float, float], text: str, remedy: str, cause: Cause | None
) -> Finding:
    level = "bad" if figure >= edges[1] else "look"
    # Logarithmic in the figure: 0 at the first edge, 1 at the second.
    weight = 1 + math.log(figure / edges[1]) / math.log(edges[1] / edges[0])
    name = cause.setting.name if cause else ""
    return Finding(level, weight, text[0].upper() + text[1:], remedy, name)


def _worst(tally: Tally, names: Iterable[str], figure: Callable[[Numbers], float]) -> str:
    """The group with the highest figure among those with enough photos, else among all."""
    groups = {name: tally.numbers("target", name) for name in names}
    enough = {n: g for n, g in groups.items() if g.boxes >= FEW * tally.epochs} or groups
    return max(enough, key=lambda name: figure(enough[name]))


def _most_of(tally: Tally, figure: Callable[[Numbers], float]) -> str:
    """``, most often (21 %) where it covers 0 % to 5 % of the photo``; empty if sizes are alike."""
    name = _worst(tally, tally.sizes_found(), figure)
    share = figure(tally.numbers("target", name))
    if share < 1.2 * figure(tally.numbers("target")):
        return ""
    return f", most often ({percent(share)}) where it covers {name}"


def _by(cause: Cause | None, figure: Callable[[Numbers], float]) -> str:
    if cause is None:
        return ""
    return f"; {cause} does it (without it {percent(figure(cause.without))})"


def _start(cause: Cause | None) -> str:
    return f"{cause}: " if cause else ""


def _lower(cause: Cause | None, trials: Trials) -> str:
    """Remedy: the value to which the causing setting must be lowered."""
    if cause is None:
        return ""
    value = trials.strongest(cause.setting)
    if value is None:
        return (
            f"Lowering {cause.setting.label.lower()} alone is not enough: take the strongest"
            " settings that keep the limits."
        )
    if value == cause.value:
        return ""
    return f"{cause.at(value).capitalize()} keeps the limits."
