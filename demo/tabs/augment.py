"""The Augment tab: its controls, and what each of them changes."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
from gradio.components.base import Component

from demo.backend import Backend
from demo.box_editor import BoxEditor, Edit
from demo.choice import PhotoChoice
from demo.components import (
    DRAWS,
    PRIVATE,
    QUIET,
    TOKEN_JS,
    ClampedSlider,
    Controls,
    download_button,
    edits,
    forward,
    in_order,
    pick_grid,
    pressed_js,
    show_errors_in,
    signal,
    token,
)
from demo.tabs import audit, folder
from demo.views import markup
from demo.views.augment.boxes import write_boxes
from demo.views.augment.files import (
    CANVAS,
    ZIP_PICTURES,
    animation_download,
    code_download,
    code_of,
    json_download,
    zip_download,
)
from demo.views.augment.pictures import (
    show_advice,
    show_alone,
    show_answers,
    show_extremes,
    show_pair,
    variants_grid,
)
from demo.views.augment.scene import SKETCH_SIDE, Scene, editor_value, offered_class_names, scene_of
from demo.views.augment.state import (
    BOX_SOURCES,
    FIELDS,
    MAX_SEED,
    OWN,
    AugmentState,
    read_settings,
    surprise,
    write_settings,
)
from demo.views.augment.variants import answers_of, picked_number, variants_of
from model.augment import AugmentConfig
from model.augment.presets import PRESETS
from model.augment.steps import GROUPS
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.inspect.variants import MAX_VARIANTS
from model.words import percent

SETTINGS = tuple(FIELDS)
NO_PHOTO = "There is no photo yet: drop one anywhere on the page, or press an example."
ABOUT_VARIANTS = (
    "<h3 class='part'>Variants</h3><p class='plain-legend'>Press one to see it large. Dot: the box"
    " (green healthy, amber worth a look, red in danger). Mark: the detector (\N{CHECK MARK} finds"
    " it, ? not sure, \N{BALLOT X} another class or place) and its IoU. Shapes: width and"
    " height are zoomed apart; the network gets a square. Of a VOC photo, number k is what"
    " train.py shows in epoch k.</p>"
)
ABOUT_EXTREMES = (
    "<h3 class='part'>Each setting at its limits</h3><p class='plain-legend'>Alone, with"
    " all others off, whatever chance draws.</p>"
)
ABOUT_ZIP = (
    "all boxes as CSV, COCO, YOLO, VOC; objects beside the largest are left out below"
    f" {percent(MIN_VISIBLE_TO_LABEL, 0)} visible, as in training"
)
ABOUT_DOWNLOADS = (
    "<h3 class='part'>Downloads</h3><p class='plain-legend'>for <code>train.py --augment</code></p>"
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
    pinned: gr.HTML
    after: gr.HTML
    alone: gr.HTML
    sentence: gr.HTML
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
        opened: the tab was opened or the photo replaced, so the boxes have to be found.
        redraw: boxes or settings were changed, and by something else than their own controls.
        repick: another variant is to be shown large.
        detect: the photo was replaced, so that the Detect tab has to draw it.
    """

    opened: gr.Textbox
    redraw: gr.Textbox
    repick: gr.Textbox
    detect: gr.Textbox


def build(backend: Backend, shared: Controls, address: gr.Textbox, signals: Signals) -> AugmentTab:
    """Lay out the tab; ``shared`` are the photo, the checkpoint and the threshold."""
    defaults = AugmentState(
        photo=PhotoChoice(backend.library.examples()[0].name), checkpoint=backend.checkpoint,
        threshold=shared["threshold"].value,
    )  # fmt: skip
    with gr.Row(elem_id="augment", equal_height=False):
        with gr.Column(scale=1, min_width=250, elem_id="augment-settings"):
            controls, buttons = _build_controls(defaults)
        with gr.Column(scale=3, min_width=300, elem_id="augment-shown"):
            shown, picked = _build_shown(backend, defaults, signals.repick)
            controls = {**shared, **controls, "picked": picked}
            folder.build(backend, controls)
        with gr.Column(scale=1, min_width=250, elem_id="augment-downloads"):
            _build_downloads(backend, controls)
    _connect_boxes(backend, controls, shown, signals)
    _connect_presets(controls, buttons, signals.redraw)
    _connect_pin(controls, buttons, signals.redraw)
    _connect_alone(backend, controls, shown)
    _connect_undo(backend, defaults, controls, buttons, signals.opened)
    _connect_drawing(backend, controls, shown, signals, (address, defaults))
    audit.build(backend, controls, (signals.opened, signals.detect), signals.redraw, defaults)
    return AugmentTab(defaults, controls)


