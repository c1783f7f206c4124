"""Each setting of the augmentation alone at its limits, independent of chance.

Whoever allows 30 degrees sees 30 degrees, and nothing else done to the photo:

    >>> for extreme in extremes(AugmentConfig(rotation_degrees=30), photo, box, image_size=224):
    ...     print(extreme.caption, extreme.picture.bbox_xyxy, extreme.canvas.visible)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from model.augment import AugmentConfig, Pipeline
from model.inspect.variants import Variant, checked_box


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
    for step in config.steps:
        if not step.is_on(config):
            continue
        for chosen in step.limits(config, photo.size, tuple(box.tolist())):
            trace = pipeline.trace_chosen(photo, box.unsqueeze(0), {step.name: chosen.params})
            number, kept = len(row) + 1, pipeline.keeps(trace)
            row.append(Extreme(number, 0, trace, chosen.setting, chosen.caption, kept))
    return row
