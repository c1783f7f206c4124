"""What the Augment tab shows: before and after, steps, extremes, variants, files to take away."""

import dataclasses
import random
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup
from PIL import Image
from torch import Tensor

from demo.address import TabState, in_address, number, one_of, whole
from demo.backend import Backend, Photo, robustness
from demo.box_editor import EditedBox, EditorValue
from demo.once import Once
from demo.take_away import take_away
from demo.views import markup
from model.augment import AugmentConfig, Step
from model.augment.animation import rotation_animation
from model.augment.before_after import caption, ghost_box, sentence, step_captions, step_size
from model.augment.export import to_code
from model.augment.extremes import Extreme, extremes
from model.augment.transforms import unnormalised
from model.augment.variants import (
    MAX_VARIANTS,
    Variant,
    advice,
    checked_box,
    make_variants,
    pack_variants,
)
from model.boxes import BoxXyxy
from model.classes import VOC_CLASSES
from model.data.images import LoadedImage
from model.errors import UserError
from model.robustness import VariantPrediction

GROUND_TRUTH, DETECTOR, OWN = "ground truth", "detector", "my own"
BOX_SOURCES = (GROUND_TRUTH, DETECTOR, OWN)
FIELDS = dataclasses.fields(AugmentConfig)
MAX_SEED = 1_000_000
# Of the first example: its first variant is mirrored, turned, zoomed and darker.
DEFAULT_SEED = 216
MAX_OWN_BOXES = 20
EDITOR_SIDE = 640  # pixels of the photo that is shown before
# Pixels of pictures in a strip or grid: up to twice what they take up, for fine screens.
STEP_SIDE, EXTREME_SIDE = 160, 240
# Steps that are not called by their own name.
STEP_NAMES = {"jitter": "colours", "network": "what the network sees"}
PICKED_KEPT = 6  # variants shown large that are remembered, a few MB each
# Of health: below the first a box is in danger, below the second it is worth a look.
BAD_VISIBLE, FAIR_VISIBLE, LOOSE = 0.6, 0.9, 0.5


def _setting(name: str) -> Any:
    item = next(field for field in FIELDS if field.name == name)
    if choices := item.metadata.get("choices"):
        return in_address(item.default, one_of(choices))
    return in_address(item.default, number(item.metadata["low"], item.metadata["high"]))


@dataclass(frozen=True)
class AugmentState(TabState):
    """What the Augment tab shows; ``boxes`` as :func:`parse_boxes` reads them."""

    tab: ClassVar[str] = "augment"
    checkpoint: str = ""
    boxes: str = in_address("", lambda text: write_boxes(parse_boxes(text)))
    box_source: str = in_address(GROUND_TRUTH, one_of(BOX_SOURCES), "box")
    seed: int = in_address(DEFAULT_SEED, whole(0, MAX_SEED))
    count: int = in_address(8, whole(1, MAX_VARIANTS))
    picked: str = in_address("1", lambda text: str(whole(1, MAX_VARIANTS)(text)), "variant")
    flip_probability: float = _setting("flip_probability")
    rotation_degrees: float = _setting("rotation_degrees")
    zoom: float = _setting("zoom")
    brightness: float = _setting("brightness")
    contrast: float = _setting("contrast")
    saturation: float = _setting("saturation")
    hue: float = _setting("hue")
    box_rule: str = _setting("box_rule")
    min_visible: float = _setting("min_visible")

    @property
    def config(self) -> AugmentConfig:
        """The settings, validated."""
        return AugmentConfig(**{field.name: getattr(self, field.name) for field in FIELDS})

    def to_query(self, defaults: TabState) -> str:
        """As of every tab; boxes only where they are the visitor's own."""
        kept = self if self.box_source == OWN else dataclasses.replace(self, boxes="")
        return super(AugmentState, kept).to_query(defaults)


@dataclass(frozen=True)
class Scene:
    """A photo at working size, and its boxes, the target first.

    Attributes:
        boxes: in pixels of the original upright photo.
        source: one of :data:`BOX_SOURCES`.
    """

    photo: Photo
    loaded: LoadedImage
    boxes: tuple[EditedBox, ...]
    source: str

    @property
    def class_name(self) -> str:
        """Of the target; empty if nobody knows."""
        return self.boxes[0]["class_name"]

    @property
    def working_boxes(self) -> list[list[float]]:
        """The boxes in pixels of the working copy."""
        (w, h), (full_w, full_h) = self.loaded.image.size, self.loaded.original_size
        scale = (w / full_w, h / full_h) * 2
        return [[v * s for v, s in zip(box["bbox_xyxy"], scale, strict=True)] for box in self.boxes]


