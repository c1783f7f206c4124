"""An animation of what a geometric step does to the box of an object."""

import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model.augment import AugmentConfig
from model.augment.geometry import box_growth, move_boxes, warp
from model.augment.steps import GeometricStep
from model.draw import UNSURE_COLOUR, draw_box, text_colour
from model.inspect.variants import checked_box
from model.words import percent

MAX_BYTES = 1_000_000
MAX_SIDE = 480
RULE_COLOURS = {"hull": (245, 158, 11), "ellipse": (45, 212, 191)}
_FRAMES = 24
_FRAME_MS = 90
_STRIP = 26  # height in pixels of the strip with the figures below the photo


def swinging_step(config: AugmentConfig) -> GeometricStep:
    """The step to animate: the first that loosens boxes and is on, else the first that could."""
    steps = [step for step in config.steps if isinstance(step, GeometricStep)]
    swinging = [step for step in steps if step.swing(config, 1) is not None]
    return next((step for step in swinging if step.is_on(config)), swinging[0])


def box_animation(
    photo: Image.Image,
    bbox_xyxy: Sequence[float],
    config: AugmentConfig,
    others: Sequence[Sequence[float]] = (),
) -> bytes:
    """A looping animated WebP: the photo swings both ways, with both estimates of its box.

    It swings between the limits of :func:`swinging_step`. The growth of each box is written below.

    Args:
        photo: RGB, any size; shrunk to at most 480 pixels.
        bbox_xyxy: the box in pixels of ``photo``.
        others: boxes of other objects in pixels of ``photo``, moved by ``config.box_rule``.

    Returns:
        24 frames in fewer than :data:`MAX_BYTES` bytes.

    Raises:
        UserError: for a box that is empty or outside the photo.
    """
    boxes = np.stack([checked_box(box, photo.size).numpy() for box in (bbox_xyxy, *others)])
    for side, quality in ((MAX_SIDE, 75), (MAX_SIDE, 50), (MAX_SIDE * 2 // 3, 50)):
        encoded = _encoded(list(_frames(photo, boxes, config, side)), quality)
        if len(encoded) < MAX_BYTES:
            return encoded
    return _encoded(list(_frames(photo, boxes, config, MAX_SIDE // 3)), 10)


def _encoded(frames: list[Image.Image], quality: int) -> bytes:
    buffer = io.BytesIO()
    options: Any = {"duration": _FRAME_MS, "loop": 0, "quality": quality, "method": 2}
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()


def _frames(
    photo: Image.Image, boxes: np.ndarray, config: AugmentConfig, side: int
) -> Iterator[Image.Image]:
    scale = min(1.0, side / photo.width, (side - _STRIP) / photo.height)
    size = max(1, round(photo.width * scale)), max(1, round(photo.height * scale))
    small = photo.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    boxes = boxes * np.tile(np.divide(size, photo.size), 2)
    step = swinging_step(config)
    # A swing is fastest in the middle, like a pendulum; the last frame leads back to the first.
    for number in range(_FRAMES):
        params = step.swing(config, math.sin(2 * math.pi * number / _FRAMES)) or step.idle(size)
        words = " ".join(step.words(params, size))
        yield _frame(small, boxes, step.matrix(params, size), words, config.box_rule)


def _frame(
    photo: Image.Image, boxes: np.ndarray, matrix: np.ndarray, words: str, rule_in_use: str
) -> Image.Image:
    moved = warp(photo, matrix, photo.size)
    box, *others = boxes
    for other in others:
        moved = draw_box(moved, move_boxes(other, matrix, rule_in_use).tolist(), UNSURE_COLOUR)
    texts = [(words, (0, 0, 0))]
    for rule, colour in RULE_COLOURS.items():
        moved = draw_box(moved, move_boxes(box, matrix, rule).tolist(), colour)
        growth = float(box_growth(box, matrix, rule))
        texts.append((f"{rule} {percent(growth, 0, signed=True)}", colour))
    frame = Image.new("RGB", (photo.width, photo.height + _STRIP))
    frame.paste(moved)
    _write(frame, texts)
    return frame


def _write(frame: Image.Image, texts: list[tuple[str, tuple[int, int, int]]]) -> None:
    canvas = ImageDraw.Draw(frame)
    width = frame.width / len(texts)
    font = ImageFont.load_default(size=max(6, min(15, width / 9)))
    for index, (text, colour) in enumerate(texts):
        left, top = round(index * width), frame.height - _STRIP
        canvas.rectangle((left, top, left + width, frame.height), fill=colour)
        middle = (left + width / 2, top + _STRIP / 2)
        canvas.text(middle, text, font=font, fill=text_colour(colour), anchor="mm")
