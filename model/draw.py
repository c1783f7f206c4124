"""Boxes and labels drawn on photos, readable on any background."""

import base64
import colorsys
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from model.classes import VOC_CLASSES
from model.errors import UserError

TRUTH_COLOUR = (255, 255, 255)
UNSURE_COLOUR = (212, 212, 216)
_GOLDEN_ANGLE = 0.61803398875


def class_colour(class_name: str) -> tuple[int, int, int]:
    """The colour of a class, which depends only on its name.

    VOC's classes are spread over the hue circle by the golden angle; other names are hashed.
    """
    if class_name in VOC_CLASSES:
        index = VOC_CLASSES.index(class_name)
    else:
        index = int.from_bytes(hashlib.sha256(class_name.encode()).digest()[:2], "big")
    hue = (0.02 + index * _GOLDEN_ANGLE) % 1
    red, green, blue = colorsys.hls_to_rgb(hue, 0.42 + 0.1 * (index % 3 == 1), 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)


def text_colour(background: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever contrasts more (WCAG 2 relative luminance)."""
    shares = [channel / 255 for channel in background]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


@dataclass(frozen=True)
class LabelPlace:
    """Position of a label's plate: its upper left corner in pixels, and its side of the box.

    ``inside`` is at the upper edge of the box.
    """

    x: float
    y: float
    side: Literal["above", "inside", "below"]


def place_labels(
    boxes_xyxy: Sequence[Sequence[float]],
    plates: Sequence[tuple[float, float]],
    picture: tuple[float, float],
    head_room: float = 0.0,
) -> list[LabelPlace | None]:
    """Positions of labels without overlap; ``None`` for a label that finds no room.

    Boxes are served in order. A plate starts at the left side of its box, or further left if the
    picture would cut it off.

    Args:
        boxes_xyxy: ``(N, 4)`` pixels of the picture.
        plates: ``(width, height)`` of each label's plate in pixels; width 0 for no label.
        picture: ``(width, height)`` in pixels.
        head_room: least free space in pixels for a plate above its box.
    """
    taken: list[tuple[float, float, float, float]] = []
    places: list[LabelPlace | None] = []
    for (x1, y1, _, y2), (width, height) in zip(boxes_xyxy, plates, strict=True):
        x = max(0.0, min(x1, picture[0] - width))
        top = max(0.0, min(y1, picture[1] - height))
        sides = [LabelPlace(x, top, "inside")]
        if y1 >= max(height, head_room):
            sides.insert(0, LabelPlace(x, min(y1, picture[1]) - height, "above"))
        if y2 + height <= picture[1]:
            sides.append(LabelPlace(x, max(0.0, y2), "below"))
        free = (place for place in sides if not _is_taken((place.x, place.y, width, height), taken))
        place = next(free, None) if width else None
        if place:
            taken.append((place.x, place.y, width, height))
        places.append(place)
    return places


def _is_taken(
    plate: tuple[float, float, float, float], taken: Sequence[tuple[float, float, float, float]]
) -> bool:
    """Whether a plate ``(x, y, width, height)`` overlaps one in ``taken``."""
    x, y, width, height = plate
    return any(
        x < left + across and left < x + width and y < top + down and top < y + height
        for left, top, across, down in taken
    )


@dataclass(frozen=True)
class LabelledBox:
    """A box to draw: four numbers in pixels, the RGB of its line and plate, and its label.

    Uncertain boxes are ``dashed``.
    """

    bbox_xyxy: Sequence[float]
    colour: tuple[int, int, int]
    label: str = ""
    dashed: bool = False


def draw_box(
    image: Image.Image, bbox_xyxy: Sequence[float], colour: tuple[int, int, int], label: str = ""
) -> Image.Image:
    """:func:`draw_boxes` with one box."""
    return draw_boxes(image, [LabelledBox(bbox_xyxy, colour, label)])


def draw_boxes(image: Image.Image, boxes: Sequence[LabelledBox]) -> Image.Image:
    """A copy of ``image`` with boxes, and the label of each on a plate of the same colour.

    Lines and letters scale with the picture. A black or white rim, whichever contrasts more, keeps
    lines visible on any background. A plate lies above its box, else inside or below, within the
    picture and without overlap; if there is no room for all, larger boxes keep theirs.

    Args:
        boxes: corners (a list, an array, a tensor) in pixels of ``image``; parts outside are cut.
            An empty label has no plate.

    Raises:
        UserError: if a box is not four finite numbers.
    """
    picture = image.convert("RGB")
    canvas = ImageDraw.Draw(picture)
    line = max(2, round(max(picture.size) / 220))
    cut = []
    for box in boxes:
        corners = [float(v) for v in box.bbox_xyxy]
        if len(corners) != 4 or not all(map(math.isfinite, corners)):
            raise UserError(f"a box must be four finite numbers (x1, y1, x2, y2), not {corners}.")
        x1 = min(max(corners[0], 0), picture.width - 1)
        y1 = min(max(corners[1], 0), picture.height - 1)
        x2 = min(max(corners[2] - 1, x1), picture.width - 1)
        y2 = min(max(corners[3] - 1, y1), picture.height - 1)
        for colour, width in ((text_colour(box.colour), line + 2), (box.colour, line)):
            if box.dashed:
                _draw_dashes(canvas, (x1, y1, x2, y2), colour, width, 5 * line)
            else:
                canvas.rectangle((x1, y1, x2, y2), outline=colour, width=width)
        cut.append(((x1, y1, x2, y2), box))
    # Larger boxes first: their labels are placed first.
    cut.sort(key=lambda one: -(one[0][2] - one[0][0]) * (one[0][3] - one[0][1]))
    _draw_labels(canvas, picture.size, cut)
    return picture


def contact_sheet(tiles: Sequence[Image.Image], side: int) -> Image.Image:
    """Pictures in rows of four on white, each centred in a square of ``side`` pixels."""
    columns, rows = max(1, min(4, len(tiles))), max(1, -(-len(tiles) // 4))
    sheet = Image.new("RGB", (columns * side, rows * side), "white")
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left, top = (side - tile.width) // 2, (side - tile.height) // 2
        sheet.paste(tile, (column * side + left, row * side + top))
    return sheet


def data_uri(image: Image.Image, quality: int = 76) -> str:
    """The picture as a JPEG in a data URL: nothing is stored on the server."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _draw_dashes(
    canvas: ImageDraw.ImageDraw,
    corners: tuple[float, float, float, float],
    colour: tuple[int, int, int],
    width: int,
    dash: int,
) -> None:
    """Draw a rectangle of dashes, with gaps as long as the dashes."""
    x1, y1, x2, y2 = corners
    for start in range(round(x1), int(x2) + 1, 2 * dash):
        end = min(start + dash, x2)
        canvas.rectangle((start, y1, end, min(y1 + width - 1, y2)), fill=colour)
        canvas.rectangle((start, max(y2 - width + 1, y1), end, y2), fill=colour)
    for start in range(round(y1), int(y2) + 1, 2 * dash):
        end = min(start + dash, y2)
        canvas.rectangle((x1, start, min(x1 + width - 1, x2), end), fill=colour)
        canvas.rectangle((max(x2 - width + 1, x1), start, x2, end), fill=colour)


def _draw_labels(
    canvas: ImageDraw.ImageDraw,
    size: tuple[int, int],
    boxes: Sequence[tuple[tuple[float, float, float, float], LabelledBox]],
) -> None:
    letters = max(12, round(max(size) / 28))
    font = ImageFont.load_default(letters)
    pad = letters / 4
    inks = [canvas.textbbox((0, 0), box.label, font=font) for _, box in boxes]
    plates = [
        (right - left + 2 * pad, bottom - top + 2 * pad) if box.label else (0.0, 0.0)
        for (left, top, right, bottom), (_, box) in zip(inks, boxes, strict=True)
    ]
    places = place_labels([corners for corners, _ in boxes], plates, size)
    for place, plate, ink, (_, box) in zip(places, plates, inks, boxes, strict=True):
        if place:
            x, y = place.x, place.y
            canvas.rectangle((x, y, x + plate[0], y + plate[1]), fill=box.colour)
            corner = (x + pad - ink[0], y + pad - ink[1])
            canvas.text(corner, box.label, font=font, fill=text_colour(box.colour))
