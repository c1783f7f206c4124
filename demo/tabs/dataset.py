"""The tab "Data set": browse one, or without it the examples, every object outlined."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from demo.backend import Backend
from demo.components import (
    DRAWS,
    PRIVATE,
    QUIET,
    TOKEN_JS,
    Controls,
    download_button,
    forward_choices,
    in_order,
    pick_grid,
    pick_list,
    picked_key,
    pressed_first_js,
    show_errors_in,
    signal,
    token,
)
from demo.photos import PhotoChooser
from demo.serving.background import BackgroundWork
from demo.serving.calls import raise_if_ended
from demo.views import markup
from demo.views.blemishes import NOT_CHECKED, show_report, show_step, take_blemishes
from demo.views.dataset import (
    ANY,
    SIZES,
    WITHOUT_DATA,
    DatasetState,
    choices,
    csv_download,
    follow_photo,
    labelled,
    photo_card,
    show,
)
from model.data.check import Report
from model.data.samples import EXAMPLES
from model.errors import UserError

LOOK_EVERY_S = 0.5  # at work that others may have begun
TO_CARD_JS = "() => { document.querySelector('#dataset-card').scrollIntoView(); }"
# Beside the tiles it mostly is; on a phone it is a long way below them.
CARD_IN_SIGHT_JS = """() => {
  const card = document.querySelector('#dataset-card');
  const { top } = card.getBoundingClientRect();
  if (top < 0 || top > window.innerHeight / 2) card.scrollIntoView({ behavior: 'smooth' });
}"""
TYPED_JS = f"() => ['', {TOKEN_JS}]"


@dataclass
class DatasetTab:
    """What other parts of the page need; ``controls`` by the fields of :class:`DatasetState`."""

    defaults: DatasetState
    controls: Controls
    to_detect: gr.Button
    to_augment: gr.Button


@dataclass
class _Shown:
    count: gr.HTML
    tiles: gr.HTML
    card: gr.HTML
    charts: gr.HTML


def build(
    backend: Backend, photo: PhotoChooser, address: gr.Textbox, redraw: gr.Textbox
) -> DatasetTab:
    """Lay out the tab.

    Args:
        backend: whose photos these are.
        photo: what all tabs look at; where it is of the split, the tab opens it.
        address: what is written into the address.
        redraw: draws the tab, see :func:`demo.components.signal`.
    """
    splits, dataset = backend.library.splits, backend.library.dataset
    defaults = DatasetState(split=dataset.first_split if dataset else EXAMPLES)
    if dataset is None:
        gr.HTML(markup.note(WITHOUT_DATA), elem_id="dataset-missing")
    controls = {"photo": photo, **_build_controls(backend, splits, defaults)}
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            count = gr.HTML(elem_id="dataset-count")
            with gr.Row():
                before = gr.Button("Previous page", size="sm", min_width=120)
                after = gr.Button("Next page", size="sm", min_width=120, elem_id="dataset-next")
            tiles = pick_grid(elem_id="dataset-grid")
            download_button(
                "CSV of the split", lambda split: csv_download(backend, split),
                {"split": controls["split"]}, "dataset-csv",
            )  # fmt: skip
        with gr.Column(scale=2, min_width=300):
            card = gr.HTML(elem_id="dataset-card")
            with gr.Row():
                to_detect = gr.Button("Send to Detect", size="sm", min_width=120,
                                      elem_id="send-detect")  # fmt: skip
                to_augment = gr.Button("Send to Augment", size="sm", min_width=120,
                                       elem_id="send-augment")  # fmt: skip
    charts = gr.HTML(elem_id="dataset-charts")
    shown = _Shown(count, tiles, card, charts)

    @show_errors_in(card)
    def pick(**values: Any) -> dict[Any, Any]:
        state = DatasetState(**values)
        drawn = photo_card(backend, state.picked)
        return {card: drawn, controls["picked"]: state.picked, address: state.to_query(defaults)}

    picks: dict[str, Any] = {
        "inputs_kwargs": controls, "outputs": [card, controls["picked"], address],
    }  # fmt: skip
    if backend.checking:
        _build_check(backend, backend.checking, pick, picks)
    _connect_pages(controls, before, after, redraw)
    _connect_drawing(backend, controls, shown, redraw, (address, defaults))
    looked = tiles.select(pick, js=pressed_first_js(tiles, controls), **picks, **DRAWS)
    looked.success(None, None, None, js=CARD_IN_SIGHT_JS, **PRIVATE)
    return DatasetTab(defaults, controls, to_detect, to_augment)


def _build_check(
    backend: Backend,
    checking: BackgroundWork[Report],
    pick: Callable[..., dict[Any, Any]],
    picks: dict[str, Any],
) -> None:
    """What is wrong with the data set, made when it is asked for; press a photo to see it above."""
    gr.HTML("<h3 class='part'>Check the data set</h3>", elem_classes=["heading"])
    with gr.Row(elem_classes=["compact"]):
        button = gr.Button("Check", size="sm", min_width=120, elem_id="dataset-check")
        download_button(
            "All as CSV", lambda: take_blemishes(_finished(checking)), {}, "blemishes-csv"
        )
    found = pick_list(markup.note(NOT_CHECKED), elem_id="dataset-blemishes")

    @show_errors_in(found)
    def look() -> Iterator[dict[Any, Any]]:
        for step in _steps(checking):
            yield {found: step}
        yield {found: show_report(backend, _finished(checking))}

    def open_one(event: gr.EventData, **values: Any) -> dict[Any, Any]:
        return pick(**values | {"picked": picked_key(event)})

    button.click(look, None, found, **QUIET)
    opened = found.select(open_one, **picks, **QUIET)
    opened.success(None, None, None, js=TO_CARD_JS, **PRIVATE)


def _steps(work: BackgroundWork) -> Iterator[Markup]:
    """How far it is, now and then, until it ends."""
    work.start()
    while not work.wait(LOOK_EVERY_S):
        raise_if_ended()
        yield show_step(work.step)


def _finished(checking: BackgroundWork[Report]) -> Report:
    if checking.result is None:
        raise UserError("the data set was not checked yet: press Check first.")
    return checking.result


def _build_controls(backend: Backend, splits: list[str], defaults: DatasetState) -> Controls:
    with gr.Row():
        split = gr.Dropdown(
            splits, value=defaults.split, label="Split", min_width=130, elem_id="dataset-split"
        )
        # Once the split is read its own classes are offered; until then an address may name one.
        class_name = gr.Dropdown(
            labelled([ANY, *(backend.library.class_names() or backend.class_names())]), value=ANY,
            label="Class of the largest object",
            min_width=150, elem_id="dataset-class", allow_custom_value=True,
        )  # fmt: skip
        size = gr.Dropdown(
            list(SIZES), value=ANY, label="Its size", min_width=150, elem_id="dataset-size"
        )
        page = gr.Number(1, label="Page", precision=0, minimum=1, maximum=100_000, min_width=90,
                         elem_id="dataset-page")  # fmt: skip
    picked = gr.Textbox("", visible=False)
    return {"split": split, "class_name": class_name, "size": size, "page": page, "picked": picked}


def _connect_pages(
    controls: Controls, before: gr.Button, after: gr.Button, redraw: gr.Textbox
) -> None:
    """Another split, class or size begins on page 1; another page picks its first photo."""
    page, picked = controls["page"], controls["picked"]
    steps, rechosen = {before._id: -1, after._id: 1}, signal()
    forward_choices([controls[name] for name in ("split", "class_name", "size")], rechosen)

    def turn(number: float, event: gr.EventData) -> dict[Any, Any]:
        pressed = event.target._id if event.target else None
        turned = max(1, int(number or 1) + steps[pressed]) if pressed in steps else 1
        return {page: turned, picked: "", redraw: token()}

    gr.on(
        [rechosen.change, before.click, after.click], turn, page, [page, picked, redraw],
        **QUIET, **in_order("dataset-choice"),
    )  # fmt: skip
    # A number that is being typed is left to the visitor.
    page.input(None, None, [picked, redraw], js=TYPED_JS, **PRIVATE)


def _connect_drawing(
    backend: Backend,
    controls: Controls,
    shown: _Shown,
    redraw: gr.Textbox,
    address_bar: tuple[gr.Textbox, DatasetState],
) -> None:
    address, defaults = address_bar
    places = {name: controls[name] for name in ("split", "class_name", "size", "page", "picked")}
    followed = gr.Textbox("", visible=False)
    outputs = [
        shown.count, shown.tiles, shown.card, shown.charts, *places.values(), followed, address,
    ]  # fmt: skip

    @show_errors_in(shown.count)
    def draw(followed_now: str, **values: Any) -> Iterator[dict[Any, Any]]:
        state = DatasetState(**values)
        for step in _steps(backend.reading) if backend.reading else ():
            yield {shown.count: step}
        following = follow_photo(backend, state, defaults, followed_now)
        # A number that is being typed is left to the visitor.
        names = places if following != state else {}
        moved = {places[name]: getattr(following, name) for name in names}
        state = following
        view = show(backend, state, bool(moved))
        classes = labelled(choices(backend.library, state.split))
        let_go = moved and state.class_name == ANY
        offered = gr.Dropdown(classes, value=ANY) if let_go else gr.Dropdown(classes)
        yield {
            **moved,
            controls["class_name"]: offered,
            shown.count: view.count, shown.tiles: view.tiles, shown.card: view.card,
            shown.charts: view.charts, followed: state.photo.sample,
            address: state.to_query(defaults),
        }  # fmt: skip

    inputs = {**controls, "followed_now": followed}
    redraw.change(draw, inputs_kwargs=inputs, outputs=outputs, **DRAWS)
