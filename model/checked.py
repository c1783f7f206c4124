"""Checks of values from files, command lines and users before they are used."""

from collections.abc import Mapping
from math import inf
from typing import Any, TypeGuard

from model.classes import MAX_NAME_LENGTH
from model.errors import UserError


def is_number(value: Any, below: float = 1e300) -> TypeGuard[float]:
    """Whether ``value`` is a finite number with an absolute value less than ``below``.

    JSON's ``true`` is an int in Python, and Python's JSON allows NaN and integers of any length.
    """
    is_numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return is_numeric and abs(value) < below  # false for NaN


def as_whole(value: Any, what: str, least: int, most: int) -> int:
    """``value`` as an int from ``least`` to ``most``.

    Raises:
        UserError: if it is no such number.
    """
    # The comparison also excludes NaN and infinity, which int() does not take.
    if not isinstance(value, (int, float)) or not least <= value <= most or value != int(value):
        raise UserError(f"{what} must be a whole number from {least} to {most}.")
    return int(value)


def is_name(value: Any) -> TypeGuard[str]:
    """Whether ``value`` is a valid name of a class, photo or split."""
    is_text = isinstance(value, str) and bool(value.strip())
    return is_text and len(value) <= MAX_NAME_LENGTH and value.isprintable()


def check_ranges(options: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Check that command-line options are within their ranges.

    Args:
        ranges: name of an attribute -> least and greatest allowed value; ``inf`` for no limit.

    Raises:
        UserError: for the first that is not, naming the flag and its range.
    """
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if not low <= value <= high:  # NaN is in no range
            allowed = f"from {low:,} to {high:,}" if high < inf else f"{low:,} or more"
            raise UserError(f"--{name.replace('_', '-')} must be {allowed}, not {value}.")
