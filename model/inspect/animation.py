"""A short animation, to share, of what turning a photo does to the box of its object."""

import io
import math
from collections.abc import Iterator, Sequence

import torch
from PIL import Image, ImageDraw, ImageFont

from model.augment import AugmentConfig
from model.augment.transforms import RandomRotation
from model.boxes import rotate_boxes
from model.draw import draw_box, text_colour
from model.inspect.variants import checked_box, rotation_growth

MAX_BYTES = 1_000_000
MAX_SIDE = 480
RULE_COLOURS = {"hull": (245, 158, 11), "ellipse": (45, 212, 191)}
_FRAMES = 24
_FRAME_MS = 90
_STRIP = 26  # pixels below the photo, with the numbers
_DEFAULT_DEGREES = 30.0


def rotation_animation(
    photo: Image.Image, bbox_xyxy: Sequence[float], config: AugmentConfig
) -> bytes:
    """An animated WebP that loops: the photo swings both ways, with both estimates of its box.

    It swings as far as ``config`` turns photos, or by 30 degrees if it turns none. The boxes are
    those of :func:`model.boxes.rotate_boxes`; below stands by how much each has grown.

    Args:
        photo: RGB, any size; shrunk to at most 480 pixels.
        bbox_xyxy: the box in pixels of ``photo``.
        config: ``rotation_degrees`` is used.

    Returns:
        24 frames, less than :data:`MAX_BYTES`.

    Raises:
        UserError: for a box that is empty or outside the photo.
    """
    box = checked_box(bbox_xyxy, photo.size)
    degrees = float(config.rotation_degrees) or _DEFAULT_DEGREES
    for side, quality in ((MAX_SIDE, 75), (MAX_SIDE, 50), (MAX_SIDE * 2 // 3, 50)):
        packed = _packed(list(_frames(photo, box, degrees, side)), quality)
        if len(packed) < MAX_BYTES:
            return packed
    return _packed(list(_frames(photo, box, degrees, MAX_SIDE // 3)), 10)


def _packed(frames: list[Image.Image], quality: int) -> bytes:
    packed = io.BytesIO()
    frames[0].save(
        packed, "WEBP", save_all=True, append_images=frames[1:], duration=_FRAME_MS, loop=0,
        quality=quality, method=2,
    )  # fmt: skip
    return packed.getvalue()


def _frames(
    photo: Image.Image, box: torch.Tensor, degrees: float, side: int
) -> Iterator[Image.Image]:
    scale = min(1.0, side / photo.width, (side - _STRIP) / photo.height)
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    small = photo.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    across, down = size[0] / photo.width, size[1] / photo.height
    box = box * torch.tensor([across, down, across, down])
    # A swing is fastest in the middle, like a pendulum; the last frame leads back to the first.
    for number in range(_FRAMES):
        yield _frame(small, box, degrees * math.sin(2 * math.pi * number / _FRAMES))


def _frame(photo: Image.Image, box: torch.Tensor, angle: float) -> Image.Image:
    turned = RandomRotation(0, "hull").transform(photo, {"angle": angle})
    words = [(f"{angle:+.0f}°", (0, 0, 0))]
    for rule, colour in RULE_COLOURS.items():
        canvas = (photo.height, photo.width)
        around = rotate_boxes(box.unsqueeze(0), angle, canvas, rule)[0].tolist()
        turned = draw_box(turned, around, colour)
        growth = rotation_growth(box.tolist(), angle, rule)
        words.append((f"{rule} {growth:+.0%}", colour))
    frame = Image.new("RGB", (photo.width, photo.height + _STRIP))
    frame.paste(turned)
    _write(frame, words)
    return frame


def _write(frame: Image.Image, words: list[tuple[str, tuple[int, int, int]]]) -> None:
    canvas = ImageDraw.Draw(frame)
    width = frame.width / len(words)
    font = ImageFont.load_default(size=max(6, min(15, width / 9)))
    for place, (text, colour) in enumerate(words):
        left, top = round(place * width), frame.height - _STRIP
        canvas.rectangle((left, top, left + width, frame.height), fill=colour)
        middle = (left + width / 2, top + _STRIP / 2)
        canvas.text(middle, text, font=font, fill=text_colour(colour), anchor="mm")
