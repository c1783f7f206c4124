"""Gradio components for this page, and helpers that connect their events."""

import functools
import inspect
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from demo.backend import user_message
from demo.server.queue import IN_ORDER
from demo.serving.calls import RunningWork
from demo.views import markup
from demo.web_files import script
from model.errors import UserError

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
QUIET: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}
# For listeners that draw: changes during a call are drawn after it, once, with the latest values.
DRAWS: dict[str, Any] = {"trigger_mode": "always_last", **QUIET}

PRESS_AGAIN = "this picture is not there any more: press another one."
MAX_IN_ORDER = 16  # running calls of one :func:`in_order`, each of another visitor

Controls = dict[str, Any]
"""The components of a tab, by the names of the fields of its state.

Gradio gives components their events, ``.change`` and the like, when their classes are made, so its
type :class:`Component` does not know them.
"""


def pick_grid(value: str = "", **kwargs: Any) -> gr.HTML:
    """HTML with ``<button data-key>``; its event ``select`` has the pressed ``key``."""
    return gr.HTML(value, js_on_load=script("pick_grid"), **kwargs)


def small_button(
    label: str, elem_id: str | None, min_width: int = 120, **options: Any
) -> gr.Button:
    """A button for a row of several."""
    return gr.Button(label, size="sm", elem_id=elem_id, min_width=min_width, **options)


def fold(heading: str, name: str) -> gr.HTML:
    """A button that opens and closes the component that follows; shown on phones only."""
    html = f"<button type='button' class='fold' aria-expanded='false'>{heading}</button>"
    return gr.HTML(html, elem_id=f"fold-{name}", elem_classes=["folds"])


def pick_list(value: str = "", **kwargs: Any) -> gr.HTML:
    """Like :func:`pick_grid`, for buttons in text: none stays pressed, and Tab stops at each."""
    js = (
        "element.addEventListener('click', (event) => {"
        " const button = event.target.closest('button[data-key]');"
        " if (button) trigger('select', { key: button.dataset.key }); });"
    )
    return gr.HTML(value, js_on_load=js, **kwargs)


def picked_key(event: gr.EventData) -> str:
    """The key of the button pressed in a :func:`pick_grid`.

    Raises:
        UserError: if the request has none.
    """
    key = event._data.get("key") if isinstance(event._data, dict) else None
    if not isinstance(key, str):
        raise UserError(PRESS_AGAIN)
    return key


def picked_draw(event: gr.EventData) -> tuple[int, str]:
    """The number and the photo's name in a pressed key, as in ``"3 000012"``.

    Raises:
        UserError: if the request has no such key.
    """
    number, _, name = picked_key(event).partition(" ")
    if not re.fullmatch(r"[0-9]{1,9}", number):
        raise UserError(PRESS_AGAIN)
    return int(number), name


def pressed_js(grid: gr.HTML) -> str:
    """JavaScript for the key of the tile that is pressed in a :func:`pick_grid` when it runs.

    Replaces :func:`picked_key` where a later press must win: Gradio drops the event data of a
    listener that had to wait (:data:`DRAWS`), and without waiting a later press may be answered
    first.
    """
    return f"document.querySelector('#{grid.elem_id} [aria-pressed=true]')?.dataset.key ?? ''"


def pressed_first_js(grid: gr.HTML, controls: Controls) -> str:
    """JavaScript that sets the control ``picked`` to the pressed key before all are sent."""
    return f"(...values) => values.with({list(controls).index('picked')}, {pressed_js(grid)})"


def signal() -> gr.Textbox:
    """A hidden field; listeners to its ``.change`` are called when it gets a new :func:`token`.

    What depends on many controls must be drawn by *one* listener. With one for each control, an
    earlier change that takes longer is shown over a later one.
    """
    return gr.Textbox("", visible=False)


def in_order(name: str) -> dict[str, Any]:
    """Options for listeners that change the same part of the page.

    Calls of one name do not overtake one another on a visitor's page. Other visitors do not wait
    for them, up to the limit for all visitors together.
    """
    return {
        "trigger_mode": "multiple", "concurrency_id": IN_ORDER + name,
        "concurrency_limit": MAX_IN_ORDER,
    }  # fmt: skip


TOKEN_JS = "String(performance.now())"
"""JavaScript for a new :func:`token`."""


def forward(events: Sequence[Any], *signals: gr.Textbox) -> None:
    """Give each :func:`signal` a new token when one of the events fires.

    Of the listeners of one event only one may have ``trigger_mode="always_last"``. If the event
    fires again during such a call, Gradio calls *all* listeners of that event again at its end: two
    of them would keep each other going for ever. So each gets a signal of its own.
    """
    tokens = ", ".join([TOKEN_JS] * len(signals))
    gr.on(list(events), None, None, list(signals), js=f"() => [{tokens}]", **PRIVATE)


