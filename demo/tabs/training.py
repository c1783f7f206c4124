"""The Training tab: how a checkpoint was trained, its scores, and the photos it fails on."""

from typing import Any

import gradio as gr

from demo import ui
from demo.tabs.tab import Shared, Tab
from demo.views import markup
from demo.views.confusion import TrainingState, behind_cells, photo_card, show_behind
from demo.views.training import show
from demo.web_files import script


class TrainingTab(Tab[TrainingState]):
    """The tab; ``controls`` are named after the fields of :class:`TrainingState`."""

    label = "Training"

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared, TrainingState(checkpoint=shared.backend.checkpoint))

    def build(self) -> None:
        """See :meth:`Tab.build`; everything is drawn when the tab is opened."""
        checkpoint = self.shared.controls["checkpoint"]
        checkpoint.render()
        ui.forward_choices([checkpoint], self.shared.rechosen, self.redraw)
        ui.fold("Learning curves", "curves")
        self.charts = gr.HTML(elem_id="curves", min_height=60)
        ui.fold("Settings and scores", "results")
        self.results = gr.HTML(elem_id="training-results", min_height=60)
        ui.fold("Confusion matrix", "confusion")
        self._build_confusion()
        ui.fold("Model card", "card")
        self.model_card = gr.Markdown(elem_id="model-card")
        cell, self.picked = gr.Textbox("", visible=False), gr.Textbox("", visible=False)
        self.controls = {"checkpoint": checkpoint, "cell": cell, "picked": self.picked}
        self._connect()

    def _build_confusion(self) -> None:
        """The matrix, the photos of the pressed cell, and the card of the picked photo."""
        can_open = behind_cells(self.backend) is not None
        self.card = gr.HTML(elem_id="behind-card", render=False)
        with gr.Row(elem_id="confusion-part"):
            with gr.Column(scale=1, min_width=300):
                scripts = script("pick_grid", "confusion")
                self.matrix = gr.HTML(js_on_load=scripts, elem_id="confusion", min_height=60)
            with gr.Column(scale=1, min_width=300, elem_id="behind", visible=can_open):
                self.heading = gr.HTML(elem_id="behind-heading")
                self.tiles = ui.pick_grid(elem_id="behind-grid")
        with gr.Column(visible=can_open, elem_id="behind-part"):
            self.card.render()
            self.send_button("Send to Detect", "behind-detect", "detect")

    def _connect(self) -> None:
        """Opening the tab draws everything; a cell opens its photos, a photo its card."""
        backend, controls, known = self.backend, self.controls, self.shared.known
        picked, pressed = self.picked, ui.signal()
        of_checkpoint = [self.charts, self.results, self.matrix, self.model_card, known]

        @ui.show_errors_in(self.results, self.charts, self.matrix, self.model_card)
        def figures(name: str) -> dict[Any, Any]:
            view = show(backend, name)
            classes = markup.known_classes(backend.detector(name).class_names)
            return {**self.parts(view), known: classes}

        @ui.show_errors_in(self.heading)
        def photos(state: TrainingState) -> dict[Any, Any]:
            return {**self.parts(show_behind(backend, state)), **self.address.write(state)}

        @ui.show_errors_in(self.card)
        def pick(**values: Any) -> dict[Any, Any]:
            state = TrainingState(**values)
            card = photo_card(backend, state, state.picked)
            return {self.card: card, picked: state.picked, **self.address.write(state)}

        def draw(event: gr.EventData, **values: Any) -> dict[Any, Any]:
            state = TrainingState(**values)
            drawn = photos(state)
            if event.target is pressed:  # the rest is not redrawn, so the focus stays in it
                return drawn
            return {**figures(state.checkpoint), **drawn}

        of_picked = [self.card, picked, self.address.field]
        gr.on(
            [self.redraw.change, pressed.change], draw, inputs_kwargs=controls,
            outputs=[*of_checkpoint, self.heading, self.tiles, *of_picked], **ui.DRAWS,
        )  # fmt: skip
        js = f"() => [{ui.pressed_js(self.matrix)}, '', {ui.TOKEN_JS}]"
        self.matrix.select(None, None, [controls["cell"], picked, pressed], js=js, **ui.PRIVATE)
        self.tiles.select(
            pick, inputs_kwargs=controls, outputs=of_picked,
            js=ui.pressed_first_js(self.tiles, controls), **ui.DRAWS,
        )  # fmt: skip
