"""model/data/formats/listing.py: what all formats that are text have in common."""

import pytest

from model.data.formats.listing import number_of


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" 0.5 ", 0.5), ("0,5", 0.5), (".5", 0.5), ("5.", 5), ("-1e-3", -0.001)],
)
def test_numbers(text, number):
    assert number_of(text) == number


@pytest.mark.parametrize(
    "text",
    ["", ".", "1_0", "nan", "inf", "1e400", "-1e400", "0x1", "١٢", "1 2", "1.2.3", "e5"],
)
def test_what_only_a_program_takes_for_a_number_is_none(text):
    assert number_of(text) is None


@pytest.mark.parametrize("end", ["", "x", "e", ".", ".x"])
def test_a_million_digits_are_no_number_and_take_no_time(end):
    """With a pattern that can match digits in two ways this would take days."""
    assert number_of("1" * 1_000_000 + end) is None
