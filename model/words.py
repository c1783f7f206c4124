"""Numbers and detections in words."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from model.classes import shown_name

# Least probability and score of a class for "probably". Of 89 photos of VOC's val and 46 empty
# windows in them 18 and 42 are not sure: "probably" is said of 12 of those photos and 6 of those
# windows; by the probability alone it would be of 15 and 13.
LIKELY, LEAST_SCORE = 0.5, 0.15


@dataclass(frozen=True)
class Verdict:
    """A detection in words, the same wherever it is shown.

    Attributes:
        kind: ``sure``: the score reaches the threshold; ``unsure``: it does not, but a class is
            likely; ``none``: no class is.
        class_name: display name of the likeliest class.
        text: the verdict by itself.
        clause: the verdict within a sentence, after "the detector".
        brief: the verdict where there is little room.
    """

    kind: Literal["sure", "unsure", "none"]
    class_name: str
    text: str
    clause: str
    brief: str


def verdict(
    class_name: str, score: float, threshold: float, probability: float, n_classes: int
) -> Verdict:
    """The verdict on a detection.

    Args:
        class_name, probability: of the likeliest class.
        score: see :class:`model.inference.Detection`.
        threshold: least score of a detection that is sure.
        n_classes: number of classes of the detector.

    Example:
        >>> verdict("dog", 0.38, 0.49, 0.71, 20).text
        'Not sure. Probably a dog'
    """
    name = shown_name(class_name)
    if score >= threshold:
        return Verdict("sure", name, name, f"says {name}", name)
    if probability >= LIKELY and score >= LEAST_SCORE:
        text, clause = "Not sure. Probably", "is not sure, probably"
        one = a_or_an(name)
        return Verdict("unsure", name, f"{text} {one}", f"{clause} {one}", f"{name}?")
    text, clause = "Nothing I know", "sees nothing it knows"
    if n_classes > 1:
        text = f"None of the {n_classes:,} classes"
        clause = f"sees none of the {n_classes:,} classes"
    return Verdict("none", name, text, clause, "none?")


def a_or_an(name: str) -> str:
    """A name with its article.

    Example:
        >>> a_or_an("cat"), a_or_an("Apple")
        ('a cat', 'an Apple')
    """
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun; ``many`` is the plural if it is not ``one`` with an s.

    Example:
        >>> counted(1, "class", "classes"), counted(2000, "photo")
        ('1 class', '2,000 photos')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def readable_size(n_bytes: float) -> str:
    """A size as text: ``29.1 GB``."""
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.1f} MB"


def percent(share: float, digits: int | None = None, signed: bool = False) -> str:
    """A share as a percentage with ``digits`` decimals.

    Without ``digits``, small shares get a decimal, so that they do not look like 0.

    Example:
        >>> percent(0.853, 0), percent(0.853, 1), percent(0.12, 0, signed=True)
        ('85 %', '85.3 %', '+12 %')
        >>> percent(0.412), percent(0.0162), percent(0.0001), percent(0)
        ('41 %', '1.6 %', 'under 0.1 %', '0 %')
    """
    if digits is not None:
        return f"{100 * share:{'+' if signed else ''}.{digits}f} %"
    if 0 < abs(share) < 0.0005:
        return "under 0.1 %"
    digits = 0 if abs(share) >= 0.0995 or share == 0 else 1
    return f"{100 * share:.{digits}f} %".replace(".0 %", " %")


def unknown_class_note(class_name: str, class_names: Collection[str]) -> str:
    """A note that a detector does not know the true class; empty if it may, or there is none.

    A number is no name, and ``cars`` may be what the detector calls ``car``.
    """
    if not class_name or class_name.isdecimal():
        return ""
    if class_name.casefold().removesuffix("s") in {
        name.casefold().removesuffix("s") for name in class_names
    }:
        return ""
    number = counted(len(class_names), "class", "classes")
    return (
        f"This detector knows {number}, and {shown_name(class_name)} is none of them: no answer can"
        " be right. train.py --data DIR --start-from shipped makes one that knows the classes of"
        " your photos."
    )
