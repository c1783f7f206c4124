"""The Augment tab: what the augmentation does to a photo and its box, step by step."""

import dataclasses
import json
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import torch
from PIL import Image

from demo import markup
from demo.backend import Backend, Photo, hold, in_words
from demo.components import PRIVATE, download_button, photo_input, pick_grid, point_view
from demo.detect_tab import example_tiles
from model.augment import IMAGENET_MEAN, IMAGENET_STD, AugmentConfig, Step, describe
from model.augment_code import to_code
from model.errors import UserError
from model.images import LoadedImage
from model.variants import (
    MAX_VARIANTS,
    Held,
    Variant,
    advice,
    checked_box,
    make_variants,
    pack_variants,
)

BOX_SOURCES = {
    "ground truth": "what VOC says",
    "detector": "the detector's answer",
    "my own": "click two opposite corners on the photo, or type the numbers",
}
FIELDS = dataclasses.fields(AugmentConfig)
DEFAULT_COUNT = 8
DEFAULT_SEED = 7
MAX_SEED = 1_000_000


@dataclass(frozen=True)
class Request:
    """Everything a view of this tab depends on, in the order of its controls."""

    sample: str = ""
    upload: str | None = None
    box_source: str = "ground truth"
    x1: float | None = None
    y1: float | None = None
    x2: float | None = None
    y2: float | None = None
    seed: float = DEFAULT_SEED
    count: float = DEFAULT_COUNT
    picked: str = "1"
    checkpoint: str = ""
    settings: tuple[Any, ...] = tuple(field.default for field in FIELDS)

    @classmethod
    def of(cls, *values: Any) -> "Request":
        """From the values of the controls; the settings come last."""
        plain = len(dataclasses.fields(cls)) - 1
        return cls(*values[:plain], settings=values[plain:])

    @property
    def config(self) -> AugmentConfig:
        """The settings, validated."""
        return AugmentConfig(**{f.name: v for f, v in zip(FIELDS, self.settings, strict=True)})


@dataclass(frozen=True)
class Scene:
    """A photo at working size, and its target."""

    photo: Photo
    loaded: LoadedImage
    bbox_xyxy: tuple[float, ...]  # pixels of the original upright photo
    class_name: str
    source: str

    @property
    def working_box(self) -> list[float]:
        """The box in pixels of the working copy."""
        (w, h), (full_w, full_h) = self.loaded.image.size, self.loaded.original_size
        return [v * s for v, s in zip(self.bbox_xyxy, (w / full_w, h / full_h) * 2, strict=True)]


def scene_of(backend: Backend, request: Request) -> Scene:
    """Find photo and box.

    Raises:
        UserError: if there is no photo, or the box is not one.
    """
    photo = backend.photo(request.sample, request.upload)
    loaded = backend.working_copy(photo, request.checkpoint)
    source = request.box_source
    if source == "ground truth" and not photo.largest:
        source = "detector"
    if source == "ground truth":
        return Scene(photo, loaded, photo.largest.bbox_xyxy, photo.largest.class_name, source)
    if source == "my own":
        corners = (request.x1, request.y1, request.x2, request.y2)
        if None in corners:
            raise UserError("your own box needs two corners: click them on the photo.")
        box = checked_box(corners, loaded.original_size)  # type: ignore[arg-type]
        name = photo.largest.class_name if photo.largest else ""
        return Scene(photo, loaded, tuple(box.tolist()), name, source)
    d = backend.detect(photo, request.checkpoint).detection
    return Scene(photo, loaded, d.bbox_xyxy, d.class_name, "detector")


def variants_of(backend: Backend, request: Request, scene: Scene) -> list[Variant]:
    """Draw the variants a request asks for."""
    info = backend.detector(request.checkpoint).info
    return make_variants(
        scene.loaded.image, scene.working_box, request.config, info.image_size,
        whole(request.seed, "the seed", MAX_SEED),
        whole(request.count, "the number of variants", MAX_VARIANTS),
        scene.photo.file_name, mean=info.mean, std=info.std,
    )  # fmt: skip


def whole(value: Any, what: str, most: int) -> int:
    """A whole number from 0 to ``most``.

    Raises:
        UserError: if it is not one.
    """
    if not isinstance(value, (int, float)) or value != value or not 0 <= value <= most:
        raise UserError(f"{what} must be a whole number from 0 to {most}.")
    return int(value)


