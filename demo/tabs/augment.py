"""The Augment tab: its controls, and what each of them changes."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
from gradio.components.base import Component

from demo import ui
from demo.box_editor import BoxEditor, Edit
from demo.choice import PhotoChoice
from demo.tabs import audit, folder
from demo.tabs.tab import Shared, Tab
from demo.views import markup
from demo.views.augment import files, pictures
from demo.views.augment.boxes import write_boxes
from demo.views.augment.scene import SKETCH_SIDE, Scene, editor_value, offered_class_names, scene_of
from demo.views.augment.state import (
    BOX_SOURCES,
    FIELDS,
    GROUND_TRUTH,
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
# For listeners that set many controls at once.
SETS_ALL = {**ui.QUIET, **ui.in_order("augment-preset")}
NO_BOX = "Draw a box on the photo: without one there is nothing to follow."
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
class Group:
    """Settings under one heading.

    Attributes:
        heading: the heading.
        shown: names of the settings of steps that are on at first.
        folded: names of the settings of steps that are off at first, in a closed accordion.
        line: the label of that accordion.
    """

    heading: str
    shown: list[str]
    folded: list[str]
    line: str


def groups_of(config: AugmentConfig) -> list[Group]:
    """The settings of all steps, grouped as the page first shows them."""
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
    """Names of the settings that belong to no single step."""
    of_steps = {setting.name for step in config.steps for setting in step.settings}
    return [field.name for field in dataclasses.fields(config) if field.name not in of_steps]


def setting_control(field: dataclasses.Field, value: Any) -> Component:
    """The control of one setting, built from its range and help text."""
    meta, elem_id = field.metadata, f"augment-{field.name}"
    label, words = meta["label"], meta["help"]
    if choices := meta.get("choices"):
        return gr.Radio(list(choices), value=value, label=label, info=words, elem_id=elem_id)
    step = 1 if meta["high"] > 10 else 0.05 if meta["high"] > 1 else 0.01
    return ui.ClampedSlider(
        meta["low"], meta["high"], value, step=step, label=label, info=words,
        elem_id=elem_id, buttons=[],
    )  # fmt: skip


class AugmentTab(Tab[AugmentState]):
    """The tab; ``controls`` are named after the fields of :class:`AugmentState`.

    Attributes:
        redraw: signal that also looks up the boxes of the photo.
        changed: signal that boxes or settings were set by something else than their own controls.
        repick: signal that another variant is to be shown large.
    """

    label = "Augment"
    follows_photo = True

    def __init__(self, shared: Shared) -> None:
        backend = shared.backend
        defaults = AugmentState(
            photo=backend.first_photo, checkpoint=backend.checkpoint, threshold=backend.threshold()
        )
        super().__init__(shared, defaults)
        self.changed, self.repick = ui.signal(), ui.signal()

    def build(self) -> None:
        """See :meth:`Tab.build`."""
        self.controls |= self.shared.controls
        self.buttons: dict[str, gr.Button] = {}
        with gr.Row(elem_id="augment", equal_height=False):
            with gr.Column(scale=1, min_width=250, elem_id="augment-settings"):
                self._build_presets()
                self._build_steps()
                self._build_buttons()
                self._build_advanced()
            with gr.Column(scale=3, min_width=300, elem_id="augment-shown"):
                self._build_pair()
                self._build_rest()
                folder.build(self.backend, self.controls)
            with gr.Column(scale=1, min_width=250, elem_id="augment-downloads"):
                self._build_downloads()
        self._connect_boxes()
        self._connect_presets()
        self._connect_pin()
        self._connect_alone()
        self._connect_undo()
        self._connect_drawing()
        audit.build(self, self.changed)

    def new_photo(self, choice: PhotoChoice) -> dict[Any, Any]:
        """See :meth:`Tab.new_photo`; boxes drawn on a kept photo are used again."""
        return {
            self.controls["boxes"]: choice.boxes,
            self.controls["box_source"]: OWN if choice.boxes else GROUND_TRUTH,
        }

    def _build_presets(self) -> None:
        with gr.Row(elem_classes=["presets"]):
            for preset in PRESETS:
                elem_id = f"preset-{preset.name.replace(' ', '-')}"
                self.buttons[preset.name] = ui.small_button(preset.name, elem_id, 50)

    def _build_steps(self) -> None:
        groups = groups_of(self.defaults.config)
        for group in groups:
            if group.shown:
                gr.HTML(f"<h4 class='settings-group'>{group.heading}</h4>")
                self._build_settings(group.shown)
        for group in groups:
            if group.folded:
                name = f"augment-more-{group.heading.lower()}"
                with gr.Accordion(group.line, open=False, elem_id=name):
                    self._build_settings(group.folded)

    def _build_settings(self, names: list[str]) -> None:
        for name in names:
            self.controls[name] = setting_control(FIELDS[name], getattr(self.defaults, name))

    def _build_buttons(self) -> None:
        """The buttons beside the presets that set several controls at once."""
        with gr.Row(elem_classes=["presets"]):
            for name in ("undo", "redo"):
                self.buttons[name] = ui.small_button(
                    name.capitalize(), f"augment-{name}", 50, interactive=False
                )
            self.buttons["surprise"] = ui.small_button("Surprise me", "surprise", 50)
        with gr.Row(elem_classes=["presets"]):
            for name, label in (("pin", "Pin as A"), ("swap", "Swap A, B"), ("unpin", "Let A go")):
                classes = [] if name == "pin" else ["when-pinned"]
                self.buttons[name] = ui.small_button(
                    label, f"augment-{name}", 50, elem_classes=classes
                )
        self.controls["pinned"] = gr.Textbox("", visible=False)

    def _build_advanced(self) -> None:
        controls, defaults = self.controls, self.defaults
        with gr.Accordion("Advanced: box, seed, rules", open=False, elem_id="augment-advanced"):
            controls["box_source"] = gr.Radio(
                list(BOX_SOURCES), value=defaults.box_source, label="Box from",
                elem_id="augment-box-source",
            )  # fmt: skip
            controls["boxes"] = gr.Textbox(
                "", label="Left, top, right, bottom", elem_id="augment-boxes", max_lines=1,
                info="pixels; Enter sets the box. With a class before it, several with ; between",
            )  # fmt: skip
            controls["count"] = ui.ClampedSlider(
                1, MAX_VARIANTS, defaults.count, step=1, label="Variants", elem_id="augment-count",
                buttons=[],
            )  # fmt: skip
            # Without ``precision``, whose rounding would fail before the seed is checked.
            controls["seed"] = gr.Number(
                defaults.seed, label="Seed", minimum=0, maximum=MAX_SEED, elem_id="augment-seed"
            )
            self._build_settings(settings_of_all_steps(defaults.config))

    def _build_pair(self) -> None:
        """The pair before / after: tiny placeholders until the tab is opened and drawn."""
        scene = scene_of(self.backend, self.defaults)
        value, first = editor_value(scene, SKETCH_SIDE), pictures.show_pair(scene, SKETCH_SIDE)
        of_photo = partial(markup.of_photo, self.defaults.photo.key)
        with gr.Row(elem_id="augment-pair"):
            with gr.Column(min_width=150):
                class_names = offered_class_names(self.backend)
                self.editor = BoxEditor(value, class_names=class_names, elem_id="augment-before")
            with gr.Column(min_width=150, elem_id="augment-a-column"):
                self.pinned = gr.HTML(elem_id="augment-a")
            with gr.Column(min_width=150):
                self.after = gr.HTML(of_photo(first.after), elem_id="augment-after", min_height=200)
                self.alone = gr.HTML(elem_id="augment-alone")
        self.sentence = gr.HTML(of_photo(first.sentence), elem_id="augment-sentence", min_height=28)
        self.problem = gr.HTML(elem_id="augment-problem")
        self.steps = gr.HTML(of_photo(first.steps), elem_id="augment-steps", min_height=150)

    def _build_rest(self) -> None:
        self.advice = gr.HTML(elem_id="augment-advice")
        gr.HTML(ABOUT_EXTREMES, elem_classes=["heading"])
        self.extremes = gr.HTML(elem_id="augment-extremes", min_height=120)
        gr.HTML(ABOUT_VARIANTS, elem_classes=["heading"])
        self.grid = ui.pick_grid(elem_id="augment-grid", min_height=170)
        picked = self.controls["picked"] = gr.Textbox("", visible=False)
        js = f"() => [{ui.pressed_js(self.grid)}, {ui.TOKEN_JS}]"
        self.grid.select(None, None, [picked, self.repick], js=js, **ui.PRIVATE)
        self.answers = gr.HTML(elem_id="augment-answers", min_height=70)
        with gr.Accordion("The transforms.v2 code", open=False):
            self.code = gr.Code("", language="python", label="augment.py", max_lines=30)

    def _build_downloads(self) -> None:
        gr.HTML(ABOUT_DOWNLOADS, elem_classes=["heading"])
        backend, controls = self.backend, self.controls
        makers: dict[str, tuple[str, Callable[[AugmentState], str]]] = {
            "json": ("augment.json", files.json_download),
            "python": (
                "transforms.v2 (Python)",
                lambda state: files.code_download(state.config, backend.detector(state.checkpoint)),
            ),
            "animation": (
                "Animation (WebP)",
                lambda state: files.animation_download(scene_of(backend, state)),
            ),
        }
        with gr.Row(elem_classes=["compact"]):
            for name, (label, make) in makers.items():
                ui.download_button(
                    label, lambda make=make, **values: make(AugmentState(**values)), controls,
                    f"augment-{name}",
                )  # fmt: skip
        with gr.Row(elem_classes=["compact"]):
            kind = gr.Radio(
                files.ZIP_PICTURES, value=files.CANVAS, label="Pictures in the ZIP", info=ABOUT_ZIP,
                elem_id="augment-zip-pictures", scale=4,
            )  # fmt: skip

            def pack(kind: str, **values: Any) -> str:
                return files.zip_download(scene_of(backend, AugmentState(**values)), kind)

            inputs = {**controls, "kind": kind}
            ui.download_button("Variants and boxes (ZIP)", pack, inputs, "augment-zip")

    def _connect_boxes(self) -> None:
        """Boxes come from the ground truth, the detector, the editor or typed numbers."""
        source, boxes = self.controls["box_source"], self.controls["boxes"]
        editor, problem, changed = self.editor, self.problem, self.changed
        names = ("photo", "checkpoint", "box_source", "boxes")
        place_inputs = {name: self.controls[name] for name in names}
        pair = (self.after, self.sentence, self.steps)
        outputs = [editor, boxes, source, problem, *pair, changed]

        @ui.show_errors_in(problem)
        def place(**values: Any) -> dict[Any, Any]:
            if values["box_source"] != OWN:
                values["boxes"] = ""
            state = AugmentState(**values)
            if not state.photo.key:
                return {editor: None, problem: markup.problem(NO_PHOTO), **dict.fromkeys(pair, "")}
            scene = scene_of(self.backend, state)
            return {
                editor: editor_value(scene), boxes: write_boxes(scene.boxes),
                source: scene.source, changed: ui.token(), problem: "",
            }  # fmt: skip

        def typed(**values: Any) -> dict[Any, Any]:
            return place(**values | {"box_source": OWN})

        def drawn(edit: Edit) -> dict[Any, Any]:
            if not edit["boxes"]:
                return {problem: markup.problem(NO_BOX)}
            text = write_boxes(edit["boxes"])
            return {boxes: text, source: OWN, changed: ui.token(), problem: ""}

        gr.on(
            [source.input, self.redraw.change], place, inputs_kwargs=place_inputs,
            outputs=outputs, **ui.DRAWS,
        )  # fmt: skip
        boxes.submit(typed, inputs_kwargs=place_inputs, outputs=outputs, **ui.DRAWS)
        editor.input(drawn, editor, [boxes, source, problem, changed], **ui.DRAWS)

    def _connect_presets(self) -> None:
        """Presets and "Surprise me" set all settings at once."""
        controls, buttons = self.controls, self.buttons
        # The signal comes last: its listener reads all values as soon as it is set.
        outputs = [controls["seed"], *(controls[name] for name in SETTINGS), self.changed]
        configs = {buttons[preset.name]._id: preset.config for preset in PRESETS}

        def set_all(event: gr.EventData) -> dict[Component, Any]:
            config = configs.get(event.target._id) if event.target else None
            values = vars(config) if config else surprise()
            return {**{controls[name]: value for name, value in values.items()},
                    self.changed: ui.token()}  # fmt: skip

        names = (*(preset.name for preset in PRESETS), "surprise")
        gr.on([buttons[name].click for name in names], set_all, None, outputs, **SETS_ALL)

    def _connect_pin(self) -> None:
        """A is in a hidden field, which is part of the address; B is the values of the controls."""
        settings = {name: self.controls[name] for name in SETTINGS}
        pinned, changed = self.controls["pinned"], self.changed

        def pin(**values: Any) -> dict[Any, Any]:
            return {pinned: write_settings(AugmentConfig(**values)), changed: ui.token()}

        def swap(pinned_now: str, **values: Any) -> dict[Any, Any]:
            if not pinned_now:
                return gr.skip()
            other = vars(read_settings(pinned_now))
            return {**{settings[name]: value for name, value in other.items()}, **pin(**values)}

        buttons = self.buttons
        buttons["pin"].click(pin, inputs_kwargs=settings, outputs=[pinned, changed], **SETS_ALL)
        buttons["swap"].click(
            swap, inputs_kwargs={**settings, "pinned_now": pinned},
            outputs=[*settings.values(), pinned, changed], **SETS_ALL,
        )  # fmt: skip
        buttons["unpin"].click(
            lambda: {pinned: "", changed: ui.token()}, None, [pinned, changed], **SETS_ALL
        )

    def _connect_alone(self) -> None:
        """While a setting is moved, its effect alone is shown in place of the variant."""
        of_steps = [s.name for step in AugmentConfig.steps for s in step.settings]
        touched = gr.Textbox("", visible=False)
        inputs = {**self.controls, "touched": touched}

        @ui.show_errors_in(self.problem)
        def alone(touched: str, **values: Any) -> dict[Any, Any]:
            if touched not in of_steps or not values["boxes"]:
                return gr.skip()
            scene = scene_of(self.backend, AugmentState(**values))
            return {self.alone: pictures.show_alone(scene, touched)}

        place, moved = list(inputs).index("touched"), ui.signal()
        ui.forward(ui.edits(self.controls, *of_steps), moved)
        moved.change(
            alone, inputs_kwargs=inputs, outputs=[self.alone, self.problem],
            js=f"(...values) => values.with({place}, detectorPage.touched())", **ui.DRAWS,
        )  # fmt: skip

    def _connect_undo(self) -> None:
        """Undo and redo set boxes and settings from an earlier address (edit_history.js)."""
        names = (*SETTINGS, "boxes", "box_source", "seed", "count", "pinned")
        restored = {name: self.controls[name] for name in names}
        query = gr.Textbox("", visible=False)

        def restore(query: str) -> dict[Any, Any]:
            if not query:
                return gr.skip()
            state = self.defaults.from_query(dict(parse_qsl(query)), self.backend.library)
            values = {control: getattr(state, name) for name, control in restored.items()}
            return {**values, self.redraw: ui.token()}

        for name, by in (("undo", -1), ("redo", 1)):
            self.buttons[name].click(
                restore, query, [*restored.values(), self.redraw],
                js=f"() => detectorPage.step({by})", **SETS_ALL,
            )  # fmt: skip

    def _connect_drawing(self) -> None:
        """Two listeners draw: a fast one the pair, a slower one everything else."""
        # Changes by the visitor; code that sets controls sets ``changed`` once afterwards.
        events = [*ui.edits(self.controls, *SETTINGS, "count", "seed"), self.changed.change]

        @ui.show_errors_in(self.problem)
        def pair(**values: Any) -> dict[Any, Any]:
            if not values["boxes"]:  # not set yet
                return gr.skip()
            state = AugmentState(**values)
            drawn = self.parts(pictures.show_pair(scene_of(self.backend, state)))
            of_photo = {
                part: markup.of_photo(state.photo.key, html) for part, html in drawn.items()
            }
            return {**of_photo, self.problem: "", **self.address.write(state)}

        @ui.show_errors_in(self.problem)
        def rest(**values: Any) -> Iterator[dict[Any, Any]]:
            if not values["boxes"]:
                yield gr.skip()
            else:
                yield from self._draw_rest(scene_of(self.backend, AugmentState(**values)))

        draw_pair, draw_rest = ui.signal(), ui.signal()
        ui.forward(events, draw_pair, draw_rest)
        gr.on(
            [draw_pair.change, self.repick.change], pair, inputs_kwargs=self.controls,
            outputs=[
                self.after, self.sentence, self.steps, self.pinned, self.problem,
                self.address.field,
            ], **ui.DRAWS,
        )  # fmt: skip
        draw_rest.change(
            rest, inputs_kwargs=self.controls,
            outputs=[
                self.problem, self.advice, self.extremes, self.grid, self.answers, self.code,
            ], **ui.DRAWS,
        )  # fmt: skip

    def _draw_rest(self, scene: Scene) -> Iterator[dict[Any, Any]]:
        """First the pictures, then the predictions on them; each variant is drawn once."""
        variants, picked = variants_of(scene), picked_number(scene)
        of_photo = partial(markup.of_photo, scene.state.photo.key)
        yield {
            self.advice: of_photo(pictures.show_advice(scene.state.config, variants)),
            self.grid: of_photo(pictures.variants_grid(variants, scene, picked)),
            self.code: files.code_of(scene.state.config, scene.inspection.detector),
        }
        yield {self.extremes: of_photo(pictures.show_extremes(scene))}
        answers = answers_of(scene, variants)
        marks = pictures.show_answers(variants, answers, scene, "B" if scene.pinned else "")
        grid = pictures.variants_grid(variants, scene, picked, answers)
        yield {self.grid: of_photo(grid), self.answers: of_photo(marks)}
        if other := scene.pinned:
            drawn = variants_of(other)
            of_a = pictures.show_answers(drawn, answers_of(other, drawn), other, "A")
            yield {self.answers: of_photo(of_a + marks)}