@dataclass
class Group:
    """Settings that stand together on the page.

    Attributes:
        heading: what they are called.
        shown: names of the settings that have their place on the page.
        folded: of the steps that are off at first; they take one line, with :attr:`line` on it.
    """

    heading: str
    shown: list[str]
    folded: list[str]
    line: str


def groups_of(config: AugmentConfig) -> list[Group]:
    """The groups of all settings that are some step's, as they are on the page at first."""
    groups = []
    for name in GROUPS:
        steps = [step for step in config.steps if step.group == name]
        shown = [s.name for step in steps if step.is_on(config) for s in step.settings]
        off = [step for step in steps if not step.is_on(config)]
        line = f"{name.capitalize()}: {', '.join(s.title for s in off)}"
        folded = [setting.name for step in off for setting in step.settings]
        groups.append(Group(name.capitalize(), shown, folded, line))
    return groups


def settings_of_all_steps(config: AugmentConfig) -> list[str]:
    """Names of the settings that are no step's own."""
    of_steps = {setting.name for step in config.steps for setting in step.settings}
    return [field.name for field in dataclasses.fields(config) if field.name not in of_steps]


def setting_control(field: dataclasses.Field, value: Any) -> Component:
    """The control of one setting, from its range and its explanation."""
    meta, elem_id = field.metadata, f"augment-{field.name}"
    label, words = meta["label"], meta["help"]
    if choices := meta.get("choices"):
        return gr.Radio(list(choices), value=value, label=label, info=words, elem_id=elem_id)
    step = 1 if meta["high"] > 10 else 0.05 if meta["high"] > 1 else 0.01
    return ClampedSlider(
        meta["low"], meta["high"], value, step=step, label=label, info=words,
        elem_id=elem_id, buttons=[],
    )  # fmt: skip


def _build_settings(defaults: AugmentState, names: list[str]) -> Controls:
    return {name: setting_control(FIELDS[name], getattr(defaults, name)) for name in names}


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
    controls, groups = {}, groups_of(defaults.config)
    for group in groups:
        if group.shown:
            gr.HTML(f"<h4 class='settings-group'>{group.heading}</h4>")
            controls |= _build_settings(defaults, group.shown)
    for group in groups:
        if group.folded:
            name = f"augment-more-{group.heading.lower()}"
            with gr.Accordion(group.line, open=False, elem_id=name):
                controls |= _build_settings(defaults, group.folded)
    with gr.Row(elem_classes=["presets"]):
        for name in ("undo", "redo"):
            buttons[name] = gr.Button(
                name.capitalize(), size="sm", min_width=50, interactive=False,
                elem_id=f"augment-{name}",
            )  # fmt: skip
        buttons["surprise"] = gr.Button(
            "Surprise me", size="sm", min_width=50, elem_id="surprise"
        )  # fmt: skip
    with gr.Row(elem_classes=["presets"]):
        for name, label in (("pin", "Pin as A"), ("swap", "Swap A, B"), ("unpin", "Let A go")):
            buttons[name] = gr.Button(
                label, size="sm", min_width=50, elem_id=f"augment-{name}",
                elem_classes=[] if name == "pin" else ["when-pinned"],
            )  # fmt: skip
    controls["pinned"] = gr.Textbox("", visible=False)
    with gr.Accordion("Advanced: box, seed, rules", open=False, elem_id="augment-advanced"):
        controls["box_source"] = gr.Radio(
            list(BOX_SOURCES), value=defaults.box_source, label="Box from",
            elem_id="augment-box-source",
        )  # fmt: skip
        controls["boxes"] = gr.Textbox(
            "", label="Left, top, right, bottom", elem_id="augment-boxes", max_lines=1,
            info="pixels; Enter sets the box. With a class before it, several with ; between",
        )  # fmt: skip
        controls["count"] = ClampedSlider(
            1, MAX_VARIANTS, defaults.count, step=1, label="Variants", elem_id="augment-count",
            buttons=[],
        )  # fmt: skip
        # No precision: rounding fails where checking speaks.
        controls["seed"] = gr.Number(
            defaults.seed, label="Seed", minimum=0, maximum=MAX_SEED, elem_id="augment-seed"
        )
        controls |= _build_settings(defaults, settings_of_all_steps(defaults.config))
    return controls, buttons


