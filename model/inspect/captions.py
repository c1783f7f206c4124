"""Variants compared with their original: captions, a sentence, and the original box.

>>> caption(variant.trace)
'mirrored, +12°, zoom 0.9, darker 20 %'
>>> sentence(variant, prediction, "cat")
'Mirrored, turned 12 degrees: box 31 % larger, 92 % still visible, the detector still says cat,
IoU 0.88.'
"""

from collections.abc import Iterator

from model.augment import Trace, TracedStep
from model.boxes import MATCH_IOU
from model.inspect.robustness import VariantPrediction
from model.inspect.variants import Variant


def caption(trace: Trace) -> str:
    """The changes to the photo in order, in short words; ``"unchanged"`` if there are none."""
    return ", ".join(w for step in trace.steps if step.step for w in step.words) or "unchanged"


def sentence(
    variant: Variant,
    prediction: VariantPrediction | None = None,
    class_name: str = "",
    threshold: float = 0.0,
) -> str:
    """The changes, their effect on the box, and whether the detector still finds the object.

    Args:
        variant: a draw, or an extreme.
        prediction: of :func:`model.inspect.robustness.predict_variants`; ``None`` to leave it out.
        class_name: true class; empty if unknown.
        threshold: least score at which the detector is sure.
    """
    done = ", ".join(w for step in variant.trace.steps for w in step.spoken) or "unchanged"
    effects = [*_box_words(variant), *_detector_words(prediction, class_name, threshold)]
    return f"{done[0].upper()}{done[1:]}: {', '.join(effects)}."


def ghost_box(trace: Trace, step: TracedStep) -> tuple[float, float, float, float]:
    """The original box of the target, scaled to the size of ``step``'s picture."""
    original = trace.steps[0]
    old_width, old_height = original.image.size
    width, height = step.image.size
    x1, y1, x2, y2 = original.bbox_xyxy.tolist()
    across, down = width / old_width, height / old_height
    return x1 * across, y1 * down, x2 * across, y2 * down


def _box_words(variant: Variant) -> Iterator[str]:
    trace, box = variant.trace, variant.canvas
    if trace.gave_up:
        yield "the box was lost in every try, so nothing was moved"
    elif trace.redraws:
        yield f"drawn again {'once' if trace.redraws == 1 else f'{trace.redraws} times'}"
    growth = round(100 * box.growth)
    if growth:
        yield f"box {abs(growth)} % {'larger' if growth > 0 else 'smaller'}"
    visible = round(100 * box.visible)
    yield "all of it still visible" if visible == 100 else f"{visible} % still visible"


def _detector_words(
    prediction: VariantPrediction | None, class_name: str, threshold: float
) -> Iterator[str]:
    if prediction is None:
        return
    verdict, fits = prediction.verdict(threshold), prediction.iou >= MATCH_IOU
    still = "still " if fits else ""
    still = {"": "", prediction.class_name: still}.get(class_name, "now ")
    yield f"the detector {still if verdict.kind == 'sure' else ''}{verdict.clause}"
    if verdict.kind != "none":
        yield f"IoU {prediction.iou:.2f}{'' if fits else ', another place'}"
