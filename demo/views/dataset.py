"""What the tab "Data set" shows: photos with all their objects, counts and sizes."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from markupsafe import Markup

from demo.address import PickedPhotoState, in_address, one_of, query_part, whole
from demo.backend import Backend, user_message
from demo.choice import PhotoChoice
from demo.server.downloads import as_download
from demo.serving.calls import raise_if_ended
from demo.views import markup
from demo.web_files import render
from model.classes import shown_name
from model.data.records import CSV_COLUMNS
from model.data.samples import PhotoLibrary
from model.errors import UserError
from model.inference import DRAWN_SIDE
from model.words import a_or_an, counted

PER_PAGE = 20  # full rows at two, four and five a row
ANY = "any"
SIZES = {
    ANY: (0.0, 1.01),
    "small: below 10 % of the photo": (0.0, 0.10),
    "medium: 10 to 40 %": (0.10, 0.40),
    "large: above 40 %": (0.40, 1.01),
}
WITHOUT_DATA = (
    "There is no data set here, so these are the examples that come with the project,"
    " without the one that shows none of the classes."
    " Get PASCAL VOC 2007 (about 450 MB) with: python -m model.dataset download --data data - then"
    " start the demo again, or point it to a data set you have with --data."
)
NO_OBJECT = "no object"
LABELS = {"target": "largest: {}", "difficult": "{}, difficult", "object": "{}"}  # by role
CELLS = 12  # of the plot of sizes, in each direction
FEW_BOXES = 5  # in one photo; the names of more may not all have room


@dataclass(frozen=True)
class DatasetState(PickedPhotoState):
    """What the tab "Data set" shows; the card is that of the picked photo."""

    tab: ClassVar[str] = "dataset"
    split: str = in_address("trainval", str)
    class_name: str = in_address(ANY, str, "class")
    size: str = in_address(ANY, one_of(SIZES))
    page: int = in_address(1, whole(1, 100_000))

    def read(
        self, query: Mapping[str, str], library: PhotoLibrary
    ) -> tuple["DatasetState", list[str]]:
        """See :meth:`TabState.read`; an address may name any split, and any class of that split."""
        asked, wrong = super().read(query, library)
        split = asked.split if asked.split in library.splits else self.split
        class_name = self.class_name
        if asked.class_name != class_name:
            with suppress(UserError):  # drawing a split reports its errors
                if asked.class_name in choices(library, split):
                    class_name = asked.class_name
        understood = {"split": split, "class": class_name}
        unknown = [query_part(k, query) for k, v in understood.items() if query.get(k, v) != v]
        state = dataclasses.replace(asked, split=split, class_name=class_name)
        return state, unknown + wrong


def chosen_rows(backend: Backend, split: str, class_name: str, size: str) -> pd.DataFrame:
    """Rows of a split whose largest object is of this class and size.

    Raises:
        UserError: without a data set, or for an unknown split, class or size.
    """
    frame = backend.library.split(split).table
    class_name = str(class_name or ANY)  # a request may hold anything
    if class_name not in (known := choices(backend.library, split)):
        raise UserError(f"there is no class {class_name[:40]!r}. There is: {', '.join(known)}.")
    if size not in SIZES:
        raise UserError(f"there is no size {size!r}. There is: {', '.join(SIZES)}.")
    low, high = SIZES[size]
    keep = (frame.area_fraction >= low) & (frame.area_fraction < high)
    if size != ANY:
        keep &= frame.class_name != ""
    if class_name != ANY:
        keep &= frame.class_name == ("" if class_name == NO_OBJECT else class_name)
    return frame[keep]


def labelled(names: list[str]) -> list[tuple[str, str]]:
    """Choices of a drop-down: ``(shown name, value)``."""
    return [(shown_name(name), name) for name in names]


def choices(library: PhotoLibrary, split: str) -> list[str]:
    """The classes to choose from: any, each class, and "no object" if there are backgrounds.

    Raises:
        UserError: if there is no such split.
    """
    read = library.split(split)
    names = [ANY, *read.class_names]
    return [*names, NO_OBJECT] if len(read.backgrounds) and NO_OBJECT not in names else names


def follow_photo(
    backend: Backend, state: DatasetState, defaults: DatasetState, followed: str = ""
) -> DatasetState:
    """The state with the photo that all tabs show as the picked one, on its page.

    If needed the split is changed, and a filter by class or size removed. The example that is shown
    when the page opens was chosen by nobody: a first visit starts at page 1.

    Args:
        backend: has the photos.
        state: of the tab; ``photo`` is the one of all tabs.
        defaults: state of the tab when the page opens.
        followed: name of the photo that was followed last; empty at first. Each is followed once,
            so that a photo picked in the tab afterwards stays. A view from an address stays too.

    Raises:
        UserError: as :func:`chosen_rows`.
    """
    name = state.photo.sample
    is_asked_for = dataclasses.replace(state, photo=defaults.photo) != defaults
    is_chosen = state.photo.number > 0 or state.photo != defaults.photo
    if not name or name == followed or (not followed and (is_asked_for or not is_chosen)):
        return state
    file_name = backend.library.file_name_of(name)
    if not file_name:
        return state
    others = (split for split in backend.library.splits if split != state.split)
    asked = dataclasses.replace(state, class_name=ANY, size=ANY)
    for where in (state, asked, *(dataclasses.replace(asked, split=split) for split in others)):
        rows = chosen_rows(backend, where.split, where.class_name, where.size)
        # File names, because the name of each photo would need its annotation to be read.
        if file_name in (files := rows.file_name.tolist()):
            page = files.index(file_name) // PER_PAGE + 1
            return dataclasses.replace(where, picked=name, page=page)
    return state


@dataclass(frozen=True)
class View:
    """A page of thumbnails, the card of the picked photo, the charts, and the number of photos."""

    tiles: Markup
    card: Markup
    charts: Markup
    count: Markup


def show(backend: Backend, state: DatasetState, followed: bool = False) -> View:
    """The view of a state; ``followed``: this page was opened for the photo of all tabs."""
    rows = chosen_rows(backend, state.split, state.class_name, state.size)
    pages = max(1, -(-len(rows) // PER_PAGE))
    page = int(min(max(1, state.page or 1), pages))
    part = rows.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
    names = [backend.library.name_of(name) for name in part.file_name]
    picked = state.picked or (names[0] if names else "")
    tiles = [
        _tile(backend, row, name, name == picked)
        for row, name in zip(part.itertuples(), names, strict=True)
    ]
    card = _card_or_problem(backend, picked) if picked else markup.note("No photo fits.")
    why = ", where the photo chosen above is" if followed else ""
    count = Markup("<p>{}, page {} of {}{}</p>").format(
        counted(len(rows), "photo"), page, pages, why
    )
    return View(markup.grid(tiles, "browse"), card, charts(rows), count)


def _tile(backend: Backend, row: Any, name: str, pressed: bool) -> Markup:
    chip = markup.chip(row.class_name) if row.class_name else NO_OBJECT
    of_class = a_or_an(shown_name(row.class_name)) if row.class_name else NO_OBJECT
    alt = f"photo {name}, {of_class}"
    raise_if_ended()
    try:
        image = markup.thumbnail(backend.library.get(name).path)
    except UserError:  # its card says why
        words = markup.join([markup.file_name(name), ": cannot be read"])
        return markup.tile(name, "", alt, words, pressed)
    return markup.tile(name, image, alt, markup.join([markup.file_name(name), " ", chip]), pressed)


def _card_or_problem(backend: Backend, name: str) -> Markup:
    """The card; the error message if the photo cannot be read, so that other photos are shown."""
    try:
        return photo_card(backend, name)
    except UserError as error:
        return markup.problem(user_message(error))


def photo_card(backend: Backend, name: str) -> Markup:
    """A photo with every object outlined, and its CSV row."""
    photo = backend.photo(PhotoChoice(name))
    shown = photo.load(DRAWN_SIDE)
    largest = photo.largest
    boxes = []
    for obj in sorted(photo.objects, key=lambda obj: obj is largest):
        role = "target" if obj is largest else "difficult" if obj.difficult else "object"
        label = LABELS[role].format(shown_name(obj.class_name))
        boxes.append(markup.DrawnBox(obj.bbox_xyxy, role, obj.class_name, label))
    counts = Counter(shown_name(obj.class_name) for obj in photo.objects)
    object_counts = ", ".join(f"{n} x {class_name}" for class_name, n in counts.items())
    legend = "Bold: the largest object. Thin: the others. Dashed: difficult, never the target."
    if len(boxes) > FEW_BOXES:
        legend += " A name that would lie on another is left out: the colour says the class."
    alt = f"photo {name} with {object_counts or NO_OBJECT}"
    picture = markup.figure(shown.image, shown.original_size, boxes, alt, caption=legend)
    row = backend.library.row(name)
    columns = [column for column in CSV_COLUMNS if column in row and column != "objects"]
    facts = [(column, str(row[column])) for column in columns]
    return picture + markup.table(facts, "Its row of the CSV")


def charts(rows: pd.DataFrame) -> Markup:
    """Number of photos per class, and a histogram of the sizes of the largest boxes."""
    rows = rows[rows.class_name != ""]
    if rows.empty:
        return Markup()
    counts = rows.class_name.value_counts()
    bars = [
        markup.bar(count / counts.iloc[0], shown_name(str(name)), str(count), str(name))
        for name, count in counts.items()
    ]
    width = ((rows.xmax - rows.xmin) / rows.width).to_numpy()
    height = ((rows.ymax - rows.ymin) / rows.height).to_numpy()
    # Histogram over the box's share of the photo's width and height.
    grid, _, _ = np.histogram2d(width, height, bins=CELLS, range=[[0, 1], [0, 1]])
    return render("dataset_charts.html", bars=bars, grid=grid.astype(int).tolist())


def csv_download(backend: Backend, split: str) -> str:
    """The CSV of a whole split, as ``python -m model.dataset csv`` writes it."""
    dataset = backend.library.dataset
    folder = f"{dataset.folders[0].name.lower()}_" if dataset else ""
    table = backend.library.split(split).table
    return as_download(f"{folder}{split}.csv", table.to_csv(index=False))