def show(backend: Backend, request: Request) -> dict[str, Any]:
    """What a request shows, by the name of the output; a problem is one sentence."""
    empty = {"source": "", "grid": "", "steps": "", "code": "", "box": (None,) * 4, "from": None}
    try:
        scene = scene_of(backend, request)
        variants = variants_of(backend, request, scene)
    except Exception as error:
        return empty | {"advice": markup.problem(in_words(error))}
    picked = picked_number(request, len(variants))
    info = backend.detector(request.checkpoint).info
    return {
        "source": source_figure(backend, scene),
        "advice": "".join(
            f'<p class="note warning">{escape(text)}</p>'
            for text in advice(request.config, variants)
        ),
        "grid": variants_grid(variants, scene, picked),
        "steps": steps_strip(variants[picked - 1], scene),
        "code": to_code(request.config, info.image_size),
        "box": tuple(round(v, 1) for v in scene.bbox_xyxy),
        "from": scene.source,
    }


def picked_number(request: Request, count: int) -> int:
    """The variant whose steps are shown, 1 if there is none of that number."""
    text = str(request.picked)
    return int(text) if text.isdecimal() and 1 <= int(text) <= count else 1


def source_figure(backend: Backend, scene: Scene) -> str:
    """The photo as it is, with its box."""
    width, height = scene.loaded.original_size
    box = markup.DrawnBox(scene.bbox_xyxy, "target", scene.class_name, scene.class_name)
    alt = f"Original photo, {width} x {height} pixels, with the box of its target."
    caption = f"box: {escape(scene.source)} - click two corners to set your own"
    return markup.figure(scene.loaded.image, (width, height), [box], alt, caption=caption)


def target_box(step: Step, scene: Scene, label: str = "") -> markup.DrawnBox:
    """The target after a step."""
    return markup.DrawnBox(step.bbox_xyxy.tolist(), "target", scene.class_name, label)


def variants_grid(variants: Sequence[Variant], scene: Scene, picked: int) -> str:
    """All variants with their boxes, to choose from."""
    tiles = []
    for variant in variants:
        step, health = variant.picture, variant.health
        alt = f"variant {variant.number}: {health.visible:.0%} of the box visible"
        inner = markup.figure(step.image, step.image.size, [target_box(step, scene)], alt)
        tiles.append(
            markup.figure_tile(
                str(variant.number), inner, health_line(variant), variant.number == picked
            )
        )
    return markup.grid(tiles, "variants")


def health_line(variant: Variant) -> str:
    """The box health of a variant in a few words (HTML)."""
    health = variant.health
    parts = [f"<b>#{variant.number}</b> {health.visible:.0%} visible"]
    parts.append(f"box {health.growth:+.0%}" if abs(health.growth) >= 0.005 else "box as it was")
    if health.gave_up:
        parts.append("lost, geometry left out")
    elif health.redraws:
        parts.append(f"drawn again {health.redraws}x")
    return " · ".join(parts)


def steps_strip(variant: Variant, scene: Scene) -> str:
    """The pipeline of one variant, picture by picture."""
    tiles = []
    for step in variant.trace.steps:
        picture, boxes = step_image(step), [target_box(step, scene)]
        if step.name == "rotation" and step.params["angle"]:
            boxes = [
                markup.DrawnBox(variant.health.hull_xyxy, "hull", "", "hull"),
                markup.DrawnBox(variant.health.ellipse_xyxy, "ellipse", scene.class_name),
            ]
        words = describe(step) if step.name not in ("original", "network") else step.name
        corners = ", ".join(f"{v:.0f}" for v in step.bbox_xyxy.tolist())
        detail = f"box {corners} of {picture.width} x {picture.height}"
        if step.visible < 0.9995:
            detail += f" · {step.visible:.0%} visible"
        if step.name == "network":
            words = "what the network sees"
            detail += f" · mean {step.image.mean():.2f}, deviation {step.image.std():.2f}"
        inner = markup.figure(picture, picture.size, boxes, f"after: {words}")
        tiles.append(
            f'<div class="tile" data-step="{step.name}">{inner}<span class="step-name">'
            f"{escape(words)}</span><span>{escape(detail)}</span></div>"
        )
    return (
        f'<h3 class="part">Variant {variant.number}, step by step</h3>'
        f"{markup.grid(tiles, 'steps')}{health_facts(variant)}"
    )


