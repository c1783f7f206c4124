"""Gradio components shaped for this page, and how they are wired."""

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
# A later change is drawn after the earlier one was, with the values of that moment.
DRAWS: dict[str, Any] = {"trigger_mode": "always_last", **QUIET}

PRESS_AGAIN = "this picture is not there any more: press another one."
MAX_IN_ORDER = 16  # visitors whose calls of one :func:`in_order` run at the same time

Controls = dict[str, Any]
"""The components of a tab, by the names of the fields of its state.

Gradio gives components their events, ``.change`` and the like, when their classes are made, so its
type :class:`Component` does not know them.
"""


def pick_grid(value: str = "", **kwargs: Any) -> gr.HTML:
    """HTML with ``<button data-key>``; ``.select`` tells which one was pressed (``evt.key``)."""
    return gr.HTML(value, js_on_load=script("pick_grid"), **kwargs)


def small_button(
    label: str, elem_id: str | None, min_width: int = 120, **options: Any
) -> gr.Button:
    """A button that stands among others."""
    return gr.Button(label, size="sm", elem_id=elem_id, min_width=min_width, **options)


def fold(heading: str, name: str) -> gr.HTML:
    """On a phone, what opens and closes the component that comes next; elsewhere nothing."""
    html = f"<button type='button' class='fold' aria-expanded='false'>{heading}</button>"
    return gr.HTML(html, elem_id=f"fold-{name}", elem_classes=["folds"])


def pick_list(value: str = "", **kwargs: Any) -> gr.HTML:
    """As :func:`pick_grid`, of buttons in a text: none stays pressed, and Tab stops at each."""
    js = (
        "element.addEventListener('click', (event) => {"
        " const button = event.target.closest('button[data-key]');"
        " if (button) trigger('select', { key: button.dataset.key }); });"
    )
    return gr.HTML(value, js_on_load=js, **kwargs)


def picked_key(event: gr.EventData) -> str:
    """What was pressed in a :func:`pick_grid`.

    Raises:
        UserError: if the request does not say it.
    """
    key = event._data.get("key") if isinstance(event._data, dict) else None
    if not isinstance(key, str):
        raise UserError(PRESS_AGAIN)
    return key


def picked_draw(event: gr.EventData) -> tuple[int, str]:
    """The number before the name of the photo that was pressed, and that name.

    Raises:
        UserError: if the request does not say it.
    """
    number, _, name = picked_key(event).partition(" ")
    if not re.fullmatch(r"[0-9]{1,9}", number):
        raise UserError(PRESS_AGAIN)
    return int(number), name


def pressed_js(grid: gr.HTML) -> str:
    """JavaScript for the key of the tile pressed in a :func:`pick_grid` at the time it runs.

    Where a later press must win, this replaces :func:`picked_key`: Gradio drops the event of a
    listener that had to wait (:data:`DRAWS`), and where none waits the later press may be answered
    first.
    """
    return f"document.querySelector('#{grid.elem_id} [aria-pressed=true]')?.dataset.key ?? ''"


def pressed_first_js(grid: gr.HTML, controls: Controls) -> str:
    """JavaScript that writes the pressed key into the control ``picked`` before they are sent."""
    return f"(...values) => values.with({list(controls).index('picked')}, {pressed_js(grid)})"


def signal() -> gr.Textbox:
    """A hidden field; what listens to its ``.change`` is called when it gets a new :func:`token`.

    Whatever many controls change must be drawn by *one* listener. With one each, an earlier change
    that takes longer is shown over a later one.
    """
    return gr.Textbox("", visible=False)


def in_order(name: str) -> dict[str, Any]:
    """For listeners that change the same part of the page.

    Those of one name do not overtake one another on a visitor's page. Other visitors do not wait:
    the limit is that of all visitors together.
    """
    return {
        "trigger_mode": "multiple", "concurrency_id": IN_ORDER + name,
        "concurrency_limit": MAX_IN_ORDER,
    }  # fmt: skip


TOKEN_JS = "String(performance.now())"
"""As :func:`token`, made in the browser."""


def forward(events: Sequence[Any], *signals: gr.Textbox) -> None:
    """Give each :func:`signal` a new token when one of the events comes.

    Of the listeners of one event only one may have ``trigger_mode="always_last"``. Asked again
    while it is at work, Gradio calls *all* listeners of that event anew when it is done: two of
    them keep each other going for ever. So each gets a signal of its own.
    """
    tokens = ", ".join([TOKEN_JS] * len(signals))
    gr.on(list(events), None, None, list(signals), js=f"() => [{tokens}]", **PRIVATE)