def parse_boxes(text: str) -> list[EditedBox]:
    """Boxes as people type them: ``cat 10 20 200 180; 5, 6, 50, 70``.

    Raises:
        UserError: for anything else.
    """
    boxes = []
    for part in filter(None, (part.strip() for part in re.split(r"[;\n]", text))):
        found = re.fullmatch(r"(?:([a-z]+)[\s:,]+)?([-+.\deEnaif,\s]+)", part)
        words = re.split(r"[,\s]+", found[2].strip(", \t")) if found else []
        name = (found and found[1]) or ""
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            numbers = []
        if len(numbers) != 4 or not all(abs(v) < 1e6 for v in numbers):
            raise UserError(
                f"{part[:60]!r} is no box: type left, top, right and bottom in pixels, like"
                " 10, 20, 200, 180."
            )
        if name and name not in VOC_CLASSES:
            raise UserError(f"{name[:40]!r} is none of the 20 classes: {', '.join(VOC_CLASSES)}.")
        x1, y1, x2, y2 = numbers
        boxes.append(EditedBox(bbox_xyxy=(x1, y1, x2, y2), class_name=name))
    if not 1 <= len(boxes) <= MAX_OWN_BOXES:
        raise UserError(f"there must be from 1 to {MAX_OWN_BOXES} boxes, not {len(boxes)}.")
    return boxes


def write_boxes(boxes: Sequence[EditedBox]) -> str:
    """What :func:`parse_boxes` reads."""
    return "; ".join(
        f"{box['class_name']} {', '.join(f'{round(v, 2):.10g}' for v in box['bbox_xyxy'])}".strip()
        for box in boxes
    )


def scene_of(backend: Backend, state: AugmentState, given: Sequence[EditedBox] = ()) -> Scene:
    """Find photo and boxes: those given, else those of the state, else those of its source.

    Raises:
        UserError: if there is no photo, or a box is not one.
    """
    photo = backend.photo(state.photo.sample, state.photo.upload)
    loaded = backend.working_copy(photo, state.checkpoint)
    if given or state.boxes:
        boxes = given or parse_boxes(state.boxes)
        return Scene(photo, loaded, _usable(boxes, loaded), OWN if given else state.box_source)
    if photo.largest and state.box_source != DETECTOR:
        others = [thing for thing in photo.objects if thing is not photo.largest]
        known = [
            EditedBox(bbox_xyxy=thing.bbox_xyxy, class_name=thing.class_name)
            for thing in (photo.largest, *others)
        ]
        # The target is the largest that is not difficult, whatever else is larger.
        return Scene(photo, loaded, tuple(known), GROUND_TRUTH)
    d = backend.detect(photo, state.checkpoint).detection
    found = EditedBox(bbox_xyxy=usable_box(d.bbox_xyxy, loaded), class_name=d.class_name)
    return Scene(photo, loaded, (found,), DETECTOR)


def _usable(boxes: Sequence[EditedBox], loaded: LoadedImage) -> tuple[EditedBox, ...]:
    """Boxes clipped to the photo, the largest first.

    Raises:
        UserError: if one is none; sizes in the text are pixels of the photo.
    """
    clipped = [
        EditedBox(bbox_xyxy=usable_box(box["bbox_xyxy"], loaded), class_name=box["class_name"])
        for box in boxes
    ]
    return tuple(sorted(clipped, key=lambda box: -_area(box["bbox_xyxy"])))


def usable_box(bbox_xyxy: Sequence[Any], loaded: LoadedImage) -> BoxXyxy:
    """A box in pixels of the photo that is also one on its working copy.

    Raises:
        UserError: if it is none; sizes in the text are pixels of the photo.
    """
    sizes = zip(loaded.original_size, loaded.image.size, strict=True)
    # A little more, because a box loses its last digits on the way to the copy.
    across, down = (1.001 * full / copy if full > copy else 1.0 for full, copy in sizes)
    box = checked_box(bbox_xyxy, loaded.original_size, (across, down))
    x1, y1, x2, y2 = box.tolist()
    return x1, y1, x2, y2


