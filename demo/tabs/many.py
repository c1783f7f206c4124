"""The Detect tab's part for many photos: choose them, see their answers as they come, stop."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo.choice import PhotoChoice
from demo.components import (
    PRESS_AGAIN,
    PRIVATE,
    QUIET,
    TOKEN_JS,
    Controls,
    download_button,
    pick_grid,
    picked_draw,
    show_errors_in,
    stop_button,
)
from demo.photos import ManyPhotos
from demo.server.downloads import as_download
from demo.serving.calls import StopPressedError
from demo.tabs.tab import Tab
from demo.views import markup
from demo.views.detect import EMPTY_MANY, show_many
from model.errors import UserError

TO_TOP_JS = f"() => {{ window.scrollTo({{top: 0}}); return {TOKEN_JS}; }}"


def build(tab: Tab) -> None:
    """Lay it out; a tile opens its photo in the tab."""
    controls = tab.controls
    gr.HTML("<h3 class='part'>Many photos at once</h3>", elem_classes=["heading"])
    files = ManyPhotos()
    stop, running = stop_button("many-stop")
    gallery = pick_grid(markup.note(EMPTY_MANY), elem_id="many-result", min_height=60)
    table = gr.Textbox("", visible=False)
    settings = {name: controls[name] for name in ("checkpoint", "threshold")}

    @show_errors_in(gallery, table)
    # Gradio finds the progress bar by this default.
    def answer_all(
        files: list[str], checkpoint: str, threshold: float, progress: Any = gr.Progress()  # noqa: B008
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        if not files:
            yield {gallery: markup.note(EMPTY_MANY), table: ""}
            return
        yield {stop: gr.Button(visible=True), gallery: "", table: ""}
        known, shown = None, markup.note(EMPTY_MANY)
        try:
            with running.stoppable():
                for answers, shown, text in show_many(tab.backend, files, checkpoint, threshold):
                    progress((answers.read, answers.asked), desc="looking at photos", unit="photos")
                    changed, known = known != text, text
                    yield {gallery: shown, table: text} if changed else gr.skip()
        except StopPressedError:  # pressed during a pass: what was shown before it stays
            shown = markup.join([markup.note("Stopped."), shown])
        except Exception:
            yield {stop: gr.Button(visible=False)}
            raise
        yield {stop: gr.Button(visible=False), gallery: shown}

    def take(text: str) -> str:
        if not text:
            raise UserError("no photo is answered yet: choose some first.")
        return as_download("detections.csv", text)

    def open_one(files: list[str], event: gr.EventData) -> PhotoChoice:
        number, _ = picked_draw(event)
        if number >= len(files):
            raise UserError(PRESS_AGAIN)
        return PhotoChoice(upload=files[number])

    given: Controls = {"files": files, **settings}
    files.input(
        answer_all, inputs_kwargs=given, outputs=[gallery, table, stop], trigger_mode="always_last",
        **PRIVATE,
    )  # fmt: skip
    download_button("All as CSV", take, {"text": table}, "many-csv")
    pressed = gallery.select(open_one, files, controls["photo"], **QUIET)
    pressed.success(None, None, tab.redraw, js=TO_TOP_JS, **PRIVATE)
