"""The CSV of ``python -m model.evaluate --per-photo``: the prediction for every photo.

It is read to show the photos behind a cell of the confusion matrix. The file may come from
anywhere, so every value is checked.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from model.checked import is_name
from model.classes import MAX_CLASSES
from model.data.names import key_of
from model.errors import UserError

TEXTS = ("file_name", "true_class", "predicted_class")
TRUE_BOX = ("true_xmin", "true_ymin", "true_xmax", "true_ymax")
PREDICTED_BOX = ("predicted_xmin", "predicted_ymin", "predicted_xmax", "predicted_ymax")
SCORES = ("score", "iou", "l1_px_224")
FACTS = ("n_objects", "area_share", "second_share")
COLUMNS = ("file_name", "true_class", *TRUE_BOX, "predicted_class", *PREDICTED_BOX, *SCORES, *FACTS)
"""Boxes in pixels of the original photo; the score and the shares in 0..1."""

COMMAND = "python -m model.evaluate --data data --split val --per-photo photos.csv"
HOW_TO_WRITE_IT = f"Write it with: {COMMAND}"
MAX_BYTES = 100_000_000
MAX_PIXELS = 1e6  # longest side of a photo


@dataclass(frozen=True)
class PerPhoto:
    """Predictions for the photos of a split: ``table`` has a row each, see :data:`COLUMNS`.

    ``name`` is that of the file.
    """

    name: str
    table: pd.DataFrame

    def confusion(self, class_names: Sequence[str]) -> np.ndarray:
        """``(C, C)`` int64 counts: row = true class, column = predicted class."""
        names = list(class_names)
        counts = pd.crosstab(self.table.true_class, self.table.predicted_class)
        return counts.reindex(index=names, columns=names, fill_value=0).to_numpy()

    def behind(self, true_class: str = "", predicted_class: str = "") -> pd.DataFrame:
        """The rows with these true and predicted classes, the worst first; empty is any class.

        Wrong classes come first, then lower IoUs, then higher scores.
        """
        rows = self.table
        if true_class:
            rows = rows[rows.true_class == true_class]
        if predicted_class:
            rows = rows[rows.predicted_class == predicted_class]
        right = rows.true_class == rows.predicted_class
        order = np.lexsort((-rows.score, rows.iou, right))
        return rows.iloc[order]

    def row_of(self, sample: str) -> pd.Series | None:
        """The row of a photo by name, with or without suffix; ``None`` if there is none."""
        rows = self.table[self.table.file_name == sample]
        if rows.empty:
            rows = self.table[self.table.file_name.map(key_of) == key_of(sample)]
        return None if rows.empty else rows.iloc[0]


def read_per_photo(path: str | Path) -> PerPhoto:
    """Read the CSV.

    Raises:
        UserError: if it is missing, too large, no CSV, or has a missing column or invalid value;
            the text says which, and the command that writes the file.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is larger than {MAX_BYTES // 10**6} MB. {HOW_TO_WRITE_IT}")
        texts: dict[Hashable, type[str]] = dict.fromkeys(TEXTS, str)
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError, OverflowError) as error:  # pandas raises ValueErrors
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(f"{path} cannot be read as a CSV ({reason}). {HOW_TO_WRITE_IT}") from None
    if problem := _problem_of(table):
        raise UserError(f"{path} is no list of predictions: {problem}. {HOW_TO_WRITE_IT}")
    # Names that look like formulas were written with an apostrophe.
    table["file_name"] = table.file_name.str.removeprefix("'")
    return PerPhoto(path.name, table[list(COLUMNS)])


def _problem_of(table: pd.DataFrame) -> str | None:
    """The first problem of the table in words; ``None`` if it is valid."""
    if missing := [name for name in COLUMNS if name not in table]:
        return f"it has no column {missing[0]}"
    if table.empty:
        return "it has no rows"
    for name in TEXTS:
        if not table[name].map(is_name).all():
            return f"{name} holds something that is no name"
    if table.file_name.duplicated().any():
        return "a photo is listed twice"
    if table.true_class.nunique() > MAX_CLASSES or table.predicted_class.nunique() > MAX_CLASSES:
        return f"it has more than {MAX_CLASSES} classes"
    for name in (*TRUE_BOX, *PREDICTED_BOX, *SCORES, *FACTS):
        limit = 1.0 if name in ("score", "iou") else MAX_PIXELS
        values = table[name]
        if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            return f"{name} is not a number everywhere"
        if not values.between(-limit, limit).all():  # NaN is not between
            return f"{name} has a value that cannot be"
    return None
