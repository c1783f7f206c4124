"""The tab of the pipeline that whoever started the server named: never a visitor's code."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from demo.backend import Backend
from demo.choice import PhotoChoice
from demo.components import DRAWS, PRIVATE, Controls, show_errors_in
from demo.views.augment.state import MAX_SEED, as_whole
from demo.views.pipeline import show


def build(
    backend: Backend, pipeline: Callable[..., Any], shared: Controls, opened_tab: gr.Tab
) -> None:
    """Lay out the tab: it is drawn when it is opened, and for another photo or seed."""
    with gr.Row():
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="pipeline-seed")
        again = gr.Button("Draw again", size="sm", elem_id="pipeline-again", min_width=120)
    view = gr.HTML(elem_id="pipeline-view")

    @show_errors_in(view)
    def draw(photo: PhotoChoice, checkpoint: str, number: float) -> dict[Any, Any]:
        wanted = as_whole(number, "seed", 0, MAX_SEED)
        return {view: show(pipeline, backend.open(photo, checkpoint), wanted)}

    inputs = [shared["photo"], shared["checkpoint"], seed]
    opened_tab.select(draw, inputs, view, **DRAWS)
    again.click(lambda number: (number or 0) + 1, seed, seed, **PRIVATE)
    gr.on([seed.change, shared["photo"].change], draw, inputs, view, **DRAWS)
