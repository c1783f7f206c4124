"""The Training tab: how a checkpoint came about, how it scores, and on which photos it fails."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.backend import Backend
from demo.components import (
    DRAWS,
    PRIVATE,
    TOKEN_JS,
    Controls,
    fold,
    pick_grid,
    pressed_first_js,
    pressed_js,
    show_errors_in,
    token,
)
from demo.scripts import script
from demo.views import markup
from demo.views.confusion import TrainingState, can_open, photo_card, show_behind
from demo.views.training import show


@dataclass
class TrainingTab:
    """What other parts of the page need; ``controls`` by the fields of :class:`TrainingState`."""

    defaults: TrainingState
    controls: Controls
    to_detect: gr.Button


@dataclass
class _Shown:
    """What is to be seen of a checkpoint."""

    charts: gr.HTML
    results: gr.HTML
    matrix: gr.HTML
    card: gr.Markdown
    known: gr.HTML


@dataclass
class _Behind:
    """What is to be seen of the photos behind a cell."""

    heading: gr.HTML
    tiles: gr.HTML
    card: gr.HTML


def build(
    backend: Backend, checkpoint: gr.Dropdown, known: gr.HTML, address: gr.Textbox,
    redraw: gr.Textbox,
) -> TrainingTab:  # fmt: skip
    """Lay out the tab.

    Args:
        backend: whose checkpoints these are.
        checkpoint: which of them all tabs use; shown here.
        known: shows the classes of the checkpoint.
        address: what is written into the address.
        redraw: draws the photos behind a cell, see :func:`demo.components.signal`.
    """
    view = show(backend, backend.checkpoint)
    checkpoint.render()
    fold("Learning curves", "curves")
    charts = gr.HTML(view.charts, elem_id="curves")
    fold("Settings and scores", "results")
    results = gr.HTML(view.results, elem_id="training-results")
    fold("Confusion matrix", "confusion")
    with gr.Row(elem_id="confusion-part"):
        with gr.Column(scale=1, min_width=300):
            scripts = script("pick_grid", "confusion")
            matrix = gr.HTML(view.matrix, js_on_load=scripts, elem_id="confusion")
        with gr.Column(scale=1, min_width=300, elem_id="behind", visible=can_open(backend)):
            behind = _Behind(
                gr.HTML(elem_id="behind-heading"), pick_grid(elem_id="behind-grid"),
                gr.HTML(elem_id="behind-card", render=False),
            )  # fmt: skip
    with gr.Column(visible=can_open(backend), elem_id="behind-part"):
        behind.card.render()
        to_detect = gr.Button("Send to Detect", size="sm", elem_id="behind-detect", min_width=120)
    fold("Model card", "card")
    card = gr.Markdown(view.card, elem_id="model-card")
    shown = _Shown(charts, results, matrix, card, known)
    _follow_checkpoint(backend, checkpoint, shown, redraw)
    defaults = TrainingState(checkpoint=backend.checkpoint)
    controls: Controls = {
        "checkpoint": checkpoint, "cell": gr.Textbox("", visible=False),
        "picked": gr.Textbox("", visible=False),
    }  # fmt: skip
    _connect(backend, controls, matrix, behind, redraw, (address, defaults))
    return TrainingTab(defaults, controls, to_detect)


def _follow_checkpoint(
    backend: Backend, checkpoint: gr.Dropdown, shown: _Shown, redraw: gr.Textbox
) -> None:
    """Another checkpoint: other figures, other photos behind a cell."""

    @show_errors_in(shown.results, shown.charts, shown.matrix, shown.card)
    def another(name: str) -> dict[Any, Any]:
        view = show(backend, name)
        return {
            shown.charts: view.charts, shown.results: view.results, shown.matrix: view.matrix,
            shown.card: view.card, redraw: token(),
            shown.known: markup.known_classes(backend.detector(name).class_names),
        }  # fmt: skip

    checkpoint.input(
        another, checkpoint, [*vars(shown).values(), redraw], show_progress="minimal", **PRIVATE
    )


def _connect(
    backend: Backend,
    controls: Controls,
    matrix: gr.HTML,
    behind: _Behind,
    redraw: gr.Textbox,
    address_bar: tuple[gr.Textbox, TrainingState],
) -> None:
    """A cell opens its photos, a photo its card."""
    address, defaults = address_bar
    cell, picked = controls["cell"], controls["picked"]

    @show_errors_in(behind.heading)
    def draw(**values: Any) -> dict[Any, Any]:
        state = TrainingState(**values)
        view = show_behind(backend, state)
        return {
            behind.heading: view.heading, behind.tiles: view.tiles, behind.card: view.card,
            picked: view.picked, address: state.to_query(defaults),
        }  # fmt: skip

    @show_errors_in(behind.card)
    def pick(**values: Any) -> dict[Any, Any]:
        state = TrainingState(**values)
        card = photo_card(backend, state, state.picked)
        return {behind.card: card, picked: state.picked, address: state.to_query(defaults)}

    redraw.change(
        draw, inputs_kwargs=controls,
        outputs=[behind.heading, behind.tiles, behind.card, picked, address], **DRAWS,
    )  # fmt: skip
    js = f"() => [{pressed_js(matrix)}, '', {TOKEN_JS}]"
    matrix.select(None, None, [cell, picked, redraw], js=js, **PRIVATE)
    behind.tiles.select(
        pick, inputs_kwargs=controls, outputs=[behind.card, picked, address],
        js=pressed_first_js(behind.tiles, controls), **DRAWS,
    )  # fmt: skip