def step_image(step: Step) -> Image.Image:
    """The picture of a step; what the network gets is made visible by undoing the normalisation."""
    if isinstance(step.image, Image.Image):
        return step.image
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    pixels = ((step.image * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def health_facts(variant: Variant) -> str:
    """Box health of one variant as a table."""
    health = variant.health
    fate = "kept at the first draw"
    if health.gave_up:
        fate = "lost in every draw: flip, rotation and zoom were left out"
    elif health.redraws:
        fate = f"lost, drawn again {health.redraws} times"
    rows = [
        ("still visible at the end", f"{health.visible:.1%}"),
        (
            "looseness: IoU of corner hull and ellipse",
            f"{health.looseness:.2f} (1 = the rotation leaves no doubt)",
        ),
        ("growth of the box by the rotation", f"{health.growth:+.1%}"),
        ("the box was", fate),
    ]
    return markup.table(rows, "Box health")


def show_hold(backend: Backend, request: Request) -> str:
    """How the detector does on every variant, as a small chart."""
    try:
        scene = scene_of(backend, request)
        variants = variants_of(backend, request, scene)
        held = hold(backend.checkpoint_file(request.checkpoint), variants)
    except Exception:
        return ""  # the problem is already said above the grid
    return hold_chart(variants, held, scene)


def hold_chart(variants: Sequence[Variant], held: Sequence[Held], scene: Scene) -> str:
    """Class, score and IoU of every variant."""
    expected = scene.class_name or held[0].class_name
    right = sum(answer.class_name == expected for answer in held)
    overlap = statistics.median(answer.iou for answer in held)
    rows = []
    for variant, answer in zip(variants, held, strict=True):
        rows.append(
            f'<div class="row"><b>#{variant.number}</b> {markup.chip(answer.class_name)}'
            f"{markup.bar(answer.score, 'score', f'{answer.score:.0%}', answer.class_name)}"
            f"{markup.bar(answer.iou, 'IoU', f'{answer.iou:.2f}')}</div>"
        )
    return (
        '<h3 class="part">Does the detector hold?</h3>'
        f"<p>It says {markup.chip(expected)} on {right} of {len(held)} variants; the median IoU"
        f" with the transformed box is {overlap:.2f}.</p>"
        f'<div class="hold">{"".join(rows)}</div>'
    )


def surprise(generator: random.Random | None = None) -> list[Any]:
    """A seed and settings from the lively part of their ranges, in the order of the controls."""
    generator = generator or random.Random()
    drawn = {
        "flip_probability": 0.5,
        "rotation_degrees": float(generator.randint(0, 40)),
        "zoom": round(generator.uniform(1, 2), 2),
        "brightness": round(generator.uniform(0, 0.6), 2),
        "contrast": round(generator.uniform(0, 0.6), 2),
        "saturation": round(generator.uniform(0, 0.8), 2),
        "hue": round(generator.choice([0, 0, generator.uniform(0, 0.3)]), 2),
        "box_rule": generator.choice(["hull", "ellipse"]),
        "min_visible": round(generator.uniform(0.3, 0.8), 2),
    }
    return [generator.randint(0, 9999), *(drawn[field.name] for field in FIELDS)]


def take_json(backend: Backend, *settings: Any) -> str:
    """``augment.json`` for ``train.py --augment``."""
    return backend.take_away.write("augment.json", _config(settings).to_json() + "\n")


def take_code(backend: Backend, checkpoint: str, *settings: Any) -> str:
    """The pipeline as a stand-alone script."""
    size = backend.detector(checkpoint).info.image_size
    return backend.take_away.write("augment.py", to_code(_config(settings), size))


def take_zip(backend: Backend, *values: Any) -> str:
    """The variants and a CSV of their boxes."""
    request = Request.of(*values)
    try:
        scene = scene_of(backend, request)
        packed = pack_variants(
            variants_of(backend, request, scene), request.config, scene.class_name
        )
    except Exception as error:
        raise gr.Error(in_words(error), print_exception=False) from error
    return backend.take_away.write(f"{scene.photo.path.stem}_variants.zip", packed)


def _config(settings: Sequence[Any]) -> AugmentConfig:
    try:
        return AugmentConfig(**{f.name: v for f, v in zip(FIELDS, settings, strict=True)})
    except UserError as error:
        raise gr.Error(in_words(error), print_exception=False) from error


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
    refresh: Callable[..., tuple] | None = None
    hold: Callable[..., str] | None = None
    outputs: list[Any] = dataclasses.field(default_factory=list)
    hold_output: gr.HTML | None = None

    @property
    def controls(self) -> list[Any]:
        """In the order of :class:`Request`."""
        return [
            self.sample, self.upload, self.box_source, *self.box, self.seed, self.count,
            self.picked, self.checkpoint, *self.settings,
        ]  # fmt: skip

    def connect(self, backend: Backend, c: "_Controls", r: "_Results") -> None:
        """What draws this tab anew, for its own controls and for others."""

        def refresh(*values: Any) -> tuple:
            shown = show(backend, Request.of(*values))
            parts = [shown[name] for name in ("source", "advice", "grid", "steps", "code")]
            numbers = (*shown["box"], shown["from"])
            return (*parts, *(gr.skip() if v is None else v for v in numbers))

        def chart(*values: Any) -> str:
            return show_hold(backend, Request.of(*values))

        self.refresh, self.hold = refresh, chart
        self.outputs = [c.source, r.advice, r.grid, r.steps, r.code, *self.box, self.box_source]
        self.hold_output = r.hold


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
    corner: gr.Textbox
    corner_note: gr.HTML
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
    corner = gr.Textbox("", visible=False)
    corner_note = gr.HTML("")
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
        upload, sample, box_source, box, seed, count, picked, checkpoint, settings
    )  # fmt: skip
    return _Controls(tab, examples, source, corner, corner_note, use_box, defaults, lucky)


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

    def steps_only(*values: Any) -> str:
        return show(backend, Request.of(*values))["steps"]

    def clicked(
        corner: str, sample: str, upload: str | None, name: str, event: gr.EventData
    ) -> tuple:
        return second_corner(backend, corner, sample, upload, name, event.x, event.y)

    def finish(seen: Any) -> None:
        seen.then(None, tab.controls, None, js=_ADDRESS_JS, **PRIVATE)
        seen.then(tab.hold, tab.controls, r.hold, **minimal)

    def at_once(event: Any) -> None:
        finish(event(tab.refresh, tab.controls, tab.outputs, trigger_mode="always_last", **minimal))

    def afterwards(first: Any) -> None:
        finish(first.then(tab.refresh, tab.controls, tab.outputs, **minimal))

    tab.connect(backend, c, r)
    chosen = [tab.sample, tab.upload, tab.box_source, tab.picked]
    afterwards(c.examples.select(_picked_example, None, chosen, **quiet))
    afterwards(tab.upload.change(
        lambda path: ("", "detector", "1") if path else (gr.skip(),) * 3,
        tab.upload, [tab.sample, tab.box_source, tab.picked], **quiet,
    ))  # fmt: skip
    afterwards(c.source.select(
        clicked, [c.corner, tab.sample, tab.upload, tab.checkpoint],
        [c.corner, c.corner_note, *tab.box, tab.box_source], **quiet,
    ))  # fmt: skip
    afterwards(c.use_box.click(lambda: "my own", None, tab.box_source, **quiet))
    defaults = [field.default for field in FIELDS]
    afterwards(c.defaults.click(lambda: defaults, None, tab.settings, **quiet))
    afterwards(c.surprise.click(surprise, None, [tab.seed, *tab.settings], **quiet))
    for control in (*tab.settings, tab.count):
        at_once(control.release if isinstance(control, gr.Slider) else control.input)
    at_once(tab.box_source.input)
    at_once(tab.seed.input)
    picked = r.grid.select(_picked_key, None, tab.picked, **quiet)
    shown = picked.then(steps_only, tab.controls, r.steps, **minimal)
    shown.then(None, tab.controls, None, js=_ADDRESS_JS, **PRIVATE)


def _picked_key(event: gr.EventData) -> str:
    return event.key


def _picked_example(event: gr.EventData) -> tuple[str, None, str, str]:
    return event.key, None, "ground truth", "1"


def second_corner(
    backend: Backend, corner: str, sample: str, upload: str | None, name: str, x: float, y: float
) -> tuple[Any, ...]:
    """What a click on the photo does: remember a first corner, or make a box with it.

    Returns:
        The corner to remember (``"x,y"`` in 0..1, or nothing), a sentence, the four numbers, and
        where the box comes from.
    """
    nothing = (gr.skip(),) * 5
    try:
        width, height = backend.working_copy(
            backend.photo(sample, upload), name
        ).original_size  # fmt: skip
        if not corner:
            where = f"{x * width:.0f}, {y * height:.0f}"
            return (f"{x},{y}", markup.note(f"First corner: {where}. Now the opposite one."),
                    *nothing)  # fmt: skip
        first_x, first_y = (float(part) for part in corner.split(","))
        box = (
            min(x, first_x) * width, min(y, first_y) * height,
            max(x, first_x) * width, max(y, first_y) * height,
        )  # fmt: skip
        checked = checked_box(box, (width, height)).tolist()
        return ("", "", *(round(v, 1) for v in checked), "my own")
    except Exception as error:
        return ("", markup.problem(in_words(error)), *nothing)


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
