"""Gradio components shaped for this page."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.components.base import Component

PRIVATE: dict[str, Any] = {"api_visibility": "private"}


_PICK_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-key]');
  if (button) {
    element.querySelectorAll('button[data-key]').forEach(
      (b) => b.setAttribute('aria-pressed', String(b === button)));
    trigger('select', {key: button.dataset.key});
  }
});
"""

# The first corner lives on the photo itself: when another photo takes its place it is forgotten.
_POINT_JS = """
element.addEventListener('click', (event) => {
  const stage = event.target.closest('.stage');
  if (!stage) return;
  const area = stage.getBoundingClientRect();
  const x = (event.clientX - area.left) / area.width;
  const y = (event.clientY - area.top) / area.height;
  if (!stage.dataset.first) {
    stage.dataset.first = JSON.stringify([x, y]);
    const dot = document.createElement('span');
    dot.className = 'corner';
    dot.style.left = `${100 * x}%`;
    dot.style.top = `${100 * y}%`;
    stage.append(dot);
    const words = stage.parentElement.querySelector('figcaption');
    if (words) words.textContent = 'First corner set. Now click the opposite one.';
    return;
  }
  const [x1, y1] = JSON.parse(stage.dataset.first);
  delete stage.dataset.first;
  stage.querySelector('.corner')?.remove();
  trigger('select', {x1, y1, x2: x, y2: y});
});
"""


def pick_grid(value: str = "", **kwargs: Any) -> gr.HTML:
    """HTML with ``<button data-key>``; ``.select`` tells which one was pressed (``evt.key``)."""
    return gr.HTML(value, js_on_load=_PICK_JS, **kwargs)


def point_view(value: str = "", **kwargs: Any) -> gr.HTML:
    """A photo figure; ``.select`` tells two clicked corners (``evt.x1`` to ``evt.y2``, 0..1)."""
    return gr.HTML(value, js_on_load=_POINT_JS, **kwargs)


def signal() -> gr.Textbox:
    """A hidden field; what its ``.change`` draws is drawn for everyone who uses :func:`tell`.

    Whatever many controls change must be drawn by *one* listener. With one each, an earlier change
    that takes longer is shown over a later one; and a second change of the same control is dropped
    while the first is still being drawn. ``.change`` waits for its answer and then runs once more
    with the values of that moment.
    """
    return gr.Textbox("", visible=False)


def tell(event: Callable[..., Any], to: gr.Textbox) -> None:
    """At an event (``button.click``, or ``listener.then``) let a :func:`signal` draw."""
    event(None, None, to, js="() => String(performance.now())", **PRIVATE)


def in_order(name: str) -> dict[str, Any]:
    """For listeners that change the same part of the page: none overtakes another of this name."""
    return {"trigger_mode": "multiple", "concurrency_id": name, "concurrency_limit": 1}


_SAVE_JS = """(file) => {
  if (!file || !file.url) return;
  const link = document.createElement('a');
  link.href = file.url;
  link.download = file.orig_name || '';
  document.body.append(link);
  link.click();
  link.remove();
}"""


def download_button(
    label: str, make: Callable[..., str | None], inputs: Sequence[Component], elem_id: str
) -> gr.Button:
    """A button whose file is made when it is pressed; ``make`` returns its path."""
    button = gr.Button(label, size="sm", elem_id=elem_id, min_width=120)
    file = gr.DownloadButton(visible=False)
    made = button.click(make, list(inputs), file, show_progress="hidden", **PRIVATE)
    made.success(None, file, None, js=_SAVE_JS, **PRIVATE)
    return button
