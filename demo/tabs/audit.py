"""The part of the Augment tab on the whole data set: count, stop, apply settings, open a photo."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo import ui
from demo.choice import PhotoChoice
from demo.serving.calls import StopPressedError
from demo.tabs.tab import Tab
from demo.views import markup
from demo.views.audit import NOT_COUNTED, OUTDATED, STOPPED, TAKEN, audit, counted_with
from demo.views.augment.state import AugmentState
from model.augment import AugmentConfig
from model.errors import UserError


def build(tab: Tab[AugmentState], changed: gr.Textbox) -> None:
    """Create the components if there is a data set.

    Args:
        tab: the Augment tab, with the settings to count.
        changed: signal to set after the settings were changed here.
    """
    backend, controls = tab.backend, tab.controls
    dataset = backend.library.dataset
    if dataset is None:
        return
    with gr.Accordion("On the whole set: what these settings do to all boxes", open=False,
                      elem_id="audit"):  # fmt: skip
        with gr.Row(elem_classes=["compact"]):
            split = ui.split_choice(dataset.splits, "audit-split")
            count = ui.small_button("Count", "audit-count", 100)
            stop, running = ui.stop_button("audit-stop")
        status = gr.HTML(markup.note(NOT_COUNTED), elem_id="audit-said")
        # Not in the place of Stop: a late press on Stop would change the settings.
        take = ui.small_button(
            "Take the strongest within the limits", "audit-take", 160, visible=False
        )
        again = gr.Button(OUTDATED, size="sm", variant="primary", elem_id="audit-again")
        shown = ui.pick_grid(elem_id="audit-shown")
    safe = gr.Textbox("", visible=False)

    @ui.show_errors_in(status)
    def counting(audited: str, **values: Any) -> Iterator[dict[Any, Any]]:
        state = AugmentState(**values)
        try:
            with running.stoppable():
                for progress in audit(backend, state, audited):
                    query = state.to_query(tab.defaults)
                    yield {
                        status: progress.status, shown: counted_with(query, progress.shown),
                        safe: progress.safe, count: gr.Button(interactive=False),
                        stop: gr.Button(visible=not progress.safe),
                        take: gr.Button(visible=bool(progress.safe)),
                    }  # fmt: skip
        except StopPressedError:
            yield {status: markup.note(STOPPED)}

    # Each run keeps a core busy for seconds: one at a time for all visitors together.
    run = gr.on(
        [count.click, again.click], counting, inputs_kwargs={**controls, "audited": split},
        outputs=[status, shown, safe, count, stop, take],
        concurrency_limit=1, concurrency_id="audit", **ui.QUIET,
    )  # fmt: skip
    ui.ready_again(run, count, stop)
    _connect_results(tab, changed, status, shown, safe, take)


def _connect_results(
    tab: Tab[AugmentState], changed: gr.Textbox,
    status: gr.HTML, shown: gr.HTML, safe: gr.Textbox, take: gr.Button,
) -> None:  # fmt: skip
    """Apply the settings that were found; a press on a tile opens that photo and variant."""
    controls = tab.controls

    @ui.show_errors_in(status)
    def take_over(text: str) -> dict[Any, Any]:
        if not text:
            raise UserError("nothing was counted yet: press Count first.")
        config = AugmentConfig.from_json(text)
        return {
            status: markup.note(TAKEN), shown: "", safe: "", take: gr.Button(visible=False),
            **{controls[name]: value for name, value in vars(config).items()}, changed: ui.token(),
        }  # fmt: skip

    @ui.show_errors_in(status)
    def open_draw(event: gr.EventData) -> dict[Any, Any]:
        number, name = ui.picked_draw(event)
        choice = PhotoChoice(tab.backend.library.get(name).name)
        return {
            **tab.shared.new_photo(choice), controls["picked"]: str(number), tab.redraw: ui.token()
        }  # fmt: skip

    # Signals come last: their listeners read all values as soon as they are set.
    taken = [controls[name] for name in controls if name in vars(AugmentConfig())]
    take.click(take_over, safe, [status, shown, safe, take, *taken, changed], **ui.QUIET)
    outputs = [status, *tab.shared.of_new_photo, controls["picked"], tab.redraw]
    shown.select(open_draw, None, outputs, **ui.QUIET)
