"""CSV text whose cells no spreadsheet runs as formulas."""

import csv
import io
from collections.abc import Iterable, Sequence

# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def without_formulas(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    """The rows, with an apostrophe before every text that a spreadsheet would run as a formula.

    A photo may be called ``=HYPERLINK(...).jpg``. Numbers stay numbers, negative ones too.

    Example:
        >>> without_formulas([["=1+1.jpg", -2.5, "cat"]])
        [["'=1+1.jpg", -2.5, 'cat']]
    """
    return [
        [f"'{c}" if isinstance(c, str) and c.startswith(_FORMULA_STARTS) else c for c in row]
        for row in rows
    ]


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The rows, :func:`without_formulas`, as the text of a CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(without_formulas(rows))
    return text.getvalue()
