"""The Dataset tab: browse VOC, every object outlined; counts and sizes."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd

from demo import markup
from demo.backend import Backend, in_words
from demo.components import PRIVATE, download_button, in_order, pick_grid, signal, tell
from demo.take_away import take_away
from model.data.voc import list_splits
from model.errors import UserError

PER_PAGE = 18
ANY = "any"
SIZES = {
    ANY: (0.0, 1.01),
    "small: below 10 % of the photo": (0.0, 0.10),
    "medium: 10 to 40 %": (0.10, 0.40),
    "large: above 40 %": (0.40, 1.01),
}
CARD_COLUMNS = ["file_name", "split", "width", "height", "class_name", "xmin", "ymin", "xmax",
                "ymax", "n_objects", "area_fraction"]  # fmt: skip

WITHOUT_VOC = (
    "PASCAL VOC 2007 is not here, so there is nothing to browse; the other tabs work without it."
    " Get it (about 450 MB) with: python -m model.voc download --data data - then start the demo"
    " again, or point it to a copy you have with --data."
)


@dataclass
class DatasetTab:
    """Components other parts of the page need."""

    split: gr.Dropdown
    class_name: gr.Dropdown
    size: gr.Dropdown
    page: gr.Number
    picked: gr.Textbox
    to_detect: gr.Button
    to_augment: gr.Button
    redraw: gr.Textbox  # see demo.components.signal

    @property
    def controls(self) -> list[Any]:
        """What a view of this tab depends on."""
        return [self.split, self.class_name, self.size, self.page, self.picked]


def chosen_rows(backend: Backend, split: str, class_name: str, size: str) -> pd.DataFrame:
    """Rows of a split whose largest object is of this class and size.

    Raises:
        UserError: without VOC, or for an unknown split or size.
    """
    frame = backend.split(split)
    if size not in SIZES:
        raise UserError(f"there is no size {size!r}. There is: {', '.join(SIZES)}.")
    low, high = SIZES[size]
    keep = (frame.area_fraction >= low) & (frame.area_fraction < high)
    if class_name != ANY:
        keep &= frame.class_name == class_name
    return frame[keep]


def show(
    backend: Backend, split: str, class_name: str, size: str, page: Any, picked: str
) -> tuple[str, str, str, str]:
    """A page of thumbnails, the picked photo, the charts, and a line on how many there are."""
    try:
        rows = chosen_rows(backend, split, class_name, size)
        pages = max(1, -(-len(rows) // PER_PAGE))
        number = int(min(max(1, page or 1), pages))
        part = rows.iloc[(number - 1) * PER_PAGE : number * PER_PAGE]
        names = [name.rsplit(".", 1)[0] for name in part.file_name]
        picked = picked or (names[0] if names else "")
        tiles = [
            _tile(backend, row, name, name == picked)
            for row, name in zip(part.itertuples(), names, strict=True)
        ]
        count = f"{len(rows)} photos, page {number} of {pages}"
        card = photo_card(backend, picked) if picked else markup.note("No photo fits.")
        return markup.grid(tiles, "browse"), card, charts(rows), f"<p>{count}</p>"
    except Exception as error:
        return markup.problem(in_words(error)), "", "", ""


def _tile(backend: Backend, row: Any, name: str, pressed: bool) -> str:
    image = backend.thumbnail(backend.library.get(name).path)
    caption = f"{name} {row.class_name}"
    return markup.tile(name, image, f"photo {name}, a {row.class_name}", caption, pressed)


def photo_card(backend: Backend, name: str) -> str:
    """A photo with every object outlined, and its CSV row."""
    photo = backend.photo(name, None)
    shown = backend.shown(photo)
    largest = photo.largest
    boxes = []
    for thing in sorted(photo.objects, key=lambda o: o is largest):
        label = thing.class_name
        if thing is largest:
            boxes.append(markup.DrawnBox(thing.bbox_xyxy, "target", label, f"largest: {label}"))
        elif thing.difficult:
            boxes.append(
                markup.DrawnBox(thing.bbox_xyxy, "difficult", label, f"{label}, difficult")
            )
        else:
            boxes.append(markup.DrawnBox(thing.bbox_xyxy, "object", label, label))
    things = ", ".join(o.class_name for o in photo.objects)
    picture = markup.figure(
        shown.image, shown.original_size, boxes, f"VOC photo {name} with {things}",
        caption="Bold: the largest object. Thin: the others. Dashed: difficult, never the target.",
    )  # fmt: skip
    row = csv_row(backend, name)
    facts = [(column, escape(str(row[column]))) for column in CARD_COLUMNS if column in row]
    return picture + markup.table(facts, "Its row of the CSV")


def csv_row(backend: Backend, name: str) -> dict[str, Any]:
    """The CSV row of a photo; empty if it has no target."""
    frame = backend.split("trainval")
    found = frame[frame.file_name == backend.library.get(name).path.name]
    return {} if found.empty else found.iloc[0].to_dict()


def charts(rows: pd.DataFrame) -> str:
    """Photos a class, and the sizes of the largest boxes."""
    if rows.empty:
        return ""
    counts = rows.class_name.value_counts()
    bars = "".join(
        markup.bar(count / counts.iloc[0], name, str(count), name) for name, count in counts.items()
    )
    width = ((rows.xmax - rows.xmin) / rows.width).to_numpy()
    height = ((rows.ymax - rows.ymin) / rows.height).to_numpy()
    return (
        '<h3 class="part">Photos by class of the largest object</h3>'
        f"<div>{bars}</div>"
        '<h3 class="part">Size of the largest box</h3>'
        f"{size_plot(width, height)}"
    )


def size_plot(width: np.ndarray, height: np.ndarray, cells: int = 12) -> str:
    """How often a box has this share of the photo's width and height, as an SVG."""
    grid, _, _ = np.histogram2d(width, height, bins=cells, range=[[0, 1], [0, 1]])
    side, left, bottom = 240 / cells, 44, 246
    squares = "".join(
        f'<rect x="{left + i * side:.1f}" y="{bottom - (j + 1) * side:.1f}" width="{side:.1f}"'
        f' height="{side:.1f}" fill="var(--primary-600)"'
        f' opacity="{(grid[i, j] / grid.max()) ** 0.6:.2f}">'
        f"<title>{int(grid[i, j])} photos</title></rect>"
        for i in range(cells)
        for j in range(cells)
        if grid[i, j]
    )
    ticks = "".join(
        f'<text x="{left + 240 * t}" y="262" text-anchor="middle">{t:.0%}</text>'
        f'<text x="{left - 5}" y="{bottom - 240 * t + 4}" text-anchor="end">{t:.0%}</text>'
        for t in (0, 0.5, 1)
    )
    return (
        '<svg class="chart" viewBox="0 0 330 284" style="max-width: 420px" role="img"'
        ' aria-label="Histogram of box width against box height, as shares of the photo">'
        f'<rect x="{left}" y="6" width="240" height="240" fill="none"'
        f' stroke="var(--border-color-primary)"/>{squares}<g font-size="11">{ticks}'
        '<text x="164" y="280" text-anchor="middle">box width / photo width</text>'
        '<text x="10" y="126" text-anchor="middle" transform="rotate(-90 10 126)">'
        "box height / photo height</text></g></svg>"
    )