def _build_shown(
    backend: Backend, defaults: AugmentState, repick: gr.Textbox
) -> tuple[_Shown, gr.Textbox]:
    """All is drawn when the tab is opened; until then sketches hold the places of the pair."""
    scene = scene_of(backend, defaults)
    value, first = editor_value(scene, SKETCH_SIDE), show_pair(scene, SKETCH_SIDE)
    of_photo = partial(markup.of_photo, defaults.photo.key)
    with gr.Row(elem_id="augment-pair"):
        with gr.Column(min_width=150):
            editor = BoxEditor(
                value, class_names=offered_class_names(backend), elem_id="augment-before"
            )
        with gr.Column(min_width=150, elem_id="augment-a-column"):
            pinned = gr.HTML(elem_id="augment-a")
        with gr.Column(min_width=150):
            after = gr.HTML(of_photo(first.after), elem_id="augment-after", min_height=200)
            alone = gr.HTML(elem_id="augment-alone")
    sentence = gr.HTML(of_photo(first.sentence), elem_id="augment-sentence", min_height=28)
    problem = gr.HTML(elem_id="augment-problem")
    steps = gr.HTML(of_photo(first.steps), elem_id="augment-steps", min_height=150)
    advice = gr.HTML(elem_id="augment-advice")
    gr.HTML(ABOUT_EXTREMES, elem_classes=["heading"])
    extremes = gr.HTML(elem_id="augment-extremes", min_height=120)
    gr.HTML(ABOUT_VARIANTS, elem_classes=["heading"])
    grid = pick_grid(elem_id="augment-grid", min_height=170)
    picked = gr.Textbox("", visible=False)
    js = f"() => [{pressed_js(grid)}, {TOKEN_JS}]"
    grid.select(None, None, [picked, repick], js=js, **PRIVATE)
    chart = gr.HTML(elem_id="augment-answers", min_height=70)
    with gr.Accordion("The transforms.v2 code", open=False):
        code = gr.Code("", language="python", label="augment.py", max_lines=30)
    shown = _Shown(
        editor=editor, pinned=pinned, after=after, alone=alone, sentence=sentence, problem=problem,
        steps=steps, advice=advice, extremes=extremes, grid=grid, chart=chart, code=code,
    )  # fmt: skip
    return shown, picked


def _connect_boxes(backend: Backend, controls: Controls, shown: _Shown, signals: Signals) -> None:
    """Where the boxes come from: the truth, the detector, the editor, or typed numbers."""
    source, boxes, editor, problem = (
        controls["box_source"], controls["boxes"], shown.editor, shown.problem
    )  # fmt: skip
    redraw = signals.redraw
    names = ("photo", "checkpoint", "box_source", "boxes")
    place_inputs = {name: controls[name] for name in names}
    pair = (shown.after, shown.sentence, shown.steps)
    outputs = [editor, boxes, source, problem, *pair, redraw]

    @show_errors_in(problem)
    def place(**values: Any) -> dict[Any, Any]:
        if values["box_source"] != OWN:
            values["boxes"] = ""
        state = AugmentState(**values)
        if not (state.photo.sample or state.photo.upload):
            return {editor: None, problem: markup.problem(NO_PHOTO), **dict.fromkeys(pair, "")}
        scene = scene_of(backend, state)
        return {
            editor: editor_value(scene), boxes: write_boxes(scene.boxes),
            source: scene.source, redraw: token(), problem: "",
        }  # fmt: skip

    def typed(**values: Any) -> dict[Any, Any]:
        return place(**values | {"box_source": OWN})

    def drawn(edit: Edit) -> dict[Any, Any]:
        if not edit["boxes"]:
            return {problem: markup.problem("Draw a box on the photo: without one there is nothing"
                                            " to follow.")}  # fmt: skip
        return {boxes: write_boxes(edit["boxes"]), source: OWN, redraw: token(), problem: ""}

    gr.on(
        [source.input, signals.opened.change], place, inputs_kwargs=place_inputs,
        outputs=outputs, **DRAWS,
    )  # fmt: skip
    boxes.submit(typed, inputs_kwargs=place_inputs, outputs=outputs, **DRAWS)
    editor.input(drawn, editor, [boxes, source, problem, redraw], **DRAWS)


