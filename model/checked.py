"""What a value out of a file or from a visitor must be before it is used."""

from typing import Any, TypeGuard

from model.classes import MAX_NAME_LENGTH


def is_number(value: Any, below: float = 1e300) -> TypeGuard[float]:
    """Whether it is a finite number, less than ``below`` whatever its sign.

    JSON's true is an int in Python, and Python's JSON also knows NaN and endless integers.
    """
    is_numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return is_numeric and abs(value) < below  # NaN is not


def is_name(value: Any) -> TypeGuard[str]:
    """Whether a class, a photo or a split can be called so."""
    is_text = isinstance(value, str) and bool(value.strip())
    return is_text and len(value) <= MAX_NAME_LENGTH and value.isprintable()
