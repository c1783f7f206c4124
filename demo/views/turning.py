"""The photo beside the detection, rotating to and fro together with its box."""

import json
import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from demo.views import markup
from demo.web_files import render
from model.augment import AugmentConfig
from model.augment.geometry import clip, move_boxes
from model.augment.normalisation import MEAN_COLOUR
from model.augment.steps.rotation import Rotation

DEGREES = 15.0  # more than in training, so that it is seen at a glance
FRAMES = 24  # of one loop; the browser interpolates between them

Frame = tuple[float, list[float]]
"""Degrees counter-clockwise, and the box in pixels of the photo."""


def frames_of(bbox_xyxy: Sequence[float], size: tuple[int, int]) -> list[Frame]:
    """One loop of a photo of ``(width, height)`` pixels: from upright one way, the other, and back.

    The boxes are those of augmentation with its default box rule, clipped to the photo.
    """
    step = Rotation()
    config = AugmentConfig(**{step.settings[0].name: DEGREES})
    box, sides = np.asarray(bbox_xyxy, dtype=np.float64), np.asarray(size, dtype=np.float64)
    frames = []
    for number in range(FRAMES + 1):
        # Fastest in the middle, like a pendulum.
        params = step.swing(config, math.sin(2 * math.pi * number / FRAMES))
        moved = clip(move_boxes(box, step.matrix(params, size), config.box_rule), sides)
        frames.append((round(params["angle"], 2), [round(v, 1) for v in moved.tolist()]))
    return frames


def turning_photo(box: markup.DrawnBox, size: tuple[int, int]) -> Markup:
    """The rotating photo; turning.js copies the picture from the figure beside it.

    Without a script or with reduced motion it stands still at the largest angle. ``box`` is on the
    upright photo of ``(width, height)`` pixels.
    """
    frames = frames_of(box.bbox_xyxy, size)
    width, height = size
    angle, (x1, y1, x2, y2) = frames[FRAMES // 4]
    still = {"angle": -angle, "x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1}
    return render(
        "turning.html", width=width, height=height, role=box.role, still=still,
        colour=markup.css_colour(box.colour), rim=markup.css_colour(markup.text_colour(box.colour)),
        empty="rgb({}, {}, {})".format(*MEAN_COLOUR), degrees=f"{DEGREES:g}",
        usual=f"{getattr(AugmentConfig(), Rotation().settings[0].name):g}",
        frames=json.dumps(frames, separators=(",", ":")),
    )  # fmt: skip