def forward_choices(dropdowns: Sequence[gr.Dropdown], *signals: gr.Textbox) -> None:
    """Give each :func:`signal` a new token when a visitor chooses something else.

    Gradio's drop-downs fire ``input`` whenever they lose the focus, and twice for an option that is
    pressed. So their values are compared with those when one of them got the focus.
    """
    at_focus = gr.Textbox("", visible=False)
    gr.on(
        [each.focus for each in dropdowns], None, list(dropdowns), at_focus,
        js=f"(...values) => {TOKEN_JS} + ' ' + JSON.stringify(values)", **PRIVATE,
    )  # fmt: skip
    js = f"""(atFocus, ...values) => {{
      const [token, before] = atFocus.split(/ (.*)/s);
      const signals = values.splice(0, {len(signals)});
      return JSON.stringify(values) === before ? signals : signals.map(() => token);
    }}"""
    gr.on(
        [each.input for each in dropdowns], None, [at_focus, *signals, *dropdowns], list(signals),
        js=js, **PRIVATE,
    )  # fmt: skip


def token() -> str:
    """A new value for a :func:`signal`; never the same twice."""
    return str(time.monotonic_ns())


def show_errors_in(place: gr.HTML, *emptied: Any) -> Callable[[Callable], Callable]:
    """Decorate a handler that returns ``{component: value}``: show failures as one sentence.

    Args:
        place: shows the sentence; unexpected failures are logged as well.
        emptied: components that are cleared, since they would show an earlier result.
    """

    def failure(error: Exception) -> dict[Any, Any]:
        return {place: markup.problem(user_message(error)), **dict.fromkeys(emptied, "")}

    def decorate(handler: Callable) -> Callable:
        @functools.wraps(handler)
        def call(*values: Any, **named: Any) -> Any:
            try:
                return handler(*values, **named)
            except Exception as error:
                return failure(error)

        @functools.wraps(handler)
        def generate(*values: Any, **named: Any) -> Iterator[Any]:
            try:
                yield from handler(*values, **named)
            except Exception as error:
                yield failure(error)

        return generate if inspect.isgeneratorfunction(handler) else call

    return decorate


def edits(controls: Controls, *names: str) -> list[Any]:
    """The events of a visitor changing these controls.

    ``change`` would also fire when the page sets them: once for each setting of an address.
    """
    return [controls[name].input for name in names]


class ClampedSlider(gr.Slider):
    """A slider that accepts typed numbers outside its range, where Gradio's own fails.

    When the field is left, the browser resets it to the nearer end without an event.
    """

    is_template = True  # drawn as gr.Slider

    def preprocess(self, payload: float | None) -> float:
        """The number, clamped to the range; the minimum for none."""
        return min(max(payload or 0, self.minimum), self.maximum)


class Choice(gr.Dropdown):
    """A drop-down with one choice; Gradio's own also accepts several, and ``None``."""

    is_template = True  # drawn as gr.Dropdown

    def preprocess(self, payload: Any) -> str:
        """The choice; empty for none.

        Raises:
            UserError: for several.
        """
        if isinstance(payload, list):
            raise UserError(f"{self.label}: choose one.")
        return str(super().preprocess(payload) or "")


def download_button(
    label: str, make: Callable[..., str | None], controls: Controls, elem_id: str
) -> None:
    """A button that downloads a file made when it is pressed; ``make`` returns the path."""
    button = small_button(label, elem_id)
    file = gr.DownloadButton(visible=False)
    done = button.click(make, outputs=file, inputs_kwargs=controls, **QUIET)
    done.success(None, file, None, js="(file) => detectorPage.save(file)", **PRIVATE)


def split_choice(splits: Sequence[str], elem_id: str) -> Choice:
    """A drop-down of the splits of a data set; ``train`` is chosen if there is one."""
    first = "train" if "train" in splits else splits[0]
    return Choice(list(splits), value=first, label="Split", min_width=130, elem_id=elem_id)


def ready_again(run: Any, count: gr.Button, stop: gr.Button) -> None:
    """When a run ends, however it does, enable ``count`` again and hide ``stop``."""
    run.then(
        lambda: [gr.Button(interactive=True), gr.Button(visible=False)],
        None,
        [count, stop],
        **QUIET,
    )


def stop_button(elem_id: str) -> tuple[gr.Button, RunningWork]:
    """A button that is to be shown during a run, and the runs that it stops."""
    button = small_button("Stop", elem_id, 80, variant="stop", visible=False)
    running = RunningWork()

    def press() -> gr.Button:
        running.stop()
        return gr.Button(visible=False)

    button.click(press, None, button, **QUIET)
    return button, running