def _connect_presets(controls: Controls, buttons: dict[str, gr.Button], redraw: gr.Textbox) -> None:
    """What sets all settings at once."""
    turn = {**QUIET, **in_order("augment-preset")}
    # The signal is last: what listens to it reads all values as soon as it is set.
    outputs = [controls["seed"], *(controls[name] for name in SETTINGS), redraw]
    configs = {buttons[preset.name]._id: preset.config for preset in PRESETS}

    def set_all(event: gr.EventData) -> dict[Component, Any]:
        config = configs.get(event.target._id) if event.target else None
        values = vars(config) if config else surprise()
        return {**{controls[name]: value for name, value in values.items()}, redraw: token()}

    pressed = [buttons[name].click for name in (*(preset.name for preset in PRESETS), "surprise")]
    gr.on(pressed, set_all, None, outputs, **turn)


def _connect_pin(controls: Controls, buttons: dict[str, gr.Button], redraw: gr.Textbox) -> None:
    """A is kept in a hidden field, which the address has too; B is what the controls say."""
    turn = {**QUIET, **in_order("augment-preset")}
    settings, pinned = {name: controls[name] for name in SETTINGS}, controls["pinned"]

    def pin(**values: Any) -> dict[Any, Any]:
        return {pinned: write_settings(AugmentConfig(**values)), redraw: token()}

    def swap(pinned_now: str, **values: Any) -> dict[Any, Any]:
        if not pinned_now:
            return gr.skip()
        other = vars(read_settings(pinned_now))
        changed = {controls[name]: value for name, value in other.items()}
        return {**changed, **pin(**values)}

    buttons["pin"].click(pin, inputs_kwargs=settings, outputs=[pinned, redraw], **turn)
    buttons["swap"].click(
        swap, inputs_kwargs={**settings, "pinned_now": pinned},
        outputs=[*settings.values(), pinned, redraw], **turn,
    )  # fmt: skip
    buttons["unpin"].click(lambda: {pinned: "", redraw: token()}, None, [pinned, redraw], **turn)


def _connect_alone(backend: Backend, controls: Controls, shown: _Shown) -> None:
    """While a setting is moved, what it does alone is shown in the place of the variant."""
    of_steps = [s.name for step in AugmentConfig.steps for s in step.settings]
    touched = gr.Textbox("", visible=False)
    inputs = {**controls, "touched": touched}

    @show_errors_in(shown.problem)
    def alone(touched: str, **values: Any) -> dict[Any, Any]:
        if touched not in of_steps or not values["boxes"]:
            return gr.skip()
        return {shown.alone: show_alone(scene_of(backend, AugmentState(**values)), touched)}

    place, moved = list(inputs).index("touched"), signal()
    forward(edits(controls, *of_steps), moved)
    moved.change(
        alone, inputs_kwargs=inputs, outputs=[shown.alone, shown.problem],
        js=f"(...values) => values.with({place}, detectorPage.touched())", **DRAWS,
    )  # fmt: skip


def _connect_undo(
    backend: Backend,
    defaults: AugmentState,
    controls: Controls,
    buttons: dict[str, gr.Button],
    opened: gr.Textbox,
) -> None:
    """Boxes and settings as an earlier address says them; the browser remembers which (page.js)."""
    names = (*SETTINGS, "boxes", "box_source", "seed", "count", "pinned")
    query = gr.Textbox("", visible=False)

    def restore(query: str) -> dict[Any, Any]:
        if not query:
            return gr.skip()
        state = defaults.from_query(dict(parse_qsl(query)), backend.library)
        return {**{controls[name]: getattr(state, name) for name in names}, opened: token()}

    for name, by in (("undo", -1), ("redo", 1)):
        buttons[name].click(
            restore, query, [*(controls[name] for name in names), opened],
            js=f"() => detectorPage.step({by})", **QUIET, **in_order("augment-preset"),
        )  # fmt: skip


