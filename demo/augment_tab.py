"""The Augment tab: its controls, and what each of them changes."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.augment_view import (
    BOX_SOURCES,
    DEFAULT_COUNT,
    DEFAULT_SEED,
    FIELDS,
    MAX_SEED,
    Request,
    show,
    show_hold,
    surprise,
    take_code,
    take_json,
    take_zip,
)
from demo.backend import Backend
from demo.components import (
    PRIVATE,
    download_button,
    in_order,
    pick_grid,
    point_view,
    signal,
    tell,
)
from demo.detect_view import example_tiles
from demo.uploads import photo_input
from model.augment.variants import MAX_VARIANTS
from model.errors import UserError


@dataclass
class AugmentTab:
    """Components other parts of the page need."""

    upload: gr.Image
    sample: gr.Textbox
    box_source: gr.Radio
    box: list[gr.Number]
    seed: gr.Number
    count: gr.Slider
    picked: gr.Textbox
    checkpoint: gr.Dropdown
    settings: list[Any]
    redraw: gr.Textbox  # see demo.components.signal
    chart: gr.Textbox  # the same for the chart alone; holds what the chart was last drawn for

    @property
    def controls(self) -> list[Any]:
        """In the order of :class:`Request`."""
        return [
            self.sample, self.upload, self.box_source, *self.box, self.seed, self.count,
            self.picked, self.checkpoint, *self.settings,
        ]  # fmt: skip

    def draw_chart(self, event: Callable[..., Any]) -> None:
        """At an event let the chart be drawn, unless it shows these very settings already."""
        shown = [control for control in self.controls if control is not self.picked]
        js = f"(...values) => JSON.stringify(values.slice(0, {len(shown)}))"
        event(None, shown, self.chart, js=js, **PRIVATE)


def setting_control(field: dataclasses.Field) -> Any:
    """The control of one setting, from its range and its explanation."""
    label = field.name.replace("_", " ").capitalize()
    meta, name = field.metadata, f"augment-{field.name}"
    if choices := meta.get("choices"):
        return gr.Radio(
            list(choices), value=field.default, label=label, info=meta["help"], elem_id=name
        )
    step = 1 if meta["high"] > 10 else 0.05 if meta["high"] > 1 else 0.01
    return gr.Slider(
        meta["low"], meta["high"], field.default, step=step, label=label, info=meta["help"],
        elem_id=name,
    )  # fmt: skip


def build(backend: Backend, checkpoint: gr.Dropdown, first: str) -> AugmentTab:
    """Lay out the tab; ``first`` is the example that is shown when the page opens."""
    shown = show(backend, Request(sample=first))
    with gr.Row():
        with gr.Column(scale=1, min_width=290):
            tab = _build_controls(backend, checkpoint, first, shown)
        with gr.Column(scale=3, min_width=300):
            outputs = _build_results(backend, tab, shown)
    _connect(backend, tab, outputs)
    return tab.tab


@dataclass
class _Controls:
    tab: AugmentTab
    examples: gr.HTML
    source: gr.HTML
    use_box: gr.Button
    defaults: gr.Button
    surprise: gr.Button


@dataclass
class _Results:
    advice: gr.HTML
    grid: gr.HTML
    steps: gr.HTML
    hold: gr.HTML
    code: gr.Code


def _build_controls(
    backend: Backend, checkpoint: gr.Dropdown, first: str, shown: dict[str, Any]
) -> _Controls:
    upload = photo_input(
        label="Your photo", sources=["upload", "webcam", "clipboard"], height=170, buttons=[],
        elem_id="augment-upload", placeholder="Drop or choose a photo",
    )  # fmt: skip
    sample = gr.Textbox(first, visible=False)
    with gr.Accordion("Examples", open=False):
        examples = pick_grid(example_tiles(backend, first), elem_id="augment-examples")
    source = point_view(shown["source"], elem_id="augment-source", elem_classes=["pointable"])
    box_source = gr.Radio(
        list(BOX_SOURCES), value=shown["from"], label="Box from", elem_id="augment-box-source",
        info="my own: click two opposite corners on the photo, or type them below",
    )  # fmt: skip
    with gr.Row(elem_classes=["four"]):
        box = [
            gr.Number(value, label=label, minimum=0, min_width=105, elem_id=f"augment-{label}")
            for label, value in zip(("left", "top", "right", "bottom"), shown["box"], strict=True)
        ]
    use_box = gr.Button("Use these four numbers", size="sm", elem_id="augment-use-box")
    with gr.Row():
        seed = gr.Number(
            DEFAULT_SEED, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, min_width=90,
            elem_id="augment-seed", info="of the run",
        )  # fmt: skip
        count = gr.Slider(
            1, MAX_VARIANTS, DEFAULT_COUNT, step=1, label="Variants", min_width=150,
            elem_id="augment-count", info="one an epoch",
        )  # fmt: skip
    picked = gr.Textbox("1", visible=False)
    with gr.Row():
        defaults = gr.Button("Training defaults", size="sm", min_width=120, elem_id="defaults")
        lucky = gr.Button("Surprise me", size="sm", min_width=120, elem_id="surprise")
    with gr.Column(elem_classes=["settings"]):
        settings = [setting_control(field) for field in FIELDS]
    tab = AugmentTab(
        upload, sample, box_source, box, seed, count, picked, checkpoint, settings,
        signal(), signal(),
    )  # fmt: skip
    return _Controls(tab, examples, source, use_box, defaults, lucky)


def _build_results(backend: Backend, controls: _Controls, shown: dict[str, Any]) -> _Results:
    tab = controls.tab
    said = gr.HTML(shown["advice"], elem_id="augment-advice")
    gr.HTML("<h3 class='part'>Variants</h3><p class='plain-legend'>Press one to see how it came"
            " about. On a VOC photo, number k is what train.py with this seed and these settings"
            " shows the network in epoch k.</p>")  # fmt: skip
    grid = pick_grid(shown["grid"], elem_id="augment-grid", min_height=300)
    steps = gr.HTML(shown["steps"], elem_id="augment-steps", min_height=300)
    hold = gr.HTML(elem_id="augment-hold", min_height=160)
    gr.HTML("<h3 class='part'>To take away</h3>", elem_classes=["heading"])
    with gr.Row():
        download_button(
            "augment.json", lambda *v: take_json(backend, *v), tab.settings, "augment-json"
        )
        download_button(
            "Variants (ZIP)", lambda *v: take_zip(backend, *v), tab.controls, "augment-zip"
        )
        download_button(
            "transforms.v2 (Python)", lambda *v: take_code(backend, *v),
            [tab.checkpoint, *tab.settings], "augment-python",
        )  # fmt: skip
    gr.HTML("<p class='plain-legend'>Train with these settings: <code>python train.py --augment"
            " augment.json</code></p>")  # fmt: skip
    with gr.Accordion("The transforms.v2 code", open=False):
        code = gr.Code(shown["code"], language="python", label="augment.py", max_lines=30)
    return _Results(said, grid, steps, hold, code)


def _connect(backend: Backend, c: _Controls, r: _Results) -> None:
    """Let every control change what it says it changes."""
    tab = c.tab
    quiet = {"show_progress": "hidden", **PRIVATE}
    minimal = {"show_progress": "minimal", **PRIVATE}
    draws = {"concurrency_id": "augment-draw", "concurrency_limit": 1, **minimal}

    def refresh(*values: Any) -> tuple:
        request = Request.of(*values)
        shown = show(backend, request)
        parts = [shown[name] for name in ("source", "advice", "grid", "steps", "code")]
        # A visitor may have gone on meanwhile: what stays as it was is not written back.
        before = (request.x1, request.y1, request.x2, request.y2, request.box_source)
        after = (*shown["box"], shown["from"])
        return (*parts, *map(changed, before, after))

    def steps_only(*values: Any) -> str:
        return show(backend, Request.of(*values))["steps"]

    def chart(*values: Any) -> str:
        return show_hold(backend, Request.of(*values))

    _connect_choices(backend, c)
    for control in (*tab.settings, tab.count):
        tell(control.release if isinstance(control, gr.Slider) else control.input, tab.redraw)
    tell(tab.box_source.input, tab.redraw)
    tell(tab.seed.input, tab.redraw)
    outputs = [c.source, r.advice, r.grid, r.steps, r.code, *tab.box, tab.box_source]
    drawn = tab.redraw.change(refresh, tab.controls, outputs, **draws)
    drawn.then(None, tab.controls, None, js=_ADDRESS_JS, **PRIVATE)
    tab.draw_chart(drawn.then)
    tab.chart.change(chart, tab.controls, r.hold, **minimal)
    # The grid stays as it is, so that the button keeps the keyboard's focus.
    picked = r.grid.select(_picked_key, None, tab.picked, **quiet, **in_order("augment-pick"))
    shown = picked.then(steps_only, tab.controls, r.steps, **minimal, **in_order("augment-draw"))
    shown.then(None, tab.controls, None, js=_ADDRESS_JS, **PRIVATE)


def _connect_choices(backend: Backend, c: _Controls) -> None:
    """What sets several controls at once, and then lets the tab be drawn."""
    tab = c.tab
    quiet = {"show_progress": "hidden", **PRIVATE}
    in_turn = quiet | in_order("augment-choice")

    def picked_example(event: gr.EventData) -> tuple[str, None, str, str]:
        known = backend.photo(event.key, None).largest
        return event.key, None, "ground truth" if known else "detector", "1"

    def clicked(sample: str, upload: str | None, name: str, event: gr.EventData) -> tuple:
        corners = (event.x1, event.y1, event.x2, event.y2)
        return clicked_box(backend, sample, upload, name, corners)

    defaults = [field.default for field in FIELDS]
    for choice in (
        c.examples.select(
            picked_example, None, [tab.sample, tab.upload, tab.box_source, tab.picked], **in_turn
        ),
        tab.upload.change(
            lambda path: ("", "detector", "1") if path else (gr.skip(),) * 3,
            tab.upload, [tab.sample, tab.box_source, tab.picked], **quiet,
        ),
        c.source.select(
            clicked, [tab.sample, tab.upload, tab.checkpoint], [*tab.box, tab.box_source], **in_turn
        ),
        c.use_box.click(lambda: "my own", None, tab.box_source, **in_turn),
        c.defaults.click(lambda: defaults, None, tab.settings, **in_turn),
        c.surprise.click(surprise, None, [tab.seed, *tab.settings], **in_turn),
    ):  # fmt: skip
        tell(choice.then, tab.redraw)


def changed(before: Any, after: Any) -> Any:
    """``after``, or nothing where it is unknown or as it was."""
    return gr.skip() if after is None or after == before else after


def _picked_key(event: gr.EventData) -> str:
    return event.key


def clicked_box(
    backend: Backend,
    sample: str,
    upload: str | None,
    name: str,
    corners: tuple[float, float, float, float],
) -> tuple[Any, ...]:
    """The four numbers for two clicked corners (0..1 of the photo), and where they come from.

    A box without area is passed on as it is; drawing it says what is wrong.
    """
    try:
        photo = backend.photo(sample, upload)
        width, height = backend.working_copy(photo, name).original_size
    except UserError:
        return (gr.skip(),) * 5  # there is no photo; the page already says so
    x1, y1, x2, y2 = corners
    left, right = sorted((x1 * width, x2 * width))
    top, bottom = sorted((y1 * height, y2 * height))
    return (*(max(0.0, round(v, 1)) for v in (left, top, right, bottom)), "my own")


_ADDRESS_JS = """(sample, upload, source, x1, y1, x2, y2, seed, count, picked, checkpoint,
                 ...settings) => {
  const defaults = %s;
  const values = {sample, seed, count, variant: picked, box: source};
  if (source === 'my own') values.corners = [x1, y1, x2, y2].join(',');
  Object.entries(defaults).forEach(([name, value], i) => {
    if (settings[i] !== value) values[name] = settings[i];
  });
  window.showInAddress('augment', values);
}""" % json.dumps({field.name: field.default for field in FIELDS})  # noqa: UP031 (braces abound)
