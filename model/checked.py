"""What a value out of a file, of a command line or from a visitor must be before it is used."""

from collections.abc import Mapping
from math import inf
from typing import Any, TypeGuard

from model.classes import MAX_NAME_LENGTH
from model.errors import UserError


def is_number(value: Any, below: float = 1e300) -> TypeGuard[float]:
    """Whether it is a finite number, less than ``below`` whatever its sign.

    JSON's true is an int in Python, and Python's JSON also knows NaN and endless integers.
    """
    is_numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return is_numeric and abs(value) < below  # NaN is not


def as_whole(value: Any, what: str, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``.

    Raises:
        UserError: if it is not one.
    """
    # NaN is not within any range, and infinity is not below any limit.
    if not isinstance(value, (int, float)) or not least <= value <= most or value != int(value):
        raise UserError(f"{what} must be a whole number from {least} to {most}.")
    return int(value)


def is_name(value: Any) -> TypeGuard[str]:
    """Whether a class, a photo or a split can be called so."""
    is_text = isinstance(value, str) and bool(value.strip())
    return is_text and len(value) <= MAX_NAME_LENGTH and value.isprintable()


def check_ranges(options: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse options of a command line that are outside their ranges.

    Args:
        ranges: name of an attribute -> least and greatest value, both allowed; ``inf`` for no end.

    Raises:
        UserError: naming the flag and what it may be.
    """
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if not low <= value <= high:  # NaN is within no range
            allowed = f"from {low:,} to {high:,}" if high < inf else f"{low:,} or more"
            raise UserError(f"--{name.replace('_', '-')} must be {allowed}, not {value}.")
