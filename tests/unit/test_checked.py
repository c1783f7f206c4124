import math
from types import SimpleNamespace

import pytest

from model.checked import as_whole, check_ranges, is_name, is_number
from model.classes import MAX_NAME_LENGTH
from model.errors import UserError


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


@pytest.mark.parametrize(
    ("ranges", "says"),
    [
        ({"epochs": (1, 3)}, "--epochs must be from 1 to 3, not 2000."),
        ({"max_lost": (0, math.inf)}, "--max-lost must be 0 or more, not nan."),
    ],
)
def test_options_outside_their_range_are_named_as_their_flag(ranges, says):
    options = SimpleNamespace(epochs=2000, max_lost=math.nan)
    check_ranges(options, {"epochs": (1, 2000)})
    with pytest.raises(UserError) as error:
        check_ranges(options, ranges)
    assert str(error.value) == says


@pytest.mark.parametrize("value", [0, 11, 2.5, "5", None, math.nan, math.inf])
def test_what_is_no_whole_number_of_the_range_is_refused(value):
    assert as_whole(5.0, "the seed", 1, 10) == 5
    with pytest.raises(UserError, match="the seed must be a whole number from 1 to 10"):
        as_whole(value, "the seed", 1, 10)
