"""The HTML the page is made of. Boxes are SVG over the photo, so they are crisp at any size."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from model.draw import class_colour, text_colour

THUMB_SIDE = 220


@dataclass(frozen=True)
class DrawnBox:
    """A box over a photo.

    Attributes:
        bbox_xyxy: in pixels of ``PhotoFigure.size``.
        role: ``prediction``, ``truth``, ``target``, ``object``, ``hull`` or ``ellipse``; its look
            is in the style sheet.
        class_name: gives the colour; none is white.
        label: on a plate at the box; nothing if empty.
    """

    bbox_xyxy: Sequence[float]
    role: str
    class_name: str = ""
    label: str = ""

    @property
    def colour(self) -> tuple[int, int, int]:
        """RGB."""
        return class_colour(self.class_name) if self.class_name else (255, 255, 255)


def data_uri(image: Image.Image, quality: int = 88) -> str:
    """The picture as a JPEG inside a URL: nothing is stored, and no one else can ask for it."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def heat_uri(heat: np.ndarray) -> str:
    """A heat map in 0..1 as a PNG, transparent where it is cold; the browser enlarges it."""
    side = Image.fromarray((heat * 255).astype(np.uint8)).resize((96, 96), Image.Resampling.BICUBIC)
    value = np.asarray(side, dtype=np.float32) / 255
    red = np.clip(1.6 * value + 0.4, 0, 1)
    green = np.clip(1.7 * value - 0.3, 0, 0.95)
    blue = np.clip(0.55 - value, 0, 1)
    alpha = np.clip(value * 1.1 - 0.05, 0, 0.78)
    pixels = (np.stack([red, green, blue, alpha], -1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def css_colour(colour: tuple[int, int, int]) -> str:
    """``rgb(...)``."""
    return "rgb({}, {}, {})".format(*colour)


def figure(
    image: Image.Image,
    size: tuple[int, int],
    boxes: Iterable[DrawnBox] = (),
    alt: str = "",
    heat: np.ndarray | None = None,
    caption: str = "",
) -> str:
    """A photo with boxes over it.

    Args:
        image: what is shown, any size of the same shape.
        size: ``(width, height)`` the boxes are pixels of.
        boxes: drawn in order.
        alt: for those who do not see it.
        heat: see :func:`heat_uri`; laid over the whole photo.
        caption: HTML below it.
    """
    width, height = size
    boxes = list(boxes)
    parts = [f'<img class="pixels" src="{data_uri(image)}" alt="{escape(alt)}">']
    if heat is not None:
        parts.append(f'<img class="heat" src="{heat_uri(heat)}" alt="">')
    shapes = "".join(_rectangle(box) for box in boxes)
    parts.append(
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f"{shapes}</svg>"
    )
    parts += [_tag(box, width, height) for box in boxes if box.label]
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    shape = f"--w: {width}; --h: {height}"
    return (
        f'<figure class="photo"><div class="stage" style="{shape}">{"".join(parts)}</div>'
        f"{below}</figure>"
    )


def _rectangle(box: DrawnBox) -> str:
    x1, y1, x2, y2 = (round(float(v), 2) for v in box.bbox_xyxy)
    place = f'x="{x1}" y="{y1}" width="{max(0, x2 - x1):.2f}" height="{max(0, y2 - y1):.2f}"'
    return (
        f'<rect class="rim {box.role}" {place} stroke="{css_colour(text_colour(box.colour))}"/>'
        f'<rect class="line {box.role}" {place} stroke="{css_colour(box.colour)}"'
        f' data-role="{box.role}" data-xyxy="{x1},{y1},{x2},{y2}"/>'
    )


def _tag(box: DrawnBox, width: int, height: int) -> str:
    x1, y1, x2, _ = box.bbox_xyxy
    # Above the box where there is room, else inside; from its left edge, or from its right one
    # where the left edge is far to the right.
    place = f"bottom: {100 - 100 * y1 / height:.2f}%" if y1 > 0.11 * height else (
        f"top: {max(0, 100 * y1 / height):.2f}%")  # fmt: skip
    if x1 > 0.55 * width:
        place += f"; right: {max(0, 100 - 100 * x2 / width):.2f}%"
    else:
        place += f"; left: {max(0, 100 * x1 / width):.2f}%"
    colours = f"background: {css_colour(box.colour)}; color: {css_colour(text_colour(box.colour))}"
    return f'<span class="tag {box.role}" style="{place}; {colours}">{escape(box.label)}</span>'


def chip(class_name: str, text: str = "") -> str:
    """A class name on its colour."""
    colour = class_colour(class_name)
    style = f"background: {css_colour(colour)}; color: {css_colour(text_colour(colour))}"
    return f'<span class="chip" style="{style}">{escape(text or class_name)}</span>'


def bar(share: float, label: str, value: str, class_name: str = "") -> str:
    """A labelled horizontal bar; ``share`` in 0..1."""
    colour = f"; background: {css_colour(class_colour(class_name))}" if class_name else ""
    return (
        f'<div class="bar"><span class="bar-label">{escape(label)}</span><span class="bar-track">'
        f'<span class="bar-fill" style="width: {100 * min(max(share, 0), 1):.1f}%{colour}"></span>'
        f'</span><span class="bar-value">{escape(value)}</span></div>'
    )


def problem(sentence: str) -> str:
    """What went wrong, in the page."""
    return f'<p class="note problem" role="alert">{escape(str(sentence))}</p>'


def note(sentence: str) -> str:
    """Something worth knowing."""
    return f'<p class="note">{escape(sentence)}</p>'


def tile(key: str, uri: str, alt: str, caption: str = "", pressed: bool = False) -> str:
    """One choice of a grid: a thumbnail to press."""
    below = f"<span>{escape(caption)}</span>" if caption else ""
    return (
        f'<button type="button" class="tile" data-key="{escape(key)}"'
        f' aria-pressed="{str(pressed).lower()}">'
        f'<img src="{uri}" alt="{escape(alt)}" loading="lazy">{below}'
        "</button>"
    )


def figure_tile(key: str, inner: str, caption: str, pressed: bool) -> str:
    """One choice of a grid: a whole figure to press; ``caption`` is HTML."""
    return (
        f'<button type="button" class="tile wide" data-key="{escape(key)}"'
        f' aria-pressed="{str(pressed).lower()}">{inner}<span>{caption}</span></button>'
    )


def grid(tiles: Iterable[str], kind: str = "") -> str:
    """Tiles side by side, as many as fit."""
    return f'<div class="grid {kind}">{"".join(tiles)}</div>'


def table(rows: Sequence[tuple[str, str]], caption: str = "") -> str:
    """Two columns: what, and its value (HTML)."""
    body = "".join(f"<tr><th scope='row'>{escape(k)}</th><td>{v}</td></tr>" for k, v in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<table class="facts">{title}<tbody>{body}</tbody></table>'