def _area(box: BoxXyxy) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def editor_value(backend: Backend, scene: Scene) -> EditorValue:
    """The photo before anything is done to it, with its boxes."""
    shown = backend.load(scene.photo, EDITOR_SIDE).image
    width, height = scene.loaded.original_size
    return EditorValue(
        image=markup.data_uri(shown, quality=82), image_size=scene.loaded.original_size,
        alt=f"The photo before, {width} x {height} pixels.", boxes=list(scene.boxes), selected=0,
    )  # fmt: skip


def draw_variants(
    backend: Backend, state: AugmentState, scene: Scene, first: int = 1, count: int | None = None
) -> list[Variant]:
    """Draw the variants a state asks for, or ``count`` from the one numbered ``first`` on."""
    info = backend.detector(state.checkpoint).info
    target, *others = scene.working_boxes
    seed = as_whole(state.seed, "the seed", 0, MAX_SEED)
    if count is None:
        count = as_whole(state.count, "the number of variants", 1, MAX_VARIANTS)
    if not count:
        return []
    return make_variants(
        scene.loaded.image, target, state.config, info.image_size, seed, count,
        scene.photo.file_name, first=first, others=others, mean=info.mean, std=info.std,
    )  # fmt: skip


_picked: Once[Variant] = Once(PICKED_KEPT)
_answers: Once[VariantPrediction] = Once(PICKED_KEPT)


def picked_variant(backend: Backend, state: AugmentState, scene: Scene) -> Variant:
    """The variant that is shown large; drawn once."""
    key = (scene.photo.path, backend.checkpoint_file(state.checkpoint), state)
    return _picked.get(
        key, lambda: draw_variants(backend, state, scene, picked_number(state), 1)[0]
    )


def picked_answer(backend: Backend, state: AugmentState, scene: Scene) -> VariantPrediction:
    """What the detector says on the variant that is shown large; asked once."""
    file = backend.checkpoint_file(state.checkpoint)
    variant = picked_variant(backend, state, scene)
    key = (scene.photo.path, file, state)
    return _answers.get(key, lambda: robustness(file, [variant])[0])


def variants_of(backend: Backend, state: AugmentState, scene: Scene) -> list[Variant]:
    """All variants a state asks for; the one shown large is not drawn again."""
    picked = picked_variant(backend, state, scene)
    after = as_whole(state.count, "the number of variants", 1, MAX_VARIANTS) - picked.number
    return [
        *draw_variants(backend, state, scene, 1, picked.number - 1), picked,
        *draw_variants(backend, state, scene, picked.number + 1, after),
    ]  # fmt: skip


def answers_of(
    backend: Backend, state: AugmentState, scene: Scene, variants: Sequence[Variant]
) -> list[VariantPrediction]:
    """What the detector says on all variants; of the one shown large that is known."""
    number = picked_number(state)
    others = [variant for variant in variants if variant.number != number]
    file = backend.checkpoint_file(state.checkpoint)
    answers = robustness(file, others) if others else []
    answers.insert(number - 1, picked_answer(backend, state, scene))
    return answers


