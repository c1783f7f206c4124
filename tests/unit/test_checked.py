import math

import pytest

from model.checked import is_name, is_number
from model.classes import MAX_NAME_LENGTH


@pytest.mark.parametrize("value", [0, -3, 2.5, 1e299, -(10**200)])
def test_finite_numbers_are_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize("value", [True, "1", None, [1], math.nan, math.inf, -math.inf, 10**400])
def test_nothing_else_is(value):
    assert not is_number(value)


@pytest.mark.parametrize(
    ("value", "fits"), [(99, True), (-99.5, True), (100, False), (-100, False)]
)
def test_a_limit_holds_whatever_the_sign(value, fits):
    assert is_number(value, below=100) == fits


@pytest.mark.parametrize("value", ["cat", " cat ", "Kätzchen", "=1+1", "x" * MAX_NAME_LENGTH])
def test_names(value):
    assert is_name(value)


@pytest.mark.parametrize("value", ["", " ", "a\nb", "a\0", "x" * (MAX_NAME_LENGTH + 1), 3, None])
def test_no_names(value):
    assert not is_name(value)
