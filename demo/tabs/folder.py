"""The part of the Augment tab for many photos: choose, make a ZIP, stop."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo import ui
from demo.backend import Backend, user_message
from demo.choice import UploadedFile
from demo.photos import ManyFiles
from demo.serving.calls import StopPressedError
from demo.views import markup
from demo.views.augment.files import CANVAS, ZIP_PICTURES
from demo.views.augment.folder import NOTHING_YET, FolderZip, folder_zip
from demo.views.augment.state import AugmentState
from model.inspect.variants import MAX_VARIANTS

HINT = "or drop several, or a folder, with their annotations, anywhere on this tab"
STOPPED = "Stopped: nothing was saved. " + NOTHING_YET


def build(backend: Backend, controls: ui.Controls) -> None:
    """Create the components; ``controls`` are those of the tab, by the fields of its state."""
    with gr.Accordion("Augment a folder: many photos with these settings, as one ZIP", open=False,
                      elem_id="folder"):  # fmt: skip
        files = ManyFiles("folder", HINT, takes_annotations=True)
        with gr.Row(elem_classes=["compact"]):
            count = ui.ClampedSlider(
                1, MAX_VARIANTS, 3, step=1, label="Variants of each photo", min_width=160,
                elem_id="folder-count", buttons=[],
            )  # fmt: skip
            pictures = gr.Radio(
                ZIP_PICTURES, value=CANVAS, label="Pictures", min_width=260,
                elem_id="folder-pictures",
            )  # fmt: skip
        with gr.Row(elem_classes=["compact"]):
            make = ui.small_button("Make the ZIP", "folder-make", variant="primary")
            stop, running = ui.stop_button("folder-stop")
        shown = gr.HTML(markup.note(NOTHING_YET), elem_id="folder-result", min_height=60)
    file = gr.DownloadButton(visible=False)
    # Messages about the files chosen before no longer apply.
    files.input(lambda: markup.note(NOTHING_YET), None, shown, **ui.QUIET)

    # Gradio finds the progress bar by this default.
    def pack(
        files: list[UploadedFile], variants: float, pictures: str, progress: Any = gr.Progress(),  # noqa: B008
        **values: Any,
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        yield {stop: gr.Button(visible=True), shown: "", file: None}
        made = FolderZip()
        try:
            with running.stoppable():
                for made in folder_zip(backend, AugmentState(**values), files, variants, pictures):
                    progress((made.done, made.total or None), desc=made.doing, unit=made.unit)
                    yield gr.skip()
        except StopPressedError:
            made.shown = markup.note(STOPPED)
        except Exception as error:
            made.shown = made.with_problems(markup.problem(user_message(error)))
        ready = {file: made.file} if made.file else {}
        yield {stop: gr.Button(visible=False), shown: made.shown, **ready}

    given = {**controls, "files": files, "variants": count, "pictures": pictures}
    # A run keeps a core busy for a minute or two: at most two at once, from different addresses.
    packing = make.click(
        pack, inputs_kwargs=given, outputs=[shown, file, stop], concurrency_limit=2,
        concurrency_id="folder", trigger_mode="once", **ui.PRIVATE,
    )  # fmt: skip
    packing.success(None, file, None, js="(file) => detectorPage.save(file)", **ui.PRIVATE)