def take_csv(backend: Backend, split: str) -> str:
    """The CSV of a whole split, as ``python -m model.voc csv`` writes it."""
    try:
        frame = backend.split(split)
    except UserError as error:
        raise gr.Error(in_words(error), print_exception=False) from error
    return take_away(f"voc2007_{split}.csv", frame.to_csv(index=False))


def build(backend: Backend) -> DatasetTab | None:
    """Lay out the tab; without VOC only a paragraph."""
    if backend.library.voc_root is None:
        gr.HTML(markup.note(WITHOUT_VOC), elem_id="dataset-missing")
        return None
    splits = list_splits(backend.library.voc_root)
    names = [ANY, *backend.class_names()]
    with gr.Row():
        split = gr.Dropdown(
            splits, value="trainval" if "trainval" in splits else splits[0], label="Split",
            min_width=130, elem_id="dataset-split",
        )  # fmt: skip
        class_name = gr.Dropdown(
            names, value=ANY, label="Class of the largest object", min_width=150,
            elem_id="dataset-class",
        )  # fmt: skip
        size = gr.Dropdown(
            list(SIZES), value=ANY, label="Its size", min_width=150, elem_id="dataset-size"
        )
        page = gr.Number(1, label="Page", precision=0, minimum=1, maximum=100_000, min_width=90,
                         elem_id="dataset-page")  # fmt: skip
    picked = gr.Textbox("", visible=False)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            count = gr.HTML(elem_id="dataset-count")
            with gr.Row():
                before = gr.Button("Previous page", size="sm", min_width=120)
                after = gr.Button("Next page", size="sm", min_width=120, elem_id="dataset-next")
            tiles = pick_grid(elem_id="dataset-grid", min_height=420)
            download_button(
                "CSV of the split", lambda s: take_csv(backend, s), [split], "dataset-csv"
            )
        with gr.Column(scale=2, min_width=300):
            card = gr.HTML(elem_id="dataset-card", min_height=420)
            with gr.Row():
                to_detect = gr.Button("Send to Detect", size="sm", min_width=120,
                                      elem_id="send-detect")  # fmt: skip
                to_augment = gr.Button("Send to Augment", size="sm", min_width=120,
                                       elem_id="send-augment")  # fmt: skip
    plots = gr.HTML(elem_id="dataset-charts")

    tab = DatasetTab(split, class_name, size, page, picked, to_detect, to_augment, signal())
    _connect(backend, tab, [tiles, card, plots, count], before, after)
    return tab


