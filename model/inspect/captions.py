"""What puts a variant beside its original: captions, one sentence, and the ghost of the old box.

>>> caption(variant.trace)
'mirrored, +12°, zoom 0.9, darker 20 %'
>>> sentence(variant, answer, "cat")
'Mirrored, turned 12 degrees: box 31 % larger, 92 % still visible, the detector still says cat,
IoU 0.88.'
"""

from collections.abc import Iterator

from model.augment import Trace, TracedStep
from model.boxes import FITS_IOU
from model.inspect.robustness import VariantPrediction
from model.inspect.variants import Variant


def caption(trace: Trace) -> str:
    """What was done to the photo, in the order it was done; ``"unchanged"`` if nothing."""
    return ", ".join(w for step in trace.steps if step.step for w in step.words) or "unchanged"


def sentence(
    variant: Variant,
    answer: VariantPrediction | None = None,
    class_name: str = "",
    threshold: float = 0.0,
) -> str:
    """What was done, what became of the box, and whether the detector still sees the object.

    Args:
        variant: a draw, or an extreme.
        answer: of :func:`model.inspect.robustness.predict_variants`; ``None`` leaves it out.
        class_name: what the object is; empty if nobody knows.
        threshold: from which score on the detector is sure.
    """
    done = ", ".join(w for step in variant.trace.steps for w in step.spoken) or "unchanged"
    became = [*_box_words(variant), *_detector_words(answer, class_name, threshold)]
    return f"{done[0].upper()}{done[1:]}: {', '.join(became)}."


def ghost_box(trace: Trace, step: TracedStep) -> tuple[float, float, float, float]:
    """Where the old box would lie if nothing had been done to it, in pixels of ``step``'s picture.

    That is the original box, only scaled to the size of that picture.
    """
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
    answer: VariantPrediction | None, class_name: str, threshold: float
) -> Iterator[str]:
    if answer is None:
        return
    said = answer.verdict(threshold)
    still = "still " if answer.iou >= FITS_IOU else ""
    still = {"": "", answer.class_name: still}.get(class_name, "now ")
    yield f"the detector {still if said.kind == 'sure' else ''}{said.clause}"
    if said.kind != "none":
        yield f"IoU {answer.iou:.2f}{'' if answer.iou >= FITS_IOU else ', another place'}"
