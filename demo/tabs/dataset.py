"""The tab "Data set": browse the data set, or the examples if there is none."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
from markupsafe import Markup

from demo import ui
from demo.backend import Backend
from demo.serving.background import BackgroundWork
from demo.serving.calls import raise_if_ended
from demo.tabs.tab import Shared, Tab
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

LOOK_EVERY_S = 0.5  # between two looks at the progress of work in the background
TO_CARD_JS = "() => { document.querySelector('#dataset-card').scrollIntoView(); }"
# On a phone the card is far below the tiles; elsewhere it is mostly beside them.
CARD_IN_SIGHT_JS = """() => {
  const card = document.querySelector('#dataset-card');
  const { top } = card.getBoundingClientRect();
  if (top < 0 || top > window.innerHeight / 2) card.scrollIntoView({ behavior: 'smooth' });
}"""
CHOICES = ("split", "class_name", "size")
TYPED_JS = f"() => ['', {ui.TOKEN_JS}]"


class DatasetTab(Tab[DatasetState]):
    """The tab; ``controls`` are named after the fields of :class:`DatasetState`."""

    label = "Data set"
    follows_photo = True  # opens the page of a photo that belongs to the data set

    def __init__(self, shared: Shared) -> None:
        dataset = shared.backend.library.dataset
        split = dataset.first_split if dataset else EXAMPLES
        super().__init__(shared, DatasetState(shared.backend.first_photo, split=split))

    def build(self) -> None:
        """See :meth:`Tab.build`."""
        if self.backend.library.dataset is None:
            gr.HTML(markup.note(WITHOUT_DATA), elem_id="dataset-missing")
        self.controls = {"photo": self.shared.controls["photo"], **self._build_controls()}
        with gr.Row():
            with gr.Column(scale=3, min_width=300):
                self.count = gr.HTML(elem_id="dataset-count")
                with gr.Row():
                    before = ui.small_button("Previous page", None)
                    after = ui.small_button("Next page", "dataset-next")
                self.tiles = ui.pick_grid(elem_id="dataset-grid")
                ui.download_button(
                    "CSV of the split", lambda split: csv_download(self.backend, split),
                    {"split": self.controls["split"]}, "dataset-csv",
                )  # fmt: skip
            with gr.Column(scale=2, min_width=300):
                self.card = gr.HTML(elem_id="dataset-card")
                with gr.Row():
                    for to in ("detect", "augment"):
                        self.send_button(f"Send to {to.capitalize()}", f"send-{to}", to)
        self.charts = gr.HTML(elem_id="dataset-charts")
        self._connect_card()
        self._connect_pages(before, after)
        self._connect_drawing()

    def _build_controls(self) -> ui.Controls:
        backend, defaults = self.backend, self.defaults
        with gr.Row():
            split = ui.Choice(
                backend.library.splits, value=defaults.split, label="Split", min_width=130,
                elem_id="dataset-split",
            )  # fmt: skip
            # The classes of the split are offered once it is read; an address may name one before.
            class_name = ui.Choice(
                labelled([ANY, *(backend.library.class_names() or backend.class_names())]),
                value=ANY, label="Class of the largest object", min_width=150,
                elem_id="dataset-class", allow_custom_value=True,
            )  # fmt: skip
            size = ui.Choice(
                list(SIZES), value=ANY, label="Its size", min_width=150, elem_id="dataset-size"
            )
            page = gr.Number(1, label="Page", precision=0, minimum=1, maximum=100_000,
                             min_width=90, elem_id="dataset-page")  # fmt: skip
        picked = gr.Textbox("", visible=False)
        return {
            "split": split, "class_name": class_name, "size": size, "page": page, "picked": picked
        }  # fmt: skip

    def _connect_card(self) -> None:
        """Show the card of the photo pressed in the grid or in the results of the check."""
        picked = self.controls["picked"]

        @ui.show_errors_in(self.card)
        def pick(**values: Any) -> dict[Any, Any]:
            state = DatasetState(**values)
            drawn = photo_card(self.backend, state.picked)
            return {self.card: drawn, picked: state.picked, **self.address.write(state)}

        def open_one(event: gr.EventData, **values: Any) -> dict[Any, Any]:
            return pick(**values | {"picked": ui.picked_key(event)})

        picks: dict[str, Any] = {
            "inputs_kwargs": self.controls, "outputs": [self.card, picked, self.address.field],
        }  # fmt: skip
        if self.backend.checking:
            found = _build_check(self.backend, self.backend.checking)
            found.select(open_one, **picks, **ui.QUIET).success(
                None, None, None, js=TO_CARD_JS, **ui.PRIVATE
            )
        self.tiles.select(
            pick, js=ui.pressed_first_js(self.tiles, self.controls), **picks, **ui.DRAWS
        ).success(None, None, None, js=CARD_IN_SIGHT_JS, **ui.PRIVATE)  # fmt: skip

    def _connect_pages(self, before: gr.Button, after: gr.Button) -> None:
        """Another split, class or size starts at page 1; another page picks its first photo."""
        page, picked = self.controls["page"], self.controls["picked"]
        steps, rechosen = {before._id: -1, after._id: 1}, ui.signal()
        ui.forward_choices([self.controls[name] for name in CHOICES], rechosen)

        def turn(number: float, event: gr.EventData) -> dict[Any, Any]:
            pressed = event.target._id if event.target else None
            turned = max(1, int(number or 1) + steps[pressed]) if pressed in steps else 1
            return {page: turned, picked: "", self.redraw: ui.token()}

        gr.on(
            [rechosen.change, before.click, after.click], turn, page, [page, picked, self.redraw],
            **ui.QUIET, **ui.in_order("dataset-choice"),
        )  # fmt: skip
        # The number is not set here: the visitor may still be typing it.
        page.input(None, None, [picked, self.redraw], js=TYPED_JS, **ui.PRIVATE)

    def _connect_drawing(self) -> None:
        backend, controls, library = self.backend, self.controls, self.backend.library
        places = {name: component for name, component in controls.items() if name != "photo"}
        followed = gr.Textbox("", visible=False)

        @ui.show_errors_in(self.count)
        def draw(followed_now: str, **values: Any) -> Iterator[dict[Any, Any]]:
            state = DatasetState(**values)
            for step in _steps(backend.reading) if backend.reading else ():
                yield {self.count: step}
            following = follow_photo(backend, state, self.defaults, followed_now)
            # An unchanged page number is not set: the visitor may still be typing it.
            names = places if following != state else {}
            moved = {places[name]: getattr(following, name) for name in names}
            state = following
            view = show(backend, state, bool(moved))
            classes = labelled(choices(library, state.split))
            let_go = moved and state.class_name == ANY
            offered = gr.Dropdown(classes, value=ANY) if let_go else gr.Dropdown(classes)
            yield {
                **moved, controls["class_name"]: offered, **self.parts(view),
                followed: state.photo.sample, **self.address.write(state),
            }  # fmt: skip

        self.redraw.change(
            draw, inputs_kwargs={**controls, "followed_now": followed},
            outputs=[
                self.count, self.tiles, self.card, self.charts, *places.values(), followed,
                self.address.field,
            ], **ui.DRAWS,
        )  # fmt: skip


def _build_check(backend: Backend, checking: BackgroundWork[Report]) -> gr.HTML:
    """The check of the data set, started by a button; photos in its results can be pressed."""
    gr.HTML("<h3 class='part'>Check the data set</h3>", elem_classes=["heading"])
    with gr.Row(elem_classes=["compact"]):
        button = ui.small_button("Check", "dataset-check")
        ui.download_button(
            "All as CSV", lambda: take_blemishes(_finished(checking)), {}, "blemishes-csv"
        )
    found = ui.pick_list(markup.note(NOT_CHECKED), elem_id="dataset-blemishes")

    @ui.show_errors_in(found)
    def look() -> Iterator[dict[Any, Any]]:
        for step in _steps(checking):
            yield {found: step}
        yield {found: show_report(backend, _finished(checking))}

    button.click(look, None, found, **ui.QUIET)
    return found


def _steps(work: BackgroundWork) -> Iterator[Markup]:
    """Start the work if nobody has, and yield its progress until it ends."""
    work.start()
    while not work.wait(LOOK_EVERY_S):
        raise_if_ended()
        yield show_step(work.step)


def _finished(checking: BackgroundWork[Report]) -> Report:
    if checking.result is None:
        raise UserError("the data set was not checked yet: press Check first.")
    return checking.result