def _connect_drawing(
    backend: Backend,
    controls: Controls,
    shown: _Shown,
    signals: Signals,
    address_bar: tuple[gr.Textbox, AugmentState],
) -> None:
    """The two listeners that draw: the pair, which follows at once, and all the rest."""
    address, defaults = address_bar
    # What the visitor changes; whatever else sets a control then sets a signal, once for all.
    events = [*edits(controls, *SETTINGS, "count", "seed"), signals.redraw.change]

    @show_errors_in(shown.problem)
    def pair(**values: Any) -> dict[Any, Any]:
        if not values["boxes"]:  # they are on their way
            return gr.skip()
        state = AugmentState(**values)
        drawn_pair = show_pair(scene_of(backend, state))
        of_photo = partial(markup.of_photo, state.photo.key)
        drawn = {getattr(shown, part): of_photo(html) for part, html in vars(drawn_pair).items()}
        return {**drawn, shown.problem: "", address: state.to_query(defaults)}

    @show_errors_in(shown.problem)
    def rest(**values: Any) -> Iterator[dict[Any, Any]]:
        if not values["boxes"]:
            yield gr.skip()
        else:
            yield from _draw_rest(scene_of(backend, AugmentState(**values)), shown)

    draw_pair, draw_rest = signal(), signal()
    forward(events, draw_pair, draw_rest)
    gr.on(
        [draw_pair.change, signals.repick.change], pair, inputs_kwargs=controls,
        outputs=[
            shown.after, shown.sentence, shown.steps, shown.pinned, shown.problem, address,
        ], **DRAWS,
    )  # fmt: skip
    draw_rest.change(
        rest, inputs_kwargs=controls,
        outputs=[
            shown.problem, shown.advice, shown.extremes, shown.grid, shown.chart, shown.code,
        ], **DRAWS,
    )  # fmt: skip


def _draw_rest(scene: Scene, shown: _Shown) -> Iterator[dict[Any, Any]]:
    """First the pictures, then what the detector says about them; variants are drawn once."""
    variants, picked = variants_of(scene), picked_number(scene)
    of_photo = partial(markup.of_photo, scene.state.photo.key)
    yield {
        shown.advice: of_photo(show_advice(scene.state.config, variants)),
        shown.grid: of_photo(variants_grid(variants, scene, picked)),
        shown.code: code_of(scene.state.config, scene.inspection.detector),
    }
    yield {shown.extremes: of_photo(show_extremes(scene))}
    answers = answers_of(scene, variants)
    marks = show_answers(variants, answers, scene, "B" if scene.pinned else "")
    grid = variants_grid(variants, scene, picked, answers)
    yield {shown.grid: of_photo(grid), shown.chart: of_photo(marks)}
    if other := scene.pinned:
        drawn = variants_of(other)
        of_a = show_answers(drawn, answers_of(other, drawn), other, "A")
        yield {shown.chart: of_photo(of_a + marks)}


def _build_downloads(backend: Backend, controls: Controls) -> None:
    gr.HTML(ABOUT_DOWNLOADS, elem_classes=["heading"])
    makers: dict[str, tuple[str, Callable[[AugmentState], str]]] = {
        "json": ("augment.json", json_download),
        "python": (
            "transforms.v2 (Python)",
            lambda state: code_download(state.config, backend.detector(state.checkpoint)),
        ),
        "animation": (
            "Animation (WebP)",
            lambda state: animation_download(scene_of(backend, state)),
        ),
    }
    with gr.Row(elem_classes=["compact"]):
        for name, (label, make) in makers.items():
            download_button(
                label, lambda make=make, **values: make(AugmentState(**values)), controls,
                f"augment-{name}",
            )  # fmt: skip
    with gr.Row(elem_classes=["compact"]):
        pictures = gr.Radio(
            ZIP_PICTURES, value=CANVAS, label="Pictures in the ZIP", info=ABOUT_ZIP,
            elem_id="augment-zip-pictures", scale=4,
        )  # fmt: skip

        def pack(pictures: str, **values: Any) -> str:
            return zip_download(scene_of(backend, AugmentState(**values)), pictures)

        inputs = {**controls, "pictures": pictures}
        download_button("Variants and boxes (ZIP)", pack, inputs, "augment-zip")
