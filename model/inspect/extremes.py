"""Each setting of the augmentation alone at its extremes, independent of chance.

Whoever allows 30 degrees sees 30 degrees, and nothing else done to the photo:

    >>> for extreme in extremes(AugmentConfig(rotation_degrees=30), photo, box, image_size=224):
    ...     print(extreme.caption, extreme.picture.bbox_xyxy, extreme.health.visible)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from model.augment import AugmentConfig, Pipeline
from model.inspect.variants import Variant, box_health, checked_box

_COLOUR_CAPTIONS = {
    "brightness": ("darkest", "brightest"),
    "contrast": ("lowest contrast", "highest contrast"),
    "saturation": ("greyest", "most colour"),
}


@dataclass(frozen=True)
class Extreme(Variant):
    """A variant whose parameters were chosen: one setting at its extreme, all others off.

    Attributes:
        number: place in the row, from 1.
        seed: 0; nothing is drawn.
        setting: field of :class:`model.augment.AugmentConfig`.
        caption: a few words: ``"+30°"``, ``"darkest"``.
        kept: whether training would take it; if not, it draws again (see ``min_visible``).
    """

    setting: str
    caption: str
    kept: bool


def extremes(
    config: AugmentConfig,
    photo: Image.Image,
    bbox_xyxy: Sequence[float],
    image_size: int,
    **normalisation: Sequence[float],
) -> list[Extreme]:
    """Every setting that is on, alone at each of its extremes; ``[]`` if all are off.

    Args:
        config: the settings; those that do nothing yield nothing.
        photo: RGB, as large as the pipeline works on (:func:`model.augment.working_side`).
        bbox_xyxy: the target in pixels of ``photo``.
        image_size: side of the network's canvas.
        normalisation: ``mean`` and ``std`` for :class:`model.augment.Pipeline`.

    Raises:
        UserError: for a box that is empty or outside the photo.
    """
    box = checked_box(bbox_xyxy, photo.size)
    pipeline = Pipeline(config, image_size, **normalisation)
    row = []
    for setting, caption, chosen in _choices(pipeline, photo.size, box):
        trace = pipeline.trace_chosen(photo, box.unsqueeze(0), chosen)
        health = box_health(trace, config.box_rule)
        kept = pipeline.keeps(trace)
        row.append(Extreme(len(row) + 1, 0, trace, health, setting, caption, kept))
    return row


_Choice = tuple[str, str, dict[str, dict[str, Any]]]


def _choices(pipeline: Pipeline, size: tuple[int, int], box: Tensor) -> Iterator[_Choice]:
    config = pipeline.config
    if config.flip_probability > 0:
        yield "flip_probability", "mirrored", {"flip": {"flipped": True}}
    if degrees := float(config.rotation_degrees):
        # Half a turn is the same either way.
        for angle in (-degrees, degrees) if degrees < 180 else (degrees,):
            yield "rotation_degrees", f"{angle:+g}°", {"rotation": {"angle": angle}}
    if config.zoom > 1:
        for share, word in ((1 / config.zoom, "in"), (config.zoom, "out")):
            window = _window(size, box, share)
            yield "zoom", f"zoomed {word} {config.zoom:g}x", {"zoom": window}
    yield from _colour_choices(pipeline)


def _window(size: tuple[int, int], box: Tensor, share: float) -> dict[str, int]:
    """The window of :class:`model.augment.RandomZoom` that shows the object best."""
    width, height = (max(1, round(side * share)) for side in size)
    x1, y1, x2, y2 = box.tolist()
    left = _within(round((x1 + x2 - width) / 2), size[0] - width)
    top = _within(round((y1 + y2 - height) / 2), size[1] - height)
    return {"left": left, "top": top, "width": width, "height": height}


def _within(place: int, room: int) -> int:
    """``place`` moved to where a window may begin: from 0 to ``room``, which may be negative."""
    return min(max(place, min(0, room)), max(0, room))


def _colour_choices(pipeline: Pipeline) -> Iterator[_Choice]:
    for setting, captions in _COLOUR_CAPTIONS.items():
        reach = getattr(pipeline.jitter, setting)  # (low, high), None if the setting is off
        for factor, caption in zip(reach or (), captions, strict=False):
            yield setting, caption, {"jitter": {f"{setting}_factor": factor}}
    for shift in pipeline.jitter.hue or ():
        yield "hue", f"hue {shift:+g}", {"jitter": {"hue_factor": shift}}
