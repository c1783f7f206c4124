"""HTML of the Augment tab: before and after, steps, extremes, variants and predictions."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from markupsafe import Markup
from PIL import Image

from demo.views import markup
from demo.views.augment.scene import EDITOR_SIDE, Scene
from demo.views.augment.state import FIELDS
from demo.views.augment.variants import picked_answer, picked_variant
from demo.web_files import render, unbroken
from model.augment import AugmentConfig, TracedStep
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.inspect.captions import caption, ghost_box, sentence
from model.inspect.robustness import VariantPrediction
from model.inspect.variants import Extreme, Variant, advice, extremes
from model.words import percent, unknown_class_note

# Pixels of pictures in a strip or grid, enough for enlarging them in the page.
TILE_SIDE = 320
ABOUT_B = markup.note(
    "B is what the settings say now: steps, limits, variants and downloads are B's. Of A there are"
    " its picture and sentence above, and the detector's answers below; Swap A, B shows the rest."
)
SHAPE = "Shape: width and height are zoomed apart; the network gets a square."
SHAPE_SEEN = 0.08  # relative change of the aspect ratio that is mentioned
ALIKE = 1e-3  # least drop of the IoU of hull and ellipse for both to be drawn
# Limits of the health of a box: "bad", and then "fair".
BAD_VISIBLE, FAIR_VISIBLE, LOOSE, FAIR_GROWTH = 0.6, 0.9, 0.5, 0.25


@dataclass(frozen=True)
class Pair:
    """One variant as HTML: the picture after, a sentence, its steps.

    ``pinned`` is the picture with the settings A, if there are any; the sentence is then on both.
    """

    after: Markup
    sentence: Markup
    steps: Markup
    pinned: Markup


def show_pair(scene: Scene, side: int = EDITOR_SIDE) -> Pair:
    """The picked variant; the longer side of its pictures has at most ``side`` pixels."""
    variant = picked_variant(scene)
    words, other = _sentence(scene, variant), scene.pinned
    if other is None:
        line = Markup('<p class="live">{}</p>').format(words)
        steps = steps_strip(variant, scene, min(side, TILE_SIDE))
        return Pair(after_figure(variant, scene, side), line, steps, Markup())
    # The same draw of both, so that they can be compared.
    other = replace(other, state=replace(other.state, picked=str(variant.number)))
    before = picked_variant(other)
    lines = Markup('<p class="live"><b>A</b> {}</p><p class="live"><b>B</b> {}</p>')
    return Pair(
        after_figure(variant, scene, side),
        lines.format(_sentence(other, before), words),
        ABOUT_B
        + Markup('<p class="plain-legend">{}</p>').format(_difference(other, scene))
        + steps_strip(variant, scene, min(side, TILE_SIDE)),
        after_figure(before, other, side),
    )


def _difference(a: Scene, b: Scene) -> str:
    """A sentence on the settings of A that differ from those of B."""
    of_a, of_b = (
        {n: v if isinstance(v, str) else f"{v:g}" for n, v in vars(scene.state.config).items()}
        for scene in (a, b)
    )
    words = [
        f"{FIELDS[name].metadata['label']} {value} (B: {of_b[name]})"
        for name, value in of_a.items()
        if value != of_b[name]
    ]
    return (
        f"A has {', '.join(words)}; everything else is as in B."
        if words
        else "A and B are the same."
    )


def _sentence(scene: Scene, variant: Variant) -> str:
    answer = picked_answer(scene, variant)
    # After an unsure detection "still says" would make no sense.
    class_name = "" if scene.is_guess else scene.class_name
    return unbroken(sentence(variant, answer, class_name, scene.threshold))


def after_figure(variant: Variant, scene: Scene, side: int = EDITOR_SIDE) -> Markup:
    """The picture after, with the moved boxes and a thin line: the box without augmentation."""
    step = variant.picture
    ghost = markup.DrawnBox(ghost_box(variant.trace, step), "ghost")
    boxes = [ghost, *_others(step, scene), _target(step, scene, _label(scene))]
    alt = f"Variant {variant.number}: {caption(variant.trace)}"
    count = scene.state.count
    among = f"of {count:g}" if variant.number <= count else f"beyond the {count:g} below"
    parts = [
        f"After: variant {variant.number} {among}.",
        "Thin line: the box before augmentation.",
    ]
    if _has_another_shape(variant):
        parts.append(SHAPE)
    return _figure(step.image, boxes, alt, side, " ".join(parts))


def _has_another_shape(variant: Variant) -> bool:
    """Whether the aspect ratio of the picture differs visibly from that of the photo."""
    width, height = variant.picture.image.size
    old_width, old_height = variant.trace.steps[0].image.size
    return abs(width * old_height / (height * old_width) - 1) > SHAPE_SEEN


def _label(scene: Scene) -> str:
    return f"{scene.class_name or 'object'}{'?' if scene.is_guess else ''}"


def _target(step: TracedStep, scene: Scene, label: str = "") -> markup.DrawnBox:
    return markup.DrawnBox(step.bbox_xyxy.tolist(), "target", scene.class_name, label)


def _others(step: TracedStep, scene: Scene) -> list[markup.DrawnBox]:
    """The other boxes that are visible enough to be labelled, as in training and in the ZIP."""
    moved = zip(step.others.tolist(), step.others_visible.tolist(), scene.boxes[1:], strict=True)
    return [
        markup.DrawnBox(box, "object", other["class_name"])
        for box, share, other in moved
        if share >= MIN_VISIBLE_TO_LABEL
    ]


def steps_strip(variant: Variant, scene: Scene, side: int = TILE_SIDE) -> Markup:
    """The steps of one variant, a picture each, and a line on the steps that are off."""
    config, tiles, agreed, has_both = scene.state.config, [], 1.0, False
    shares = [round(step.visible, 2) for step in variant.trace.steps]
    returns = any(later > earlier for earlier, later in pairwise(shares))
    for step in variant.trace.steps:
        boxes = [_target(step, scene)]
        if step.hull_ellipse_iou < agreed - ALIKE:  # this step made the box uncertain
            boxes = [
                markup.DrawnBox(step.hull_xyxy, "hull"),
                markup.DrawnBox(step.ellipse_xyxy, "ellipse", scene.class_name),
            ]
            has_both = True
        agreed = step.hull_ellipse_iou
        words = ", ".join(step.words)
        inner = _figure(step.image, boxes, f"after {step.title}: {words}", side)
        tiles.append(
            render("step.html", name=step.title, step=step.name, inner=inner,
                          words=words or "nothing done", visible=percent(step.visible, 0))
        )  # fmt: skip
    off = ", ".join(step.title for step in config.steps if not step.is_on(config))
    rule = config.box_rule if has_both else ""
    return markup.grid(tiles, "steps") + render(
        "steps_off.html", names=off, rule=rule, returns=returns
    )


def _figure(
    image: Image.Image, boxes: Sequence[markup.DrawnBox], alt: str, side: int = TILE_SIDE,
    caption: str = "",
) -> Markup:  # fmt: skip
    """A picture with boxes in its pixels, sent as a copy whose longer side has at most ``side``."""
    small = image.copy()
    small.thumbnail((side, side))
    return markup.figure(small, image.size, boxes, alt, caption=caption)


def show_extremes(scene: Scene) -> Markup:
    """Each setting alone at its limits, independent of chance."""
    row = _extremes(scene)
    if not row:
        return markup.note("Nothing is switched on, so there are no limits to show.")
    return markup.grid([_extreme_tile(extreme, scene) for extreme in row], "extremes")


def _extremes(scene: Scene) -> list[Extreme]:
    info, photo = scene.inspection.detector.info, scene.inspection.working_copy.image
    config, box = scene.state.config, scene.working_boxes[0]
    return extremes(config, photo, box, info.image_size, mean=info.mean, std=info.std)


def show_alone(scene: Scene, setting: str) -> Markup:
    """The effect of one setting alone at its value: the pictures at both ends, shown in turn."""
    config = scene.state.config
    rules = {"box_rule": config.box_rule, "min_visible": config.min_visible}
    value = getattr(config, setting)
    alone = {**vars(AugmentConfig.none()), **rules, setting: value}
    row = _extremes(scene.with_settings(AugmentConfig.from_dict(alone)))
    label = FIELDS[setting].metadata["label"]
    shown = [
        (each.picture.image, _target(each.picture, scene, _label(scene)), f": {each.caption}")
        for each in (row[:1] + row[-1:] if len(row) > 1 else row)
    ]
    if not shown:
        box = markup.DrawnBox(scene.working_boxes[0], "target", scene.class_name)
        photo = scene.inspection.working_copy.image
        shown = [(photo, box, f" at {value:g}: nothing is done")]
    figures = []
    for image, box, done in shown:
        words = f"{label} alone{done}"
        figures.append(markup.figure(image, image.size, [box], words, caption=words))
    return Markup('<div class="alone" data-setting="{}">{}</div>').format(
        setting, markup.join(figures)
    )


def _extreme_tile(extreme: Extreme, scene: Scene) -> Markup:
    step = extreme.picture
    alt = f"{extreme.caption} alone: {percent(extreme.canvas.visible, 0)} of the box visible"
    inner = _figure(step.image, [_target(step, scene)], alt)
    fate = _health_words(extreme) if extreme.kept else "box lost: training draws again"
    kind = health_kind(extreme) if extreme.kept else "bad"
    return render("extreme.html", inner=inner, caption=extreme.caption, fate=fate, kind=kind)


def health_kind(variant: Variant) -> str:
    """``good``, ``fair`` or ``bad``, by what happened to the box."""
    trace, box = variant.trace, variant.canvas
    if trace.gave_up or box.visible < BAD_VISIBLE or box.hull_ellipse_iou < LOOSE:
        return "bad"
    is_less = box.visible < FAIR_VISIBLE or box.growth >= FAIR_GROWTH
    return "fair" if is_less or trace.redraws else "good"


def _health_words(variant: Variant) -> str:
    trace, box = variant.trace, variant.canvas
    parts = [] if box.visible > 0.995 else [f"{percent(box.visible, 0)} visible"]
    if abs(box.growth) >= 0.005:
        parts.append(f"box {percent(box.growth, 0, signed=True)}")
    if trace.gave_up:
        parts.append("lost, nothing moved")
    elif trace.redraws:
        parts.append(f"drawn again {trace.redraws}x")
    return ", ".join(parts) or "whole"


def variants_grid(
    variants: Sequence[Variant], scene: Scene, picked: int,
    answers: Sequence[VariantPrediction] = (),
) -> Markup:  # fmt: skip
    """Tiles of all variants with their boxes, and with the predictions on them once known."""
    tiles = []
    for i, variant in enumerate(variants):
        step, words = variant.picture, caption(variant.trace)
        boxes = [*_others(step, scene), _target(step, scene)]
        inner = _figure(step.image, boxes, f"variant {variant.number}: {words}")
        below = render(
            "variant.html", number=variant.number, words=words, health=_health_words(variant),
            kind=health_kind(variant), answer=_answer(answers[i], scene) if answers else None,
        )  # fmt: skip
        pressed = variant.number == picked
        tiles.append(markup.figure_tile(str(variant.number), inner, below, pressed))
    return markup.grid(tiles, "variants")


def show_advice(config: AugmentConfig, variants: Sequence[Variant]) -> Markup:
    """Warnings about the settings; empty if there are none."""
    return markup.join(markup.note(text, "warning") for text in advice(config, variants))


SYMBOLS = {"agrees": "\N{CHECK MARK}", "unsure": "", "disagrees": "\N{BALLOT X}"}


def _answer(answer: VariantPrediction, scene: Scene) -> dict[str, str]:
    """Values of the mark of a prediction for the templates."""
    agreement = answer.agreement(scene.threshold, scene.class_name)
    verdict = answer.verdict(scene.threshold)
    return {
        "agreement": agreement, "symbol": SYMBOLS[agreement], "brief": verdict.brief,
        "iou": f"{answer.iou:.2f}", "score": percent(answer.score, 0),
        "title": f"{verdict.text}, {percent(answer.score, 0)};"
        f" IoU {answer.iou:.2f} with the moved box",
    }  # fmt: skip


def show_answers(
    variants: Sequence[Variant], answers: Sequence[VariantPrediction], scene: Scene, name: str = ""
) -> Markup:
    """Whether the detector finds the object in each variant: a sentence and a row of marks.

    ``name`` is ``A`` or ``B`` if there are two rows.
    """
    expected = scene.class_name or answers[0].class_name
    found = [answer.agreement(scene.threshold, expected) for answer in answers]
    rows = [
        {"number": variant.number, **_answer(answer, scene)}
        for variant, answer in zip(variants, answers, strict=True)
    ]
    unknown = unknown_class_note(scene.class_name, scene.inspection.detector.class_names)
    return render(
        "answers.html", name=name, unknown=unknown, chip=markup.chip(expected), rows=rows,
        total=len(answers),
        agree=found.count("agrees"), unsure=found.count("unsure"),
        disagree=found.count("disagrees"), threshold=percent(scene.threshold, 0),
        median=f"{statistics.median(answer.iou for answer in answers):.2f}",
    )  # fmt: skip
