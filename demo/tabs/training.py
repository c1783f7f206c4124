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
    signal,
)
from demo.views import markup
from demo.views.confusion import TrainingState, behind_cells, photo_card, show_behind
from demo.views.training import show
from demo.web_files import script


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
    """Lay out the tab; all is drawn when it is opened.

    Args:
        backend: whose checkpoints these are.
        checkpoint: which of them all tabs use; shown here.
        known: shows the classes of the checkpoint.
        address: what is written into the address.
        redraw: draws the tab, see :func:`demo.components.signal`.
    """
    checkpoint.render()
    fold("Learning curves", "curves")
    charts = gr.HTML(elem_id="curves", min_height=60)
    fold("Settings and scores", "results")
    results = gr.HTML(elem_id="training-results", min_height=60)
    fold("Confusion matrix", "confusion")
    can_open = behind_cells(backend) is not None
    with gr.Row(elem_id="confusion-part"):
        with gr.Column(scale=1, min_width=300):
            scripts = script("pick_grid", "confusion")
            matrix = gr.HTML(js_on_load=scripts, elem_id="confusion", min_height=60)
        with gr.Column(scale=1, min_width=300, elem_id="behind", visible=can_open):
            behind = _Behind(
                gr.HTML(elem_id="behind-heading"), pick_grid(elem_id="behind-grid"),
                gr.HTML(elem_id="behind-card", render=False),
            )  # fmt: skip
    with gr.Column(visible=can_open, elem_id="behind-part"):
        behind.card.render()
        to_detect = gr.Button("Send to Detect", size="sm", elem_id="behind-detect", min_width=120)
    fold("Model card", "card")
    card = gr.Markdown(elem_id="model-card")
    defaults = TrainingState(checkpoint=backend.checkpoint)
    controls: Controls = {
        "checkpoint": checkpoint, "cell": gr.Textbox("", visible=False),
        "picked": gr.Textbox("", visible=False),
    }  # fmt: skip
    shown = _Shown(charts, results, matrix, card, known)
    _connect(backend, controls, shown, behind, redraw, (address, defaults))
    return TrainingTab(defaults, controls, to_detect)


def _connect(
    backend: Backend,
    controls: Controls,
    shown: _Shown,
    behind: _Behind,
    redraw: gr.Textbox,
    address_bar: tuple[gr.Textbox, TrainingState],
) -> None:
    """All is drawn when the tab is opened; then a cell opens its photos, a photo its card."""
    address, defaults = address_bar
    cell, picked, pressed = controls["cell"], controls["picked"], signal()

    @show_errors_in(shown.results, shown.charts, shown.matrix, shown.card)
    def figures(name: str) -> dict[Any, Any]:
        view = show(backend, name)
        return {
            shown.charts: view.charts, shown.results: view.results, shown.matrix: view.matrix,
            shown.card: view.card,
            shown.known: markup.known_classes(backend.detector(name).class_names),
        }  # fmt: skip

    @show_errors_in(behind.heading)
    def photos(state: TrainingState) -> dict[Any, Any]:
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

    def draw(event: gr.EventData, **values: Any) -> dict[Any, Any]:
        state = TrainingState(**values)
        drawn = photos(state)
        if event.target is pressed:  # the rest stays as it is, the focus in it too
            return drawn
        return {**figures(state.checkpoint), **drawn}

    gr.on(
        [redraw.change, pressed.change], draw, inputs_kwargs=controls,
        outputs=[
            *vars(shown).values(), behind.heading, behind.tiles, behind.card, picked, address,
        ], **DRAWS,
    )  # fmt: skip
    js = f"() => [{pressed_js(shown.matrix)}, '', {TOKEN_JS}]"
    shown.matrix.select(None, None, [cell, picked, pressed], js=js, **PRIVATE)
    behind.tiles.select(
        pick, inputs_kwargs=controls, outputs=[behind.card, picked, address],
        js=pressed_first_js(behind.tiles, controls), **DRAWS,
    )  # fmt: skip
