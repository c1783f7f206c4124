"""What the Augment tab shows for a request: variants, steps, box health, files to take away."""

import dataclasses
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import torch
from PIL import Image

from demo import markup
from demo.backend import Backend, Photo, hold, in_words
from demo.take_away import take_away
from model.augment import AugmentConfig, Step, describe
from model.augment.export import to_code
from model.augment.variants import (
    MAX_VARIANTS,
    Variant,
    advice,
    checked_box,
    make_variants,
    pack_variants,
)
from model.checkpoint import CheckpointInfo
from model.data.images import LoadedImage
from model.errors import UserError
from model.robustness import VariantPrediction

BOX_SOURCES = {
    "ground truth": "what is annotated",
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
        name = photo.largest.class_name if photo.largest else ""
        return Scene(photo, loaded, usable_box(corners, loaded), name, source)
    d = backend.detect(photo, request.checkpoint).detection
    return Scene(photo, loaded, usable_box(d.bbox_xyxy, loaded), d.class_name, "detector")


def usable_box(bbox_xyxy: Sequence[Any], loaded: LoadedImage) -> tuple[float, ...]:
    """A box in pixels of the photo that is also one on its working copy.

    Raises:
        UserError: if it is none; sizes in the text are pixels of the photo.
    """
    sizes = zip(loaded.original_size, loaded.image.size, strict=True)
    # A little more, because a box loses its last digits on the way to the copy.
    across, down = (1.001 * full / copy if full > copy else 1.0 for full, copy in sizes)
    return tuple(checked_box(bbox_xyxy, loaded.original_size, (across, down)).tolist())


def variants_of(backend: Backend, request: Request, scene: Scene) -> list[Variant]:
    """Draw the variants a request asks for."""
    info = backend.detector(request.checkpoint).info
    return make_variants(
        scene.loaded.image, scene.working_box, request.config, info.image_size,
        whole(request.seed, "the seed", 0, MAX_SEED),
        whole(request.count, "the number of variants", 1, MAX_VARIANTS),
        scene.photo.file_name, mean=info.mean, std=info.std,
    )  # fmt: skip


def whole(value: Any, what: str, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``.

    Raises:
        UserError: if it is not one.
    """
    # NaN is not within any range, and infinity is not below any limit.
    if not isinstance(value, (int, float)) or not least <= value <= most or value != int(value):
        raise UserError(f"{what} must be a whole number from {least} to {most}.")
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
        "steps": steps_strip(variants[picked - 1], scene, info),
        "code": to_code(request.config, info.image_size, info.mean, info.std),
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


def steps_strip(variant: Variant, scene: Scene, info: CheckpointInfo) -> str:
    """The pipeline of one variant, picture by picture."""
    tiles = []
    for step in variant.trace.steps:
        picture, boxes = step_image(step, info), [target_box(step, scene)]
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


def step_image(step: Step, info: CheckpointInfo) -> Image.Image:
    """The picture of a step; what the network gets is made visible by undoing the normalisation."""
    if isinstance(step.image, Image.Image):
        return step.image
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (info.mean, info.std))
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
    except UserError:
        return ""  # the problem is already said above the grid
    except Exception as error:
        return markup.problem(in_words(error))
    return hold_chart(variants, held, scene)


def hold_chart(variants: Sequence[Variant], held: Sequence[VariantPrediction], scene: Scene) -> str:
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
    return take_away("augment.json", _config(settings).to_json() + "\n")


def take_code(backend: Backend, checkpoint: str, *settings: Any) -> str:
    """The pipeline as a stand-alone script."""
    info = backend.detector(checkpoint).info
    code = to_code(_config(settings), info.image_size, info.mean, info.std)
    return take_away("augment.py", code)


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
    return take_away(f"{scene.photo.path.stem}_variants.zip", packed)


def _config(settings: Sequence[Any]) -> AugmentConfig:
    try:
        return AugmentConfig(**{f.name: v for f, v in zip(FIELDS, settings, strict=True)})
    except UserError as error:
        raise gr.Error(in_words(error), print_exception=False) from error