def _connect(
    backend: Backend, tab: DatasetTab, outputs: list[Any], before: gr.Button, after: gr.Button
) -> None:
    tiles, card, *_ = outputs
    quiet = {"show_progress": "hidden", **PRIVATE, **in_order("dataset-choice")}
    minimal = {"show_progress": "minimal", **PRIVATE}
    address = {"fn": None, "inputs": tab.controls, "js": _ADDRESS_JS, **PRIVATE}

    def refresh(*values: Any) -> tuple[str, str, str, str]:
        return show(backend, *values)

    def one_card(name: str) -> str:
        try:
            return photo_card(backend, name)
        except Exception as error:
            return markup.problem(in_words(error))

    def turned(by: int) -> Callable[[float], tuple[float, str]]:
        return lambda page: (max(1, int(page or 1) + by), "")

    place = [tab.page, tab.picked]
    for control in (tab.split, tab.class_name, tab.size):
        tell(control.input(lambda: (1, ""), None, place, **quiet).then, tab.redraw)
    for button, by in ((before, -1), (after, 1)):
        tell(button.click(turned(by), tab.page, place, **quiet).then, tab.redraw)
    tell(tab.page.submit(lambda: "", None, tab.picked, **quiet).then, tab.redraw)
    draws = {"concurrency_id": "dataset-draw", "concurrency_limit": 1, **minimal}
    tab.redraw.change(refresh, tab.controls, outputs, **draws).then(**address)
    tiles.select(_picked_key, None, tab.picked, **quiet).then(
        one_card, tab.picked, card, **minimal, **in_order("dataset-draw")
    ).then(**address)


def _picked_key(event: gr.EventData) -> str:
    return event.key


_ADDRESS_JS = """(split, name, size, page, picked) => window.showInAddress('dataset', {
  split, class: name === 'any' ? '' : name, size: size === 'any' ? '' : size,
  page: page === 1 ? '' : page, sample: picked})"""