def as_whole(value: Any, what: str, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``.

    Raises:
        UserError: if it is not one.
    """
    # NaN is not within any range, and infinity is not below any limit.
    if not isinstance(value, (int, float)) or not least <= value <= most or value != int(value):
        raise UserError(f"{what} must be a whole number from {least} to {most}.")
    return int(value)


def picked_number(state: AugmentState) -> int:
    """The variant that is shown large, 1 if there is none of that number."""
    count = as_whole(state.count, "the number of variants", 1, MAX_VARIANTS)
    text = str(state.picked)
    return int(text) if text.isdecimal() and 1 <= int(text) <= count else 1


@dataclass(frozen=True)
class Pair:
    """What is shown of one variant: the picture after, one sentence, its steps."""

    after: Markup
    said: Markup
    steps: Markup


def show_pair(backend: Backend, state: AugmentState) -> Pair:
    """The variant that is picked, and nothing of the others."""
    scene = scene_of(backend, state)
    variant = picked_variant(backend, state, scene)
    answer = picked_answer(backend, state, scene)
    words = sentence(variant, answer, scene.class_name)
    return Pair(
        after_figure(variant, scene, state.count),
        Markup('<p class="live">{}</p>').format(words),
        steps_strip(backend, state, variant, scene),
    )


def after_figure(variant: Variant, scene: Scene, count: Any) -> Markup:
    """The picture after, its box solid, and a ghost of the old box carried along."""
    step = variant.picture
    ghost = markup.DrawnBox(ghost_box(variant.trace, step), "ghost")
    boxes = [ghost, *_others(step, scene), _target(step, scene, scene.class_name or "object")]
    alt = f"Variant {variant.number}: {caption(variant.trace)}"
    thin = "Thin line: the box if nothing had been done."
    words = f"After: variant {variant.number} of {count:g}. {thin}"
    return markup.figure(_photo(step), step_size(step), boxes, alt, caption=words)


def _target(step: Step, scene: Scene, label: str = "") -> markup.DrawnBox:
    return markup.DrawnBox(step.bbox_xyxy.tolist(), "target", scene.class_name, label)


def _others(step: Step, scene: Scene) -> list[markup.DrawnBox]:
    return [
        markup.DrawnBox(box, "object", other["class_name"])
        for box, other in zip(step.others.tolist(), scene.boxes[1:], strict=True)
    ]


def steps_strip(backend: Backend, state: AugmentState, variant: Variant, scene: Scene) -> Markup:
    """The pipeline of one variant, picture by picture."""
    info = backend.detector(state.checkpoint).info
    tiles = []
    for words, step in zip(step_captions(variant.trace), variant.trace.steps, strict=True):
        picture, boxes = _picture(step, info.mean, info.std), [_target(step, scene)]
        if step.name == "rotation" and step.params["angle"]:
            boxes = [
                markup.DrawnBox(variant.health.hull_xyxy, "hull"),
                markup.DrawnBox(variant.health.ellipse_xyxy, "ellipse", scene.class_name),
            ]
        name = STEP_NAMES.get(step.name, step.name)
        small = _at_most(picture, STEP_SIDE)
        inner = markup.figure(small, picture.size, boxes, f"after {name}: {words}")
        tiles.append(
            markup.render("step.html", name=name, step=step.name, inner=inner,
                          words=words or "nothing done", visible=f"{step.visible:.0%}")
        )  # fmt: skip
    return markup.grid(tiles, "steps")


def _photo(step: Step) -> Image.Image:
    """The picture of a step before ``network``."""
    assert isinstance(step.image, Image.Image)
    return step.image


def _picture(step: Step, mean: Sequence[float], std: Sequence[float]) -> Image.Image:
    """The picture of a step; what the network gets is made visible by undoing the normalisation."""
    return unnormalised(step.image, mean, std) if isinstance(step.image, Tensor) else step.image


def _at_most(image: Image.Image, side: int) -> Image.Image:
    """A copy whose longer side has so many pixels at most."""
    small = image.copy()
    small.thumbnail((side, side))
    return small


def show_extremes(backend: Backend, state: AugmentState, scene: Scene) -> Markup:
    """Every setting alone at its extremes, independent of chance."""
    info = backend.detector(state.checkpoint).info
    row = extremes(
        state.config, scene.loaded.image, scene.working_boxes[0], info.image_size,
        mean=info.mean, std=info.std,
    )  # fmt: skip
    if not row:
        return markup.note("Nothing is switched on, so there are no extremes.")
    return markup.grid([_extreme_tile(extreme, scene) for extreme in row], "extremes")


def _extreme_tile(extreme: Extreme, scene: Scene) -> Markup:
    step = extreme.picture
    alt = f"{extreme.caption} alone: {extreme.health.visible:.0%} of the box visible"
    small = _at_most(_photo(step), EXTREME_SIDE)
    inner = markup.figure(small, step_size(step), [_target(step, scene)], alt)
    fate = _health_words(extreme) if extreme.kept else "box lost: training draws again"
    kind = health_kind(extreme) if extreme.kept else "bad"
    return markup.render("extreme.html", inner=inner, caption=extreme.caption, fate=fate, kind=kind)


def health_kind(variant: Variant) -> str:
    """``good``, ``fair`` or ``bad``, by what became of the box."""
    health = variant.health
    if health.gave_up or health.visible < BAD_VISIBLE or health.hull_ellipse_iou < LOOSE:
        return "bad"
    return "fair" if health.visible < FAIR_VISIBLE or health.redraws else "good"


def _health_words(variant: Variant) -> str:
    health = variant.health
    parts = [f"{health.visible:.0%} visible"]
    if abs(health.growth) >= 0.005:
        parts.append(f"box {health.growth:+.0%}")
    if health.gave_up:
        parts.append("lost, geometry left out")
    elif health.redraws:
        parts.append(f"drawn again {health.redraws}x")
    return ", ".join(parts)


def variants_grid(
    variants: Sequence[Variant],
    scene: Scene,
    picked: int,
    answers: Sequence[VariantPrediction] = (),
) -> Markup:
    """All variants with their boxes, to choose from; with the detector's IoU once it is known."""
    tiles = []
    for i, variant in enumerate(variants):
        step, words = variant.picture, caption(variant.trace)
        boxes = [*_others(step, scene), _target(step, scene)]
        inner = markup.figure(
            _photo(step), step_size(step), boxes, f"variant {variant.number}: {words}"
        )
        below = markup.render(
            "variant.html", number=variant.number, words=words, health=_health_words(variant),
            iou=f"{answers[i].iou:.2f}" if answers else "",
        )  # fmt: skip
        tiles.append(
            markup.figure_tile(
                str(variant.number), inner, below, variant.number == picked, health_kind(variant)
            )
        )
    return markup.grid(tiles, "variants")


def show_advice(state: AugmentState, variants: Sequence[Variant]) -> Markup:
    """What is to be said about the settings; empty if nothing is."""
    return markup.join(markup.note(text, "warning") for text in advice(state.config, variants))


def robustness_chart(
    variants: Sequence[Variant], answers: Sequence[VariantPrediction], scene: Scene
) -> Markup:
    """Class, score and IoU of every variant."""
    expected = scene.class_name or answers[0].class_name
    rows = [
        {
            "number": variant.number, "chip": markup.chip(answer.class_name),
            "score": markup.bar(answer.score, "score", f"{answer.score:.0%}", answer.class_name),
            "iou": markup.bar(answer.iou, "IoU", f"{answer.iou:.2f}"),
        }
        for variant, answer in zip(variants, answers, strict=True)
    ]  # fmt: skip
    return markup.render(
        "robustness.html", chip=markup.chip(expected), rows=rows,
        right=sum(answer.class_name == expected for answer in answers),
        median=f"{statistics.median(answer.iou for answer in answers):.2f}",
    )  # fmt: skip


def surprise(generator: random.Random | None = None) -> dict[str, Any]:
    """A seed and settings from the lively part of their ranges."""
    generator = generator or random.Random()
    return {
        "seed": generator.randint(0, 9999),
        "flip_probability": 0.5,
        "rotation_degrees": float(generator.randint(5, 40)),
        "zoom": round(generator.uniform(1.1, 2), 2),
        "brightness": round(generator.uniform(0.1, 0.6), 2),
        "contrast": round(generator.uniform(0, 0.6), 2),
        "saturation": round(generator.uniform(0, 0.8), 2),
        "hue": round(generator.choice([0, 0, generator.uniform(0, 0.3)]), 2),
        "box_rule": generator.choice(["hull", "ellipse"]),
        "min_visible": round(generator.uniform(0.3, 0.8), 2),
    }


def code_of(backend: Backend, state: AugmentState) -> str:
    """The pipeline as a stand-alone script, normalised as the checkpoint is."""
    info = backend.detector(state.checkpoint).info
    return to_code(state.config, info.image_size, info.mean, info.std)


def take_json(state: AugmentState) -> str:
    """``augment.json`` for ``train.py --augment``."""
    return take_away("augment.json", state.config.to_json() + "\n")


def take_zip(backend: Backend, state: AugmentState) -> str:
    """The variants, and their boxes as CSV, YOLO, COCO and VOC annotations."""
    scene = scene_of(backend, state)
    variants = draw_variants(backend, state, scene)
    packed = pack_variants(variants, state.config, scene.class_name)
    return take_away(f"{scene.photo.path.stem}_variants.zip", packed)


def take_animation(backend: Backend, state: AugmentState) -> str:
    """The box under rotation, as an animated WebP."""
    scene = scene_of(backend, state)
    shown = backend.load(scene.photo, EDITOR_SIDE)
    scale = [s / f for s, f in zip(shown.image.size, shown.original_size, strict=True)] * 2
    box = [v * s for v, s in zip(scene.boxes[0]["bbox_xyxy"], scale, strict=True)]
    packed = rotation_animation(shown.image, box, state.config)
    return take_away(f"{scene.photo.path.stem}_rotation.webp", packed)
