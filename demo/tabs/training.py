"""The Training tab: how a checkpoint came about, how it scores, and on which photos it fails."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.backend import Backend, in_words
from demo.components import DRAWS, PRIVATE, QUIET, Controls, in_order, pick_grid, picked_key
from demo.views import markup
from demo.views.confusion import TrainingState, can_open, photo_card, show_behind
from demo.views.markup import WEB
from demo.views.training import show


@dataclass
class TrainingTab:
    """What other parts of the page need; ``controls`` by the fields of :class:`TrainingState`."""

    defaults: TrainingState
    controls: Controls
    to_detect: gr.Button


@dataclass
class _Behind:
    heading: gr.HTML
    tiles: gr.HTML
    card: gr.HTML


def build(
    backend: Backend, checkpoint: gr.Dropdown, address: gr.Textbox, opened: gr.Textbox
) -> TrainingTab:
    """Lay out the tab; ``opened`` holds the name of the tab that is open."""
    view = show(backend, backend.checkpoint)
    checkpoint.render()
    charts = gr.HTML(view.charts, elem_id="curves")
    results = gr.HTML(view.results, elem_id="training-results")
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            scripts = [(WEB / name).read_text() for name in ("pick_grid.js", "confusion.js")]
            matrix = gr.HTML(view.matrix, js_on_load="\n".join(scripts), elem_id="confusion")
        with gr.Column(scale=1, min_width=300, elem_id="behind", visible=can_open(backend)):
            behind = _Behind(
                gr.HTML(elem_id="behind-heading"), pick_grid(elem_id="behind-grid"),
                gr.HTML(elem_id="behind-card", render=False),
            )  # fmt: skip
    with gr.Column(visible=can_open(backend)):
        behind.card.render()
        to_detect = gr.Button("Send to Detect", size="sm", elem_id="behind-detect", min_width=120)
    card = gr.Markdown(view.card, elem_id="model-card")

    def another(name: str) -> list[Any]:
        view = show(backend, name)
        return [view.charts, view.results, view.matrix, view.card]

    checkpoint.input(
        another, checkpoint, [charts, results, matrix, card], show_progress="minimal", **PRIVATE
    )
    defaults = TrainingState(checkpoint=backend.checkpoint)
    controls: Controls = {
        "checkpoint": checkpoint, "cell": gr.Textbox("", visible=False),
        "picked": gr.Textbox("", visible=False),
    }  # fmt: skip
    _connect(backend, controls, matrix, behind, opened, (address, defaults))
    return TrainingTab(defaults, controls, to_detect)


def _connect(
    backend: Backend,
    controls: Controls,
    matrix: gr.HTML,
    behind: _Behind,
    opened: gr.Textbox,
    told: tuple[gr.Textbox, TrainingState],
) -> None:
    """A cell opens its photos, a photo its card."""
    address, defaults = told
    cell, picked = controls["cell"], controls["picked"]

    def draw(opened: str, **values: Any) -> Any:
        if opened != TrainingState.tab:
            return gr.skip()
        state = TrainingState(**values)
        try:
            view = show_behind(backend, state)
        except Exception as error:
            return {behind.heading: markup.problem(in_words(error))}
        return {
            behind.heading: view.heading, behind.tiles: view.tiles, behind.card: view.card,
            picked: view.picked, address: state.to_query(defaults),
        }  # fmt: skip

    def choose(event: gr.EventData) -> dict[Any, Any]:
        return {cell: picked_key(event), picked: ""}

    def pick(event: gr.EventData, **values: Any) -> dict[Any, Any]:
        state = dataclasses.replace(TrainingState(**values), picked=picked_key(event))
        try:
            card = photo_card(backend, state, state.picked)
        except Exception as error:
            card = markup.problem(in_words(error))
        return {behind.card: card, picked: state.picked, address: state.to_query(defaults)}

    gr.on(
        [opened.change, cell.change, controls["checkpoint"].change], draw,
        inputs_kwargs={"opened": opened, **controls},
        outputs=[behind.heading, behind.tiles, behind.card, picked, address], **DRAWS,
    )  # fmt: skip
    matrix.select(choose, None, [cell, picked], **QUIET, **in_order("matrix"))
    behind.tiles.select(
        pick, inputs_kwargs=controls, outputs=[behind.card, picked, address], **QUIET,
        **in_order("behind-card"),
    )  # fmt: skip
