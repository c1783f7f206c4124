"""The tab of the pipeline given with ``--pipeline``: the owner's code, never a visitor's."""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from demo import ui
from demo.choice import PhotoChoice
from demo.serving.calls import StopPressedError
from demo.tabs.tab import Shared
from demo.views import markup
from demo.views.audit import STOPPED
from demo.views.augment.state import MAX_SEED
from demo.views.pipeline import MAX_COUNTED, audit, show
from model.checked import as_whole


def build(shared: Shared, pipeline: Callable[..., Any], place: gr.Tab) -> None:
    """Create the tab; it is drawn when it is opened, and for another photo or seed."""
    with gr.Row():
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="pipeline-seed")
        again = ui.small_button("Draw again", "pipeline-again")
    view = gr.HTML(elem_id="pipeline-view")

    @ui.show_errors_in(view)
    def draw(photo: PhotoChoice, checkpoint: str, number: float) -> dict[Any, Any]:
        wanted = as_whole(number, "seed", 0, MAX_SEED)
        shown = show(pipeline, shared.backend.inspect(photo, checkpoint), wanted)
        return {view: markup.of_photo(photo.key, shown)}

    photo = shared.controls["photo"]
    inputs = [photo, shared.controls["checkpoint"], seed]
    place.select(draw, inputs, view, **ui.DRAWS)
    again.click(lambda number: (number or 0) + 1, seed, seed, **ui.PRIVATE)
    gr.on([seed.change, photo.change], draw, inputs, view, **ui.DRAWS)
    _build_audit(shared, pipeline, seed)


def _build_audit(shared: Shared, pipeline: Callable[..., Any], seed: gr.Number) -> None:
    """The same on many photos, if there is a data set."""
    backend, dataset = shared.backend, shared.backend.library.dataset
    if dataset is None:
        return
    with gr.Accordion("On the whole set: what it does to all boxes", elem_id="pipeline-audit"):
        with gr.Row(elem_classes=["compact"]):
            split = ui.split_choice(dataset.splits, "pipeline-split")
            photos = gr.Number(300, label="Photos, at most", precision=0, minimum=1, min_width=130,
                               elem_id="pipeline-photos")  # fmt: skip
            count = ui.small_button("Count", "pipeline-count", 100)
            stop, running = ui.stop_button("pipeline-stop")
        status = gr.HTML(elem_id="pipeline-said")
        shown = ui.pick_grid(elem_id="pipeline-found")

    @ui.show_errors_in(status, shown)
    def counting(split: str, photos: float, number: float) -> Iterator[dict[Any, Any]]:
        wanted = as_whole(photos, "the number of photos", 1, MAX_COUNTED)
        first = as_whole(number, "seed", 0, MAX_SEED)
        yield {
            status: markup.note("Opening photos ..."), shown: "", stop: gr.Button(visible=True),
            count: gr.Button(interactive=False),
        }  # fmt: skip
        try:
            with running.stoppable():
                for words, found in audit(pipeline, backend, split, wanted, first):
                    yield {status: words, shown: found}
        except StopPressedError:
            yield {status: markup.note(STOPPED)}

    @ui.show_errors_in(status)
    def open_draw(event: gr.EventData) -> dict[Any, Any]:
        number, name = ui.picked_draw(event)
        return {**shared.new_photo(PhotoChoice(backend.library.get(name).name)), seed: number}

    run = count.click(
        counting, [split, photos, seed], [status, shown, stop, count], concurrency_limit=1,
        concurrency_id="audit", **ui.QUIET,
    )  # fmt: skip
    ui.ready_again(run, count, stop)
    shown.select(open_draw, None, [status, *shared.of_new_photo, seed], **ui.QUIET)
