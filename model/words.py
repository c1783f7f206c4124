"""Numbers in sentences, and what an answer of the detector amounts to in words."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from model.classes import shown_name

# A class is likely if it is more so than all others together and the score is not next to nothing.
# Of 89 photos of VOC's val and 46 empty windows in them 18 and 42 are refused: "probably" is said
# of 12 of those photos and 6 of those windows; by the probability alone it would be of 15 and 13.
LIKELY, LEAST_SCORE = 0.5, 0.15


@dataclass(frozen=True)
class Verdict:
    """What an answer amounts to, in the same words wherever it is shown.

    Attributes:
        kind: ``sure``: the score passes the threshold; ``unsure``: it does not, but a class is
            likely; ``none``: no class is.
        class_name: the likeliest, as people read it.
        text: the words by themselves.
        clause: within a sentence, after "the detector".
        brief: where there is room for little more than a name.
    """

    kind: Literal["sure", "unsure", "none"]
    class_name: str
    text: str
    clause: str
    brief: str


def verdict(
    class_name: str, score: float, threshold: float, probability: float, n_classes: int
) -> Verdict:
    """What an answer amounts to.

    Args:
        class_name, probability: of the likeliest class.
        score: see :class:`model.inference.Detection`.
        threshold: from which score on the answer is sure.
        n_classes: how many the detector can name.

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
    """How many there are, in words; ``many`` where it is not ``one`` with an s.

    Example:
        >>> counted(1, "class", "classes"), counted(2000, "photo")
        ('1 class', '2,000 photos')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def readable_size(n_bytes: float) -> str:
    """A size for people: ``29.1 GB``."""
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.1f} MB"


def percent(share: float, digits: int | None = None, signed: bool = False) -> str:
    """A share for people, to so many digits after the point.

    Without ``digits`` there are more the smaller it is, so that little is not taken for nothing.

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
    """That a detector cannot answer the true class; empty if it can, or nobody knows it."""
    if not class_name or class_name in class_names:
        return ""
    known = counted(len(class_names), "class", "classes")
    return (
        f"This detector knows {known}, and {shown_name(class_name)} is none of them: no answer can"
        " be right. train.py --data DIR --start-from shipped makes one that knows the classes of"
        " your photos."
    )
