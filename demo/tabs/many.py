"""The part of the Detect tab for many photos: choose, watch the results arrive, stop."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo import ui
from demo.choice import PhotoChoice, UploadedFile
from demo.photos import ManyFiles
from demo.server.downloads import as_download
from demo.serving.calls import StopPressedError
from demo.tabs.tab import Tab
from demo.views import markup
from demo.views.detect import EMPTY_MANY, show_many
from model.errors import UserError

TO_TOP_JS = f"() => {{ window.scrollTo({{top: 0}}); return {ui.TOKEN_JS}; }}"


def build(tab: Tab) -> None:
    """Create the components; a press on a tile shows its photo in the tab."""
    controls = tab.controls
    gr.HTML("<h3 class='part'>Many photos at once</h3>", elem_classes=["heading"])
    files = ManyFiles("many", "or drop several, or a folder, anywhere on the page")
    stop, running = ui.stop_button("many-stop")
    gallery = ui.pick_grid(markup.note(EMPTY_MANY), elem_id="many-result", min_height=60)
    table = gr.Textbox("", visible=False)
    settings = {name: controls[name] for name in ("checkpoint", "threshold")}

    @ui.show_errors_in(gallery, table)
    # Gradio finds the progress bar by this default.
    def answer_all(
        files: list[UploadedFile], checkpoint: str, threshold: float, progress: Any = gr.Progress()  # noqa: B008
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        if not files:
            yield {gallery: markup.note(EMPTY_MANY), table: ""}
            return
        yield {stop: gr.Button(visible=True), gallery: "", table: ""}
        last, shown, paths = None, markup.note(EMPTY_MANY), [str(file.path) for file in files]
        try:
            with running.stoppable():
                for answers, shown, text in show_many(tab.backend, paths, checkpoint, threshold):
                    progress((answers.read, answers.asked), desc="looking at photos", unit="photos")
                    changed, last = last != text, text
                    yield {gallery: shown, table: text} if changed else gr.skip()
        except StopPressedError:  # pressed during a forward pass: earlier results stay
            shown = markup.join([markup.note("Stopped."), shown])
        except Exception:
            yield {stop: gr.Button(visible=False)}
            raise
        yield {stop: gr.Button(visible=False), gallery: shown}

    def take(text: str) -> str:
        if not text:
            raise UserError("no photo is answered yet: choose some first.")
        return as_download("detections.csv", text)

    def open_one(files: list[UploadedFile], event: gr.EventData) -> PhotoChoice:
        number, _ = ui.picked_draw(event)
        if number >= len(files):
            raise UserError(ui.PRESS_AGAIN)
        return PhotoChoice(upload=str(files[number].path))

    given: ui.Controls = {"files": files, **settings}
    files.input(
        answer_all, inputs_kwargs=given, outputs=[gallery, table, stop], trigger_mode="always_last",
        **ui.PRIVATE,
    )  # fmt: skip
    ui.download_button("All as CSV", take, {"text": table}, "many-csv")
    pressed = gallery.select(open_one, files, controls["photo"], **ui.QUIET)
    pressed.success(None, None, tab.redraw, js=TO_TOP_JS, **ui.PRIVATE)
