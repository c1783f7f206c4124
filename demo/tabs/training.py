"""The Training tab: how a checkpoint came about and how it scores."""

from typing import Any

import gradio as gr

from demo.backend import Backend
from demo.components import PRIVATE
from demo.views.training import show


def build(backend: Backend, checkpoint: gr.Dropdown) -> None:
    """Lay out the tab."""
    losses, shares, result, card = show(backend, backend.checkpoint)
    kwargs: dict[str, Any] = {
        "x": "epoch",
        "y": "value",
        "color": "curve",
        "height": 280,
        "x_axis_format": "d",
    }
    checkpoint.render()
    with gr.Row():
        first = gr.LinePlot(losses, title="Loss and L1 by epoch", elem_id="loss-plot", **kwargs)
        second = gr.LinePlot(shares, title="Shares by epoch", elem_id="share-plot", **kwargs)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            numbers = gr.HTML(result, elem_id="training-results")
        with gr.Column(scale=1, min_width=300):
            text = gr.Markdown(card, elem_id="model-card")

    checkpoint.input(
        lambda name: show(backend, name), checkpoint, [first, second, numbers, text],
        show_progress="minimal", **PRIVATE,
    )  # fmt: skip
