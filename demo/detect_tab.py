"""The Detect tab: one photo and its largest object; many photos at once."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo import markup
from demo.backend import Backend
from demo.components import PRIVATE, download_button, in_order, pick_grid, signal, tell
from demo.detect_view import (
    DEFAULT_THRESHOLD,
    EMPTY_MANY,
    NO_HEAT,
    example_tiles,
    show,
    show_many,
    take_csv,
    take_json,
    take_png,
)
from demo.take_away import take_away
from demo.uploads import photo_input, photos_input
from model.explain import TARGETS


@dataclass
class DetectTab:
    """Components other parts of the page need."""

    upload: gr.Image
    sample: gr.Textbox
    examples: gr.HTML
    threshold: gr.Slider
    why: gr.Radio
    result: gr.HTML
    redraw: gr.Textbox  # see demo.components.signal

    @property
    def controls(self) -> list[Any]:
        """What a view of this tab depends on."""
        return [self.sample, self.upload, self.threshold, self.why]


def build(backend: Backend, checkpoint: gr.Dropdown, first: str) -> DetectTab:
    """Lay out the tab; ``first`` is the example that is shown when the page opens."""
    with gr.Row():
        with gr.Column(scale=1, min_width=290):
            upload = photo_input(
                label="Your photo", sources=["upload", "webcam", "clipboard"], height=180,
                buttons=[], elem_id="detect-upload", placeholder="Drop or choose a photo",
            )  # fmt: skip
            sample = gr.Textbox(first, visible=False)
            gr.HTML("<h3 class='part'>Or an example</h3>", elem_classes=["heading"])
            examples = pick_grid(example_tiles(backend, first), elem_id="detect-examples")
        with gr.Column(scale=3, min_width=300):
            result = gr.HTML(show(backend, first, None), elem_id="detect-result", min_height=260)
            with gr.Row():
                threshold = gr.Slider(
                    0, 1, DEFAULT_THRESHOLD, step=0.01, label="Sure from",
                    info="below this score the page says: not sure", elem_id="detect-threshold",
                )  # fmt: skip
                why = gr.Radio(
                    [NO_HEAT, *TARGETS], value=NO_HEAT, label="Show why", elem_id="detect-why",
                    info="what the class, or the box, was read from",
                )  # fmt: skip
            with gr.Row():
                chosen = [sample, upload, checkpoint]
                for label, make, name in (
                    ("Picture (PNG)", take_png, "png"),
                    ("JSON", take_json, "json"),
                    ("CSV row", take_csv, "csv"),
                ):
                    download_button(
                        label, lambda *a, make=make: make(backend, *a), chosen, f"detect-{name}"
                    )  # fmt: skip
            _build_many(backend, checkpoint)

    tab = DetectTab(upload, sample, examples, threshold, why, result, signal())
    _connect(backend, tab, checkpoint)
    return tab


def _connect(backend: Backend, tab: DetectTab, checkpoint: gr.Dropdown) -> None:
    """Let every control draw the result anew, and keep the address in step."""

    def refresh(sample: str, upload: str | None, threshold: float, why: str, name: str) -> str:
        return show(backend, sample, upload, threshold, why, name)

    def picked(event: gr.EventData) -> tuple[str, None]:
        return event.key, None

    quiet = {"show_progress": "hidden", **PRIVATE}
    chosen = tab.examples.select(
        picked, None, [tab.sample, tab.upload], **quiet, **in_order("detect-choice")
    )
    # Not `input`: a picture from the camera comes without it. Pressing an example empties the
    # field, which is no reason to forget the example.
    dropped = tab.upload.change(
        lambda path: "" if path else gr.skip(), tab.upload, tab.sample, **quiet
    )
    for event in (chosen.then, dropped.then, tab.threshold.release, tab.why.input):
        tell(event, tab.redraw)
    tab.redraw.change(
        refresh, [*tab.controls, checkpoint], tab.result, show_progress="minimal", **PRIVATE
    ).then(None, [tab.sample, tab.threshold, tab.why], None, js=_ADDRESS_JS, **PRIVATE)


def _build_many(backend: Backend, checkpoint: gr.Dropdown) -> None:
    with gr.Accordion("Many photos at once", open=False, elem_id="many"):
        files = photos_input(label="Photos", elem_id="many-files", height=150)
        gallery = gr.HTML(markup.note(EMPTY_MANY), elem_id="many-result", min_height=60)
        table = gr.Textbox("", visible=False)

        # Gradio finds the progress bar by this default.
        def look(paths: list[str] | None, name: str, progress: Any = gr.Progress()) -> tuple:  # noqa: B008
            if not paths:
                return markup.note(EMPTY_MANY), ""
            return show_many(backend, paths, name, progress)

        def take(text: str) -> str:
            if not text:
                raise gr.Error("Choose some photos first.", print_exception=False)
            return take_away("detections.csv", text)

        files.change(look, [files, checkpoint], [gallery, table], **PRIVATE)
        download_button("All as CSV", take, [table], "many-csv")


_ADDRESS_JS = """(sample, threshold, why) => window.showInAddress('detect', {
  sample, threshold: threshold === 0.5 ? '' : threshold, why: why === 'off' ? '' : why})"""
