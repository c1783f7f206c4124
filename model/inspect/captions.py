"""What puts a variant beside its original: captions, one sentence, and the ghost of the old box.

>>> caption(variant.trace)
'mirrored, +12°, zoom 0.9, darker 20 %'
>>> sentence(variant, answer, "cat")
'Mirrored, turned 12 degrees: box 31 % larger, 92 % still visible, the detector still says cat,
IoU 0.88.'
"""

from collections.abc import Iterator

from torch import Tensor

from model.augment import Step, Trace
from model.inspect.robustness import VariantPrediction
from model.inspect.variants import Variant


def caption(trace: Trace) -> str:
    """What was done to the photo, in the order it was done; ``"unchanged"`` if nothing."""
    return ", ".join(_done(trace)) or "unchanged"


def step_captions(trace: Trace) -> list[str]:
    """One caption for each step of ``trace``; empty where the step did nothing."""
    sizes = [step_size(step) for step in trace.steps]
    before = [sizes[0], *sizes[:-1]]
    return [", ".join(_words(step, size)) for step, size in zip(trace.steps, before, strict=True)]


def sentence(
    variant: Variant, answer: VariantPrediction | None = None, class_name: str = ""
) -> str:
    """What was done, what became of the box, and whether the detector still sees the object.

    Args:
        variant: a draw, or an extreme.
        answer: of :func:`model.inspect.robustness.predict_variants`; ``None`` leaves it out.
        class_name: what the object is; empty if nobody knows.
    """
    done = caption(variant.trace)
    if angle := variant.step("rotation").params["angle"]:
        done = done.replace(_degrees(angle), f"turned {_degrees(abs(angle))[1:-1]} degrees")
    became = [*_box_words(variant), *_detector_words(answer, class_name)]
    return f"{done[0].upper()}{done[1:]}: {', '.join(became)}."


def ghost_box(trace: Trace, step: Step) -> tuple[float, float, float, float]:
    """Where the old box would lie if nothing had been done to it, in pixels of ``step``'s picture.

    That is the original box, only scaled to the size of that picture.
    """
    original = trace.steps[0]
    old_width, old_height = step_size(original)
    width, height = step_size(step)
    x1, y1, x2, y2 = original.bbox_xyxy.tolist()
    across, down = width / old_width, height / old_height
    return x1 * across, y1 * down, x2 * across, y2 * down


def step_size(step: Step) -> tuple[int, int]:
    """``(width, height)`` of a step's picture, in pixels."""
    if isinstance(step.image, Tensor):
        return step.image.shape[-1], step.image.shape[-2]
    return step.image.size


def _done(trace: Trace) -> Iterator[str]:
    for words, step in zip(step_captions(trace), trace.steps, strict=True):
        if words and step.name in ("flip", "rotation", "zoom", "jitter"):
            yield words


def _words(step: Step, size_before: tuple[int, int]) -> Iterator[str]:
    params = step.params
    if step.name == "flip" and params["flipped"]:
        yield "mirrored"
    elif step.name == "rotation" and params["angle"]:
        yield _degrees(params["angle"])
    elif step.name == "zoom":
        yield from _zoom_words(size_before, (params["width"], params["height"]))
    elif step.name == "jitter":
        yield from _colour_words(params)
    elif step.name == "resize":
        yield f"resized to {step.photo.width} x {step.photo.height}"
    elif step.name == "original":
        yield "original"
    elif step.name == "network":
        yield "normalised"


def _degrees(angle: float) -> str:
    return f"{angle:+.0f}°" if abs(angle) >= 1 else f"{angle:+.2g}°"


def _zoom_words(size: tuple[int, int], window: tuple[int, int]) -> Iterator[str]:
    if window == size:
        return
    across, down = size[0] / window[0], size[1] / window[1]
    wide, high = f"{across:.2g}", f"{down:.2g}"
    alike = wide == high or abs(across / down - 1) < 0.03
    yield f"zoom {wide}" if alike else f"zoom {wide} wide, {high} high"


def _colour_words(params: dict) -> Iterator[str]:
    opposites = {
        "brightness": ("darker", "brighter"),
        "contrast": ("less contrast", "more contrast"),
        "saturation": ("greyer", "more colour"),
    }
    for name, (less, more) in opposites.items():
        factor = params[f"{name}_factor"]
        change = 0 if factor is None else round(100 * (factor - 1))
        if change:
            yield f"{less if change < 0 else more} {abs(change)} %"
    hue = params["hue_factor"]
    if hue is not None and round(hue, 2):
        yield f"hue {hue:+.2g}"


def _box_words(variant: Variant) -> Iterator[str]:
    health = variant.health
    if health.gave_up:
        yield "the box was lost in every try, so the photo was neither mirrored, turned nor zoomed"
    elif health.redraws:
        yield f"drawn again {'once' if health.redraws == 1 else f'{health.redraws} times'}"
    growth = round(100 * health.growth)
    if growth:
        yield f"box {abs(growth)} % {'larger' if growth > 0 else 'smaller'}"
    visible = round(100 * health.visible)
    yield "all of it still visible" if visible == 100 else f"{visible} % still visible"


def _detector_words(answer: VariantPrediction | None, class_name: str) -> Iterator[str]:
    if answer is None:
        return
    still = {"": "", answer.class_name: "still "}.get(class_name, "now ")
    yield f"the detector {still}says {answer.class_name}"
    yield f"IoU {answer.iou:.2f}"
