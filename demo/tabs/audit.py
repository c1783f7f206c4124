"""The Augment tab's part on the whole data set: count, stop, take over, open a photo."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo.choice import PhotoChoice
from demo.components import (
    QUIET,
    pick_grid,
    picked_draw,
    ready_again,
    show_errors_in,
    split_choice,
    stop_button,
    token,
)
from demo.serving.calls import StopPressedError
from demo.tabs.tab import Tab
from demo.views import markup
from demo.views.audit import NOT_COUNTED, OUTDATED, STOPPED, TAKEN, audit, counted_with
from demo.views.augment.state import AugmentState
from model.augment import AugmentConfig
from model.errors import UserError


def build(tab: Tab[AugmentState], changed: gr.Textbox) -> None:
    """Lay it out, where there is a data set.

    Args:
        tab: the Augment tab, whose settings these are.
        changed: to be set when settings were changed.
    """
    backend, controls = tab.backend, tab.controls
    dataset = backend.library.dataset
    if dataset is None:
        return
    with gr.Accordion("On the whole set: what these settings do to all boxes", open=False,
                      elem_id="audit"):  # fmt: skip
        with gr.Row(elem_classes=["compact"]):
            split = split_choice(dataset.splits, "audit-split")
            count = gr.Button("Count", size="sm", min_width=100, elem_id="audit-count")
            stop, running = stop_button("audit-stop")
            take = gr.Button("Take the strongest within the limits", size="sm", min_width=160,
                             elem_id="audit-take", visible=False)  # fmt: skip
        said = gr.HTML(markup.note(NOT_COUNTED), elem_id="audit-said")
        again = gr.Button(OUTDATED, size="sm", variant="primary", elem_id="audit-again")
        shown = pick_grid(elem_id="audit-shown")
    safe = gr.Textbox("", visible=False)

    @show_errors_in(said)
    def counting(audited: str, **values: Any) -> Iterator[dict[Any, Any]]:
        state = AugmentState(**values)
        try:
            with running.stoppable():
                for found in audit(backend, state, audited):
                    query = state.to_query(tab.defaults)
                    yield {
                        said: found.said, shown: counted_with(query, found.shown),
                        safe: found.safe, count: gr.Button(interactive=False),
                        stop: gr.Button(visible=not found.safe),
                        take: gr.Button(visible=bool(found.safe)),
                    }  # fmt: skip
        except StopPressedError:
            yield {said: markup.note(STOPPED)}

    # It takes a core for seconds: one at a time, whoever asks.
    run = gr.on(
        [count.click, again.click], counting, inputs_kwargs={**controls, "audited": split},
        outputs=[said, shown, safe, count, stop, take],
        concurrency_limit=1, concurrency_id="audit", **QUIET,
    )  # fmt: skip
    ready_again(run, count, stop)
    _connect_found(tab, changed, said, shown, safe, take)


def _connect_found(
    tab: Tab[AugmentState], changed: gr.Textbox,
    said: gr.HTML, shown: gr.HTML, safe: gr.Textbox, take: gr.Button,
) -> None:  # fmt: skip
    """The settings that were found are taken over, and a tile opens that draw."""
    controls = tab.controls

    @show_errors_in(said)
    def take_over(text: str) -> dict[Any, Any]:
        if not text:
            raise UserError("nothing was counted yet: press Count first.")
        config = AugmentConfig.from_json(text)
        return {
            said: markup.note(TAKEN), shown: "", safe: "", take: gr.Button(visible=False),
            **{controls[name]: value for name, value in vars(config).items()}, changed: token(),
        }  # fmt: skip

    @show_errors_in(said)
    def open_draw(event: gr.EventData) -> dict[Any, Any]:
        number, name = picked_draw(event)
        choice = PhotoChoice(tab.backend.library.get(name).name)
        return {
            **tab.shared.new_photo(choice), controls["picked"]: str(number), tab.redraw: token()
        }  # fmt: skip

    # The signals are last: what listens to one reads all values as soon as it is set.
    taken = [controls[name] for name in controls if name in vars(AugmentConfig())]
    take.click(take_over, safe, [said, shown, safe, take, *taken, changed], **QUIET)
    outputs = [said, *tab.shared.of_new_photo, controls["picked"], tab.redraw]
    shown.select(open_draw, None, outputs, **QUIET)
