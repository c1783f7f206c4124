"""The Detect tab: one photo and its largest object; many photos at once."""

from typing import Any

import gradio as gr

from demo import ui
from demo.backend import user_message
from demo.choice import PhotoChoice
from demo.live import Frame, LiveCamera, look
from demo.tabs import many
from demo.tabs.tab import Shared, Tab
from demo.views import markup
from demo.views.detect import (
    NO_HEAT,
    DetectState,
    csv_download,
    first_view,
    json_download,
    png_download,
    show,
)
from demo.web_files import script
from model.errors import UserError

EXPLANATIONS = [
    ("nothing", NO_HEAT),
    ("what speaks for the class", "class"),
    ("where the box was read from", "box"),
]
OPACITY_JS = "(v) => document.documentElement.style.setProperty('--heat', v)"


class DetectTab(Tab[DetectState]):
    """The tab; ``controls`` are named after the fields of :class:`DetectState`."""

    label = "Detect"

    def __init__(self, shared: Shared) -> None:
        backend = shared.backend
        super().__init__(
            shared, DetectState(backend.first_photo, backend.checkpoint, backend.threshold())
        )

    def build(self) -> None:
        """See :meth:`Tab.build`; the result of the first photo is part of the page."""
        defaults = self.defaults
        # The first forward pass is several times slower than later ones: no visitor should wait.
        first = self.backend.inspect(defaults.photo, defaults.checkpoint)
        self.first_view = first_view(first, defaults)
        result = gr.HTML(
            markup.of_photo(defaults.photo.key, show(self.backend, defaults, first)),
            js_on_load=script("turning"), elem_id="detect-result", min_height=260,
        )  # fmt: skip
        self._build_actions()
        self._build_settings()
        self.controls |= self.shared.controls

        @ui.show_errors_in(result)
        def draw(**values: Any) -> dict[Any, Any]:
            state = DetectState(**values)
            shown = markup.of_photo(state.photo.key, show(self.backend, state))
            return {result: shown, **self.address.write(state)}

        gr.on(
            [*ui.edits(self.controls, "threshold", "explain"), self.redraw.change], draw,
            inputs_kwargs=self.controls, outputs=[result, self.address.field], **ui.DRAWS,
        )  # fmt: skip
        self._build_live()
        many.build(self)

    def new_photo(self, choice: PhotoChoice) -> dict[Any, Any]:
        """See :meth:`Tab.new_photo`; this tab is drawn even while another one is open."""
        return {self.redraw: ui.token()}

    def _build_actions(self) -> None:
        """The button that opens the Augment tab, and the downloads."""
        with gr.Row(elem_classes=["compact"]):
            self.send_button("Augment this photo", "augment-this", "augment", variant="primary")
            for label, make, name in (
                ("Picture (PNG)", png_download, "png"), ("JSON", json_download, "json"),
                ("CSV row", csv_download, "csv"),
            ):  # fmt: skip
                ui.download_button(
                    label, lambda make=make, **chosen: make(self.backend.inspect(**chosen)),
                    self.shared.controls, f"detect-{name}",
                )  # fmt: skip

    def _build_settings(self) -> None:
        with gr.Row(elem_classes=["compact"]):
            threshold = gr.Slider(
                0, 1, self.defaults.threshold, step=0.01, label="Confidence threshold",
                info="below it the detector is not sure", elem_id="detect-threshold", buttons=[],
            )  # fmt: skip
            self.controls["explain"] = gr.Radio(
                EXPLANATIONS, value=NO_HEAT, label="Explain", elem_id="detect-explain"
            )
            opacity = gr.Slider(
                0, 1, 0.75, step=0.05, label="Opacity of the explanation",
                elem_id="detect-opacity", buttons=[],
            )  # fmt: skip
        opacity.change(None, opacity, None, js=OPACITY_JS, **ui.PRIVATE)
        self.shared.controls["threshold"] = threshold

        # A threshold holds only for the scores of its own checkpoint.
        def follow(checkpoint: str) -> dict[Any, Any]:
            try:
                return {threshold: self.backend.threshold(checkpoint), self.redraw: ui.token()}
            except UserError:
                return {self.redraw: ui.token()}  # drawing the result shows the error

        self.shared.rechosen.change(
            follow, self.shared.controls["checkpoint"], [threshold, self.redraw], **ui.QUIET
        )

    def _build_live(self) -> None:
        live = LiveCamera(elem_id="live")

        def answer(frame: Frame, checkpoint: str, threshold: float) -> dict[str, Any]:
            try:
                return look(frame, self.backend.checkpoint_file(checkpoint), threshold)
            except Exception as error:
                return {"number": frame.number, "problem": user_message(error)}

        live.input(
            answer, [live, self.controls["checkpoint"], self.controls["threshold"]], live,
            trigger_mode="multiple", **ui.QUIET,
        )  # fmt: skip