def forward_choices(dropdowns: Sequence[gr.Dropdown], *signals: gr.Textbox) -> None:
    """Give each :func:`signal` a new token when a visitor chooses something else.

    Gradio's drop-downs tell of ``input`` whenever they are left, and twice of an option that is
    pressed. So what they say is compared with what they said when one of them was entered.
    """
    entered = gr.Textbox("", visible=False)
    gr.on(
        [each.focus for each in dropdowns], None, list(dropdowns), entered,
        js=f"(...values) => {TOKEN_JS} + ' ' + JSON.stringify(values)", **PRIVATE,
    )  # fmt: skip
    js = f"""(entered, ...values) => {{
      const [token, before] = entered.split(/ (.*)/s);
      const told = values.splice(0, {len(signals)});
      return JSON.stringify(values) === before ? told : told.map(() => token);
    }}"""
    gr.on(
        [each.input for each in dropdowns], None, [entered, *signals, *dropdowns], list(signals),
        js=js, **PRIVATE,
    )  # fmt: skip


def token() -> str:
    """What a :func:`signal` is set to; never the same twice."""
    return str(time.monotonic_ns())


def show_errors_in(place: gr.HTML, *emptied: Any) -> Callable[[Callable], Callable]:
    """For handlers that return ``{component: value}``: a failure is one sentence in ``place``.

    Args:
        place: where it is said. What was not foreseen is logged as well.
        emptied: what would show something else than was asked for.
    """

    def shown_in_place(error: Exception) -> dict[Any, Any]:
        return {place: markup.problem(user_message(error)), **dict.fromkeys(emptied, "")}

    def decorate(handler: Callable) -> Callable:
        @functools.wraps(handler)
        def call(*values: Any, **named: Any) -> Any:
            try:
                return handler(*values, **named)
            except Exception as error:
                return shown_in_place(error)

        @functools.wraps(handler)
        def generate(*values: Any, **named: Any) -> Iterator[Any]:
            try:
                yield from handler(*values, **named)
            except Exception as error:
                yield shown_in_place(error)

        return generate if inspect.isgeneratorfunction(handler) else call

    return decorate


def edits(controls: Controls, *names: str) -> list[Any]:
    """The events of a visitor changing these controls, and of nobody else doing so.

    ``change`` would also tell of the page setting them: of one address as often as it has settings.
    """
    return [controls[name].input for name in names]


class ClampedSlider(gr.Slider):
    """A slider whose number may be typed out of its range.

    The browser puts it back to the nearer end, without an event, when the field is left; Gradio's
    own refuses the number that was typed.
    """

    is_template = True  # drawn as gr.Slider

    def preprocess(self, payload: float | None) -> float:
        """The number within the range; the least for none."""
        return min(max(payload or 0, self.minimum), self.maximum)


class Choice(gr.Dropdown):
    """A drop-down of which one may be chosen; Gradio's own takes several, and ``None``."""

    is_template = True  # drawn as gr.Dropdown

    def preprocess(self, payload: Any) -> str:
        """What is chosen; empty for nothing.

        Raises:
            UserError: for several.
        """
        if isinstance(payload, list):
            raise UserError(f"{self.label}: choose one.")
        return str(super().preprocess(payload) or "")


def download_button(
    label: str, make: Callable[..., str | None], controls: Controls, elem_id: str
) -> None:
    """A button whose file is made when it is pressed; ``make`` returns its path."""
    button = small_button(label, elem_id)
    file = gr.DownloadButton(visible=False)
    done = button.click(make, outputs=file, inputs_kwargs=controls, **QUIET)
    done.success(None, file, None, js="(file) => detectorPage.save(file)", **PRIVATE)


def split_choice(splits: Sequence[str], elem_id: str) -> Choice:
    """The splits of a data set; ``train`` is chosen where there is one."""
    first = "train" if "train" in splits else splits[0]
    return Choice(list(splits), value=first, label="Split", min_width=130, elem_id=elem_id)


def ready_again(run: Any, count: gr.Button, stop: gr.Button) -> None:
    """When a run ends, however it does, another may be counted and there is nothing to stop."""
    run.then(
        lambda: [gr.Button(interactive=True), gr.Button(visible=False)],
        None,
        [count, stop],
        **QUIET,
    )


def stop_button(elem_id: str) -> tuple[gr.Button, RunningWork]:
    """A button that is seen while there is something to stop, and the runs it stops."""
    button = small_button("Stop", elem_id, 80, variant="stop", visible=False)
    running = RunningWork()

    def press() -> gr.Button:
        running.stop()
        return gr.Button(visible=False)

    button.click(press, None, button, **QUIET)
    return button, running
