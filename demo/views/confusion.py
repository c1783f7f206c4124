"""The confusion matrix of the Training tab, and the photos behind its cells."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from markupsafe import Markup
from PIL import Image

from demo.address import PickedPhotoState, in_address
from demo.backend import Backend
from demo.choice import PhotoChoice
from demo.views import markup
from demo.web_files import render
from model.checkpoint import DEFAULT_CHECKPOINT
from model.classes import shown_name
from model.errors import UserError
from model.evaluation.per_photo import COMMAND, PREDICTED_BOX, TRUE_BOX, PerPhoto
from model.inference import Detection
from model.words import a_or_an, counted, percent

AT_ONCE = 24
TILE_SIDE = 320  # pixels
NOTHING_CHOSEN = (
    "Press a number of the matrix, or the name of a class, to see the photos behind it."
)
EVERY = "any"


@dataclass(frozen=True)
class TrainingState(PickedPhotoState):
    """What the Training tab shows: the photos of a ``cell``, a key of :func:`key_of`."""

    tab: ClassVar[str] = "training"
    checkpoint: str = ""
    cell: str = in_address("", str)


def key_of(true_class: str, predicted_class: str) -> str:
    """The key of a cell; an empty name stands for any class.

    Example:
        >>> key_of("dog", "cat"), key_of("dog", "")
        ('dog/cat', 'dog/')
    """
    return f"{true_class}/{predicted_class}"


def classes_of(cell: str, class_names: Sequence[str]) -> tuple[str, str] | None:
    """``(true, predicted)`` class names of a key; ``None`` if it is not one."""
    # Names of other data sets may hold a slash themselves.
    pairs = itertools.product(("", *class_names), ("", *class_names))
    return next((pair for pair in pairs if any(pair) and key_of(*pair) == cell), None)


def behind_cells(backend: Backend) -> PerPhoto | None:
    """The predictions photo by photo; ``None`` if the photos cannot be shown."""
    return backend.per_photo if backend.library.dataset else None


def what_is_missing(backend: Backend, checkpoint: str = "", has_numbers: bool = True) -> str:
    """One sentence with the commands that make the photos of the cells available.

    ``has_numbers`` says whether there is a matrix without its photos.
    """
    file, dataset = backend.checkpoint_file(checkpoint), backend.library.dataset
    wanted = "the photos behind a number" if has_numbers else "which classes it takes for which"
    start = f"To see {wanted}, write the predictions with:"
    if file.name == DEFAULT_CHECKPOINT.name:
        if dataset is None or not dataset.is_voc:  # its numbers are those of VOC's photos
            start = (
                "The photos behind the numbers are those of VOC 2007, which is not here. Get it"
                " with: python -m model.dataset download --data data - then write their predictions"
                " with:"
            )
        return f"{start} {COMMAND} - and start the demo with --per-photo photos.csv."
    folders = map(_named, dataset.folders) if dataset else ["DIR"]
    split = "val" if not dataset or "val" in dataset.splits else dataset.splits[0]
    which = " ".join([f"--checkpoint {_named(file)}", *(f"--data {name}" for name in folders)])
    return (
        f"{start} python -m model.evaluate {which} --split {split} --per-photo photos.csv - and"
        f" start the demo with {which} --per-photo photos.csv"
        f"{'' if dataset else '; DIR is the folder of your photos'}."
    )


def _named(path: Path) -> str:
    """The path relative to the working folder; elsewhere only its last part: visitors read it."""
    path, here = path.absolute(), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else f".../{path.name}"


def show_matrix(backend: Backend, report: Mapping[str, Any] | None, checkpoint: str = "") -> Markup:
    """Rows: the true class; columns: the predicted one; darker = a larger share of the row.

    If photos can be opened, the counts come from the CSV, so that a cell opens as many as it says.
    """
    if per_photo := behind_cells(backend):
        names = backend.class_names()
        matrix = per_photo.confusion(names).tolist()
        source, missing = per_photo.name, ""
    else:
        names, matrix = ((report or {}).get(key) for key in ("class_names", "confusion"))
        has_numbers = bool(names and matrix)
        missing = what_is_missing(backend, checkpoint, has_numbers)
        source = str((report or {}).get("split", ""))
        if not names or not matrix:
            return markup.note(missing)
    return render(
        "confusion.html", names=names, rows=list(zip(names, matrix, strict=True)), source=source,
        missing=missing, n_photos=sum(map(sum, matrix)), key_of=key_of,
    )  # fmt: skip


@dataclass(frozen=True)
class BehindView:
    """Heading, tiles and the card of the picked photo (HTML), and the name of that photo."""

    heading: Markup
    tiles: Markup
    card: Markup
    picked: str


def show_behind(backend: Backend, state: TrainingState) -> BehindView:
    """The photos of the cell that was pressed, with the worst first.

    Raises:
        UserError: if the checkpoint cannot be used.
    """
    per_photo = behind_cells(backend)
    if per_photo is None:
        return BehindView(Markup(), Markup(), Markup(), "")
    pair = classes_of(state.cell, backend.class_names())
    if pair is None:
        return BehindView(markup.note(NOTHING_CHOSEN), Markup(), Markup(), "")
    rows = per_photo.behind(*pair)
    true, predicted = pair
    count = counted(len(rows), "photo")
    words = f"True class {shown_name(true) or EVERY}, predicted"
    words += f" {shown_name(predicted) or EVERY}: {count}"
    words += ", the worst first" if len(rows) > 1 else ""
    words += f"; here are {AT_ONCE}" if len(rows) > AT_ONCE else ""
    shown = rows.iloc[:AT_ONCE]
    names = [backend.library.name_of(name) for name in shown.file_name]
    picked = state.picked if per_photo.row_of(state.picked) is not None else ""
    picked = picked or (names[0] if names else "")
    tiles = [
        _tile(backend, row, name, name == picked)
        for (_, row), name in zip(shown.iterrows(), names, strict=True)
    ]
    heading = Markup('<p role="status">{}.</p>').format(words)
    card = photo_card(backend, state, picked) if picked else Markup()
    return BehindView(heading, markup.grid(tiles, "behind"), card, picked)


def _boxes(row: pd.Series, labelled: bool = False) -> list[markup.DrawnBox]:
    """The true and the predicted box of a row of the CSV."""
    label = f"{shown_name(row.predicted_class)} {percent(row.score, 0)}" if labelled else ""
    true_box, predicted_box = ([float(row[side]) for side in s] for s in (TRUE_BOX, PREDICTED_BOX))
    return [
        markup.DrawnBox(true_box, "truth"),
        markup.DrawnBox(predicted_box, "prediction", row.predicted_class, label),
    ]


def _tile(backend: Backend, row: pd.Series, name: str, pressed: bool) -> Markup:
    true, predicted = shown_name(row.true_class), shown_name(row.predicted_class)
    caption = f"IoU {row.iou:.2f}, {predicted} {percent(row.score, 0)}"
    alt = f"photo {name}: {true}, taken for {predicted}"
    try:
        loaded = backend.photo(PhotoChoice(name)).load(TILE_SIDE)
    except UserError as error:
        return markup.tile(name, "", alt, f"{row.file_name}: {error}", pressed)
    inner = markup.figure(loaded.image, loaded.original_size, _boxes(row), alt)
    return markup.figure_tile(name, inner, caption, pressed)


def photo_card(backend: Backend, state: TrainingState, name: str) -> Markup:
    """A photo with true and predicted box, and two heat maps by the checkpoint in use.

    Raises:
        UserError: if the photo is not in the CSV or cannot be read.
    """
    row = backend.per_photo.row_of(name) if backend.per_photo else None
    if row is None:
        raise UserError(f"there is no photo {name[:40]!r} in the CSV. Choose another one.")
    inspection = backend.inspect(PhotoChoice(name), state.checkpoint)
    shown, now, maps = inspection.shown, inspection.detection, inspection.heat_maps
    figures = [
        markup.figure(
            shown.image, shown.original_size, _boxes(row, labelled=True), f"photo {name}",
            caption=f"Dashed white: the true box, of {a_or_an(shown_name(row.true_class))}.",
        )
    ]  # fmt: skip
    for kind, words in (
        ("box", "Warm: where the box was read from."),
        ("class", f"Warm: what speaks for {shown_name(now.class_name)}."),
    ):
        if kind in maps:
            figures.append(_explained(shown.image, row, maps[kind], now, words))
    return render(
        "behind_card.html", figures=figures, facts=markup.table(_facts(row), f"Photo {name}"),
        otherwise=stale_csv_note(row, now),
    )  # fmt: skip


def _explained(
    image: Image.Image, row: pd.Series, heat: np.ndarray, now: Detection, words: str
) -> Markup:
    truth = _boxes(row)[0]
    box = markup.DrawnBox(now.bbox_xyxy, "prediction", now.class_name)
    return markup.figure(image, now.image_size, [truth, box], words, heat, words)


def stale_csv_note(row: pd.Series, now: Detection) -> str:
    """A sentence where the checkpoint in use no longer predicts what the CSV says."""
    if now.class_name == row.predicted_class and abs(now.score - row.score) < 0.1:
        return ""
    return (
        f"The checkpoint in use predicts {shown_name(now.class_name)} {percent(now.score, 0)} here:"
        " the CSV was written with other weights. The explanations are those of the checkpoint in"
        " use."
    )


def _facts(row: pd.Series) -> list[tuple[str, str]]:
    second = f"{percent(row.second_share, 0)} as large" if row.second_share else "none"
    return [
        ("true class", markup.chip(row.true_class)),
        ("predicted", markup.chip(row.predicted_class)),
        ("confidence", percent(row.score, 0)),
        ("overlap with the true box", f"IoU {row.iou:.2f}"),
        ("error of the corners", f"{row.l1_px_224:.1f} px of a 224 canvas"),
        ("objects", str(int(row.n_objects))),
        ("largest object", f"{percent(row.area_share, 0)} of the photo"),
        ("second object", second),
    ]
