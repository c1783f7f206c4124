"""Before and after, steps, extremes, variants and robustness, as the page shows them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from PIL import Image

from demo.views import markup
from demo.views.augment.scene import Scene
from demo.views.augment.variants import picked_answer, picked_variant
from model.augment import AugmentConfig, TracedStep
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.inspect.captions import caption, ghost_box, sentence
from model.inspect.extremes import Extreme, extremes
from model.inspect.robustness import VariantPrediction
from model.inspect.variants import Variant, advice

# Pixels of pictures in a strip or grid: up to twice what they take up, for fine screens.
STEP_SIDE, EXTREME_SIDE = 160, 240
ALIKE = 1e-3  # how much less the two estimates of a box may overlap and count as one
# Of health: below the first a box is in danger, below the second it is worth a look.
BAD_VISIBLE, FAIR_VISIBLE, LOOSE = 0.6, 0.9, 0.5


@dataclass(frozen=True)
class Pair:
    """What is shown of one variant: the picture after, one sentence, its steps."""

    after: Markup
    sentence: Markup
    steps: Markup


def show_pair(scene: Scene) -> Pair:
    """The variant that is picked, and nothing of the others."""
    variant = picked_variant(scene)
    words = sentence(variant, picked_answer(scene, variant), scene.class_name)
    return Pair(
        after_figure(variant, scene),
        Markup('<p class="live">{}</p>').format(words),
        steps_strip(variant, scene),
    )


def after_figure(variant: Variant, scene: Scene) -> Markup:
    """The picture after, its box solid, and a ghost of the old box carried along."""
    step = variant.picture
    ghost = markup.DrawnBox(ghost_box(variant.trace, step), "ghost")
    boxes = [ghost, *_others(step, scene), _target(step, scene, scene.class_name or "object")]
    alt = f"Variant {variant.number}: {caption(variant.trace)}"
    thin = "Thin line: the box if nothing had been done."
    words = f"After: variant {variant.number} of {scene.state.count:g}. {thin}"
    return markup.figure(step.image, step.image.size, boxes, alt, caption=words)


def _target(step: TracedStep, scene: Scene, label: str = "") -> markup.DrawnBox:
    return markup.DrawnBox(step.bbox_xyxy.tolist(), "target", scene.class_name, label)


def _others(step: TracedStep, scene: Scene) -> list[markup.DrawnBox]:
    """Those that are labelled, here as in training and in the ZIP."""
    moved = zip(step.others.tolist(), step.others_visible.tolist(), scene.boxes[1:], strict=True)
    return [
        markup.DrawnBox(box, "object", other["class_name"])
        for box, share, other in moved
        if share >= MIN_VISIBLE_TO_LABEL
    ]


def steps_strip(variant: Variant, scene: Scene) -> Markup:
    """The pipeline of one variant, picture by picture; what is off is a line."""
    config, tiles, agreed = scene.state.config, [], 1.0
    for step in variant.trace.steps:
        boxes = [_target(step, scene)]
        if step.hull_ellipse_iou < agreed - ALIKE:  # it is this step that made the box uncertain
            boxes = [
                markup.DrawnBox(step.hull_xyxy, "hull"),
                markup.DrawnBox(step.ellipse_xyxy, "ellipse", scene.class_name),
            ]
        agreed = step.hull_ellipse_iou
        words = ", ".join(step.words)
        small = _at_most(step.image, STEP_SIDE)
        inner = markup.figure(small, step.image.size, boxes, f"after {step.title}: {words}")
        tiles.append(
            markup.render("step.html", name=step.title, step=step.name, inner=inner,
                          words=words or "nothing done", visible=f"{step.visible:.0%}")
        )  # fmt: skip
    off = ", ".join(step.title for step in config.steps if not step.is_on(config))
    return markup.grid(tiles, "steps") + markup.render("steps_off.html", names=off)


def _at_most(image: Image.Image, side: int) -> Image.Image:
    """A copy whose longer side has so many pixels at most."""
    small = image.copy()
    small.thumbnail((side, side))
    return small


def show_extremes(scene: Scene) -> Markup:
    """Every setting alone at its extremes, independent of chance."""
    info, photo = scene.opened.detector.info, scene.opened.working_copy.image
    row = extremes(
        scene.state.config, photo, scene.working_boxes[0], info.image_size,
        mean=info.mean, std=info.std,
    )  # fmt: skip
    if not row:
        return markup.note("Nothing is switched on, so there are no limits to show.")
    return markup.grid([_extreme_tile(extreme, scene) for extreme in row], "extremes")


def _extreme_tile(extreme: Extreme, scene: Scene) -> Markup:
    step = extreme.picture
    alt = f"{extreme.caption} alone: {extreme.health.visible:.0%} of the box visible"
    small = _at_most(step.image, EXTREME_SIDE)
    inner = markup.figure(small, step.image.size, [_target(step, scene)], alt)
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
        parts.append("lost, nothing moved")
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
            step.image, step.image.size, boxes, f"variant {variant.number}: {words}"
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


def show_advice(config: AugmentConfig, variants: Sequence[Variant]) -> Markup:
    """What is to be said about the settings; empty if nothing is."""
    return markup.join(markup.note(text, "warning") for text in advice(config, variants))


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
