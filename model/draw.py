"""Boxes and labels drawn on photos, readable on any background."""

import colorsys
import hashlib
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from model.classes import VOC_CLASSES
from model.errors import UserError

TRUTH_COLOUR = (255, 255, 255)
_GOLDEN_ANGLE = 0.61803398875


def class_colour(class_name: str) -> tuple[int, int, int]:
    """A colour of its own for every class, the same everywhere and always.

    VOC's classes are spread over the hue circle by the golden angle; other names are hashed.
    """
    if class_name in VOC_CLASSES:
        place = VOC_CLASSES.index(class_name)
    else:
        place = int.from_bytes(hashlib.sha256(class_name.encode()).digest()[:2], "big")
    hue = (0.02 + place * _GOLDEN_ANGLE) % 1
    red, green, blue = colorsys.hls_to_rgb(hue, 0.42 + 0.1 * (place % 3 == 1), 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)


def text_colour(background: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever contrasts more (WCAG 2 relative luminance)."""
    linear = [(c / 255) / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4
              for c in background]  # fmt: skip
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


def draw_box(
    image: Image.Image, bbox_xyxy: Sequence[float], colour: tuple[int, int, int], label: str = ""
) -> Image.Image:
    """A copy of ``image`` with one box, and its label on a plate of the same colour.

    Line and letters grow with the picture. A black or white rim, whichever is
    further from the colour, keeps the line visible on any background. The
    plate sits above the box, or inside it where there is no room, and never leaves the picture.

    Args:
        image: a PIL image of any mode.
        bbox_xyxy: four numbers (a list, an array, a tensor), pixels of ``image``; parts outside are
            cut.
        colour: RGB of line and plate.
        label: nothing is written if empty.

    Raises:
        UserError: if the box is not four finite numbers.
    """
    corners = [float(v) for v in bbox_xyxy]
    if len(corners) != 4 or not all(map(math.isfinite, corners)):
        raise UserError(f"a box must be four finite numbers (x1, y1, x2, y2), not {corners}.")
    picture = image.convert("RGB")
    canvas = ImageDraw.Draw(picture)
    line = max(2, round(max(picture.size) / 220))
    x1 = min(max(corners[0], 0), picture.width - 1)
    y1 = min(max(corners[1], 0), picture.height - 1)
    x2 = min(max(corners[2] - 1, x1), picture.width - 1)
    y2 = min(max(corners[3] - 1, y1), picture.height - 1)
    canvas.rectangle((x1, y1, x2, y2), outline=text_colour(colour), width=line + 2)
    canvas.rectangle((x1, y1, x2, y2), outline=colour, width=line)
    if label:
        _draw_label(canvas, picture.size, (x1, y1), colour, label)
    return picture


def _draw_label(
    canvas: ImageDraw.ImageDraw,
    size: tuple[int, int],
    corner: tuple[float, float],
    colour: tuple[int, int, int],
    label: str,
) -> None:
    letters = max(12, round(max(size) / 28))
    font = ImageFont.load_default(letters)
    pad = letters / 4
    left, top, right, bottom = canvas.textbbox((0, 0), label, font=font)
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    x = max(0, min(corner[0], size[0] - width))
    y = corner[1] - height if corner[1] >= height else corner[1]
    canvas.rectangle((x, y, x + width, y + height), fill=colour)
    place = (x + pad - left, y + pad - top)
    canvas.text(place, label, font=font, fill=text_colour(colour))
