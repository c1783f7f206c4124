"""The Augment tab: its controls, and what each of them changes."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components.base import Component

from demo.backend import Backend, in_words, robustness
from demo.box_editor import BoxEditor, Edit
from demo.components import (
    DRAWS,
    QUIET,
    Controls,
    changes,
    download_button,
    in_order,
    pick_grid,
    picked_key,
)
from demo.photos import PhotoChoice
from demo.take_away import take_away
from demo.views import markup
from demo.views.augment import (
    BOX_SOURCES,
    FIELDS,
    MAX_SEED,
    OWN,
    AugmentState,
    code_of,
    editor_value,
    picked_number,
    robustness_chart,
    scene_of,
    show_advice,
    show_extremes,
    show_pair,
    surprise,
    take_animation,
    take_json,
    take_zip,
    variants_grid,
    variants_of,
    write_boxes,
)
from model.augment.presets import PRESETS
from model.augment.variants import MAX_VARIANTS

FOLDED = ("box_rule", "min_visible")
SETTINGS = tuple(field.name for field in FIELDS)
LABELS = {
    "flip_probability": "Mirror", "rotation_degrees": "Rotation", "zoom": "Zoom",
    "brightness": "Brightness", "contrast": "Contrast", "saturation": "Saturation", "hue": "Hue",
    "box_rule": "Box of a rotated object", "min_visible": "Minimum visible",
}  # fmt: skip
HELP = {
    "flip_probability": "chance of being mirrored",
    "rotation_degrees": "up to this far, either way",
    "zoom": "in or out by up to this factor",
    "brightness": "times 1 ± this",
    "contrast": "times 1 ± this",
    "saturation": "times 1 ± this",
    "hue": "up to this share of the circle",
}
ABOUT_VARIANTS = (
    "<h3 class='part'>Variants</h3><p class='plain-legend'>Press one to see it large. Green edge: a"
    " healthy box; amber: worth a look; red: in danger. On a VOC photo, number k is what train.py"
    " with this seed and these settings shows the network in epoch k.</p>"
)
ABOUT_EXTREMES = (
    "<h3 class='part'>Edges of your settings</h3><p class='plain-legend'>Each setting alone at its"
    " extreme, whatever chance draws.</p>"
)
ABOUT_TRAINING = (
    "<p class='plain-legend'>Train with these settings: <code>python train.py --augment"
    " augment.json</code></p>"
)


@dataclass
class AugmentTab:
    """What other parts of the page need.

    Attributes:
        defaults: what the tab shows when the page opens.
        controls: by the names of the fields of :class:`AugmentState`.
    """

    defaults: AugmentState
    controls: Controls


@dataclass
class _Shown:
    """The components that show something."""

    editor: BoxEditor
    after: gr.HTML
    said: gr.HTML
    problem: gr.HTML
    steps: gr.HTML
    advice: gr.HTML
    extremes: gr.HTML
    grid: gr.HTML
    chart: gr.HTML
    code: gr.Code


@dataclass
class Signals:
    """See :func:`demo.components.signal`; they lie outside of the tab, which may not be open yet.

    Attributes:
        opened: name of the tab that is open.
        replace: there is another photo, so its boxes have to be found.
        placed: the boxes have been found.
    """

    opened: gr.Textbox
    replace: gr.Textbox
    placed: gr.Textbox


def build(backend: Backend, shared: Controls, address: gr.Textbox, signals: Signals) -> AugmentTab:
    """Lay out the tab; ``shared`` are the photo and the checkpoint, which all tabs have."""
    defaults = AugmentState(
        photo=PhotoChoice(backend.library.examples()[0].name), checkpoint=backend.checkpoint
    )
    with gr.Row(elem_id="augment", equal_height=False):
        with gr.Column(scale=1, min_width=250, elem_id="augment-settings"):
            controls, buttons = _build_controls(defaults)
        with gr.Column(scale=3, min_width=300, elem_id="augment-shown"):
            shown, picked = _build_shown()
    controls = {**shared, **controls, "picked": picked}
    _connect_boxes(backend, controls, shown, signals)
    _connect_presets(controls, buttons)
    _connect_drawing(backend, controls, shown, signals, (address, defaults))
    with gr.Column(elem_classes=["taking"]):
        _build_downloads(backend, controls)
    return AugmentTab(defaults, controls)


def _control(name: str, defaults: AugmentState) -> Component:
    """The control of one setting, from its range and its explanation."""
    field = next(field for field in FIELDS if field.name == name)
    meta, elem_id, value = field.metadata, f"augment-{name}", getattr(defaults, name)
    words = HELP.get(name, meta["help"])
    if choices := meta.get("choices"):
        return gr.Radio(list(choices), value=value, label=LABELS[name], info=words, elem_id=elem_id)
    step = 1 if meta["high"] > 10 else 0.05 if meta["high"] > 1 else 0.01
    return gr.Slider(
        meta["low"], meta["high"], value, step=step, label=LABELS[name], info=words,
        elem_id=elem_id, buttons=[],
    )  # fmt: skip


def _build_controls(defaults: AugmentState) -> tuple[Controls, dict[str, gr.Button]]:
    buttons = {}
    with gr.Row(elem_classes=["presets"]):
        for preset in PRESETS:
            buttons[preset.name] = gr.Button(
                preset.name,
                size="sm",
                min_width=50,
                elem_id=f"preset-{preset.name.replace(' ', '-')}",
            )
    controls = {name: _control(name, defaults) for name in SETTINGS if name not in FOLDED}
    buttons["surprise"] = gr.Button("Surprise me", size="sm", elem_id="surprise")
    with gr.Accordion("Advanced: box, seed, rules", open=False, elem_id="augment-advanced"):
        controls["box_source"] = gr.Radio(
            list(BOX_SOURCES), value=defaults.box_source, label="Box from",
            elem_id="augment-box-source",
        )  # fmt: skip
        controls["boxes"] = gr.Textbox(
            "", label="Left, top, right, bottom", elem_id="augment-boxes", max_lines=1,
            info="pixels; Enter sets the box. With a class before it, several with ; between",
        )  # fmt: skip
        controls["count"] = gr.Slider(
            1, MAX_VARIANTS, defaults.count, step=1, label="Variants", elem_id="augment-count",
            buttons=[],
        )  # fmt: skip
        # No precision: rounding fails where checking speaks.
        controls["seed"] = gr.Number(
            defaults.seed, label="Seed", minimum=0, maximum=MAX_SEED, elem_id="augment-seed"
        )
        controls |= {name: _control(name, defaults) for name in FOLDED}
    return controls, buttons


def _build_shown() -> tuple[_Shown, gr.Textbox]:
    with gr.Row(elem_id="augment-pair"):
        with gr.Column(min_width=150):
            editor = BoxEditor(elem_id="augment-before")
        with gr.Column(min_width=150):
            after = gr.HTML(elem_id="augment-after", min_height=200)
    said = gr.HTML(elem_id="augment-sentence", min_height=28)
    problem = gr.HTML(elem_id="augment-problem")
    steps = gr.HTML(elem_id="augment-steps", min_height=150)
    advice = gr.HTML(elem_id="augment-advice")
    gr.HTML(ABOUT_EXTREMES, elem_classes=["heading"])
    row = gr.HTML(elem_id="augment-extremes", min_height=170)
    gr.HTML(ABOUT_VARIANTS, elem_classes=["heading"])
    grid = pick_grid(elem_id="augment-grid", min_height=300)
    picked = gr.Textbox("1", visible=False)
    grid.select(picked_key, None, picked, **QUIET, **in_order("augment-pick"))
    chart = gr.HTML(elem_id="augment-robustness", min_height=160)
    with gr.Accordion("The transforms.v2 code", open=False):
        code = gr.Code("", language="python", label="augment.py", max_lines=30)
    return _Shown(editor, after, said, problem, steps, advice, row, grid, chart, code), picked


def _connect_boxes(backend: Backend, controls: Controls, shown: _Shown, signals: Signals) -> None:
    """Where the boxes come from: the truth, the detector, the editor, or typed numbers."""
    source, boxes, editor, problem = (
        controls["box_source"], controls["boxes"], shown.editor, shown.problem
    )  # fmt: skip
    placed = signals.placed
    names = ("photo", "checkpoint", "box_source", "boxes")
    place_inputs = {name: controls[name] for name in names}
    outputs = [editor, boxes, source, placed, problem]

    def place(**values: Any) -> dict[Any, Any]:
        if values["box_source"] != OWN:
            values["boxes"] = ""
        try:
            scene = scene_of(backend, AugmentState(**values))
            value = editor_value(backend, scene)
        except Exception as error:
            return {problem: markup.problem(in_words(error))}
        return {
            editor: value, boxes: write_boxes(scene.boxes), source: scene.source,
            placed: _token(), problem: "",
        }  # fmt: skip

    def typed(**values: Any) -> dict[Any, Any]:
        return place(**values | {"box_source": OWN})

    def drawn(edit: Edit) -> dict[Any, Any]:
        if not edit["boxes"]:
            return {problem: markup.problem("Draw a box on the photo: without one there is nothing"
                                            " to follow.")}  # fmt: skip
        return {boxes: write_boxes(edit["boxes"]), source: OWN, placed: _token(), problem: ""}

    gr.on(
        [source.input, signals.replace.change, controls["checkpoint"].change], place,
        inputs_kwargs=place_inputs, outputs=outputs, **DRAWS,
    )  # fmt: skip
    boxes.submit(typed, inputs_kwargs=place_inputs, outputs=outputs, **DRAWS)
    editor.input(drawn, editor, [boxes, source, placed, problem], **DRAWS)


def _token() -> str:
    return str(time.monotonic_ns())


def _connect_presets(controls: Controls, buttons: dict[str, gr.Button]) -> None:
    """What sets all settings at once."""
    turn = {**QUIET, **in_order("augment-preset")}
    settings = [controls[name] for name in SETTINGS]

    def setter(values: dict[str, Any]) -> Callable[[], dict[Component, Any]]:
        return lambda: {controls[name]: value for name, value in values.items()}

    for preset in PRESETS:
        values = dataclasses.asdict(preset.config)
        buttons[preset.name].click(setter(values), None, settings, **turn)
    buttons["surprise"].click(
        lambda: setter(surprise())(), None, [*settings, controls["seed"]], **turn
    )


def _connect_drawing(
    backend: Backend,
    controls: Controls,
    shown: _Shown,
    signals: Signals,
    told: tuple[gr.Textbox, AugmentState],
) -> None:
    """The two listeners that draw: the pair, which follows at once, and all the rest."""
    address, defaults = told
    given = {"opened": signals.opened, **controls}
    also = [signals.placed.change, signals.opened.change]
    drawing = [name for name in controls if name not in ("photo", "checkpoint", "boxes",
                                                          "box_source")]  # fmt: skip

    def pair(opened: str, **values: Any) -> dict[Any, Any]:
        if opened != AugmentState.tab or not values["boxes"]:  # they are on their way
            return gr.skip()
        try:
            state = AugmentState(**values)
            pair = show_pair(backend, state)
        except Exception as error:
            return {shown.problem: markup.problem(in_words(error))}
        return {
            shown.after: pair.after, shown.said: pair.said, shown.steps: pair.steps,
            shown.problem: "", address: state.to_query(defaults),
        }  # fmt: skip

    def rest(opened: str, **values: Any) -> Iterator[dict[Any, Any]]:
        if opened != AugmentState.tab or not values["boxes"]:
            yield gr.skip()
            return
        try:
            yield from _draw_rest(backend, AugmentState(**values), shown)
        except Exception as error:
            yield {shown.problem: markup.problem(in_words(error))}

    gr.on(
        [*changes(controls, *drawing), *also], pair, inputs_kwargs=given,
        outputs=[shown.after, shown.said, shown.steps, shown.problem, address], **DRAWS,
    )  # fmt: skip
    drawing.remove("picked")
    gr.on(
        [*changes(controls, *drawing), *also], rest, inputs_kwargs=given,
        outputs=[
            shown.problem, shown.advice, shown.extremes, shown.grid, shown.chart, shown.code,
        ], **DRAWS,
    )  # fmt: skip


def _draw_rest(backend: Backend, state: AugmentState, shown: _Shown) -> Iterator[dict[Any, Any]]:
    """First the pictures, then what the detector says about them; variants are drawn once."""
    scene = scene_of(backend, state)
    variants, picked = variants_of(backend, state, scene), picked_number(state)
    yield {
        shown.advice: show_advice(state, variants),
        shown.grid: variants_grid(variants, scene, picked),
        shown.extremes: show_extremes(backend, state, scene),
        shown.code: code_of(backend, state),
    }
    answers = robustness(backend.checkpoint_file(state.checkpoint), variants)
    yield {
        shown.grid: variants_grid(variants, scene, picked, answers),
        shown.chart: robustness_chart(variants, answers, scene),
    }


def _build_downloads(backend: Backend, controls: Controls) -> None:
    gr.HTML("<h3 class='part'>To take away</h3>", elem_classes=["heading"])
    makers: dict[str, tuple[str, Callable[[AugmentState], str]]] = {
        "json": ("augment.json", take_json),
        "zip": ("Variants and boxes (ZIP)", lambda state: take_zip(backend, state)),
        "python": (
            "transforms.v2 (Python)",
            lambda state: take_away("augment.py", code_of(backend, state)),
        ),
        "animation": ("Animation (WebP)", lambda state: take_animation(backend, state)),
    }
    with gr.Row(elem_classes=["compact"]):
        for name, (label, make) in makers.items():
            download_button(
                label, lambda make=make, **values: make(AugmentState(**values)), controls,
                f"augment-{name}",
            )  # fmt: skip
    gr.HTML(ABOUT_TRAINING)
