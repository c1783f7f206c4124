"""HTML parts of the page. Boxes are SVG over the photo, so they are sharp at any size."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from demo.serving.once import ComputeOnceCache
from demo.web_files import render
from model.classes import shown_name
from model.data.decoding.pool import BusyError
from model.data.images import load_fitted
from model.draw import LabelPlace, class_colour, data_uri, place_labels, text_colour
from model.errors import UserError
from model.words import counted

THUMB_SIDE = 220
IOU_EXPLAINED = (
    "IoU: the area two boxes share, divided by the area they cover together. 1 is a perfect fit."
)


def of_photo(key: str, html: str) -> Markup:
    """HTML marked with the ``key`` of its photo: the browser dims results of the previous photo."""
    return Markup('<div data-photo="{}">{}</div>').format(key, html)


@dataclass(frozen=True)
class DrawnBox:
    """A box over a photo.

    Attributes:
        bbox_xyxy: in pixels of the ``size`` given to :func:`figure`.
        role: ``prediction``, ``guess``, ``truth``, ``target``, ``object``, ``difficult``,
            ``hull``, ``ellipse`` or ``ghost``: a class of the style sheet.
        class_name: determines the colour; white if empty.
        label: text on a plate at the box; no plate if empty.
    """

    bbox_xyxy: Sequence[float]
    role: str
    class_name: str = ""
    label: str = ""

    @property
    def colour(self) -> tuple[int, int, int]:
        """RGB."""
        return class_colour(self.class_name) if self.class_name else (255, 255, 255)


def heat_uri(heat: np.ndarray) -> str:
    """A heat map in 0..1 as the data URI of a small PNG, transparent where it is cold."""
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
    """The colour as CSS ``rgb(...)``."""
    return "rgb({}, {}, {})".format(*colour)


def thumbnail(path: Path, side: int = THUMB_SIDE) -> str:
    """The data URI of a small copy of a photo; its longer side has ``side`` pixels.

    Raises:
        UserError: if it cannot be read. That is cached too: finding it out may take seconds.
    """
    found = _thumbnails.get((path, side), lambda: _small_copy(path, side))
    if isinstance(found, UserError):
        raise found
    return found


_thumbnails: ComputeOnceCache[str | UserError] = ComputeOnceCache(512)


def _small_copy(path: Path, side: int) -> str | UserError:
    try:
        return data_uri(load_fitted(path, side).image, quality=70)
    except BusyError:
        raise
    except UserError as error:
        return error


def figure(
    image: Image.Image,
    size: tuple[int, int],
    boxes: Iterable[DrawnBox] = (),
    alt: str = "",
    heat: np.ndarray | None = None,
    caption: str = "",
) -> Markup:
    """A photo with boxes over it.

    Args:
        image: the picture to show, of any size with the same aspect ratio.
        size: ``(width, height)`` of the pixels that boxes are given in.
        boxes: drawn in this order.
        alt: alternative text.
        heat: see :func:`heat_uri`; laid over the whole photo, which is then shown in grey.
        caption: text below it.
    """
    width, height = size
    boxes = list(boxes)
    places = _label_places(boxes, width, height)
    drawn = [_drawn(box, place, width, height) for box, place in zip(boxes, places, strict=True)]
    return render(
        "figure.html", width=width, height=height, source=data_uri(image), alt=alt, boxes=drawn,
        heat="" if heat is None else heat_uri(heat), caption=caption,
    )  # fmt: skip


def _drawn(box: DrawnBox, place: LabelPlace | None, width: int, height: int) -> dict[str, Any]:
    """Values of a box for the template of a figure; its label only if there is a place for it."""
    x1, y1, x2, y2 = (round(float(v), 2) for v in box.bbox_xyxy)
    return {
        "role": box.role, "label": box.label if place else "", "x": x1, "y": y1,
        "width": f"{max(0, x2 - x1):.2f}", "height": f"{max(0, y2 - y1):.2f}",
        "xyxy": f"{x1},{y1},{x2},{y2}", "colour": css_colour(box.colour),
        "rim": css_colour(text_colour(box.colour)),
        "place": _tag_place(box, place, width, height) if place else {},
    }  # fmt: skip


SMALL_SIDE = 340.0  # CSS pixels of the longer side of a photo on a phone: labels are widest there
_THIN = ("object", "difficult")  # roles whose plates are smaller (style.css)


def _label_places(boxes: Sequence[DrawnBox], width: int, height: int) -> list[LabelPlace | None]:
    """Where labels are placed; a label that would cover another is ``None``, the smaller first."""
    pixel = max(width, height) / SMALL_SIDE  # of the screen, in pixels of the photo
    plates = []
    for box in boxes:
        letter, around, high = (6.6, 8, 16) if box.role in _THIN else (8.2, 14, 21)
        across = (letter * len(box.label) + around) * pixel if box.label else 0.0
        plates.append((across, high * pixel))

    def rank(i: int) -> tuple[bool, float]:
        x1, y1, x2, y2 = boxes[i].bbox_xyxy
        return boxes[i].role in _THIN, -(x2 - x1) * (y2 - y1)

    order = sorted(range(len(boxes)), key=rank)
    found = place_labels(
        [boxes[i].bbox_xyxy for i in order], [plates[i] for i in order], (width, height),
        head_room=0.18 * height,  # a plate where the photo is smallest, beside two others
    )  # fmt: skip
    by_box = dict(zip(order, found, strict=True))
    return [by_box[i] for i in range(len(boxes))]


def _tag_place(box: DrawnBox, place: LabelPlace, width: int, height: int) -> dict[str, str]:
    """Where the plate of a box begins, in percent of the photo.

    A plate that would not fit moves to the left as far as needed (style.css).
    """
    x1, y1, _, y2 = box.bbox_xyxy
    line = {
        "above": f"bottom: {100 - 100 * y1 / height:.2f}%",
        "inside": f"top: {100 * place.y / height:.2f}%",
        "below": f"top: {100 * y2 / height:.2f}%",
    }[place.side]
    return {"line": line, "left": f"{min(max(0, 100 * x1 / width), 100):.2f}%"}


def chip(class_name: str, text: str = "") -> Markup:
    """A class name on the colour of the class."""
    colour = class_colour(class_name)
    return Markup('<span class="chip" style="background: {}; color: {}">{}</span>').format(
        css_colour(colour), css_colour(text_colour(colour)), text or shown_name(class_name)
    )


def known_classes(names: Iterable[str]) -> Markup:
    """The list of all classes of the detector, with their colours."""
    kinds = [
        {"name": shown_name(name), "colour": css_colour(class_colour(name))}
        for name in sorted(names)
    ]
    return render("known.html", kinds=kinds)


def bar(
    share: float, label: str, value: str = "", class_name: str = "", mark: float | None = None
) -> Markup:
    """A labelled horizontal bar; ``share``, and the line at ``mark``, in 0..1."""
    colour = css_colour(class_colour(class_name)) if class_name else ""
    width, line = (
        "" if part is None else f"{100 * min(max(part, 0), 1):.1f}" for part in (share, mark)
    )
    return render("bar.html", label=label, value=value, width=width, colour=colour, mark=line)


def problem(sentence: str) -> Markup:
    """An error message in the page."""
    return Markup('<p class="note problem" role="alert">{}</p>').format(sentence)


def note(sentence: str, kind: str = "") -> Markup:
    """A note in the page; ``kind`` is a further CSS class."""
    return Markup('<p class="note {}">{}</p>').format(kind, sentence)


def progress(done: int, total: int) -> Markup:
    """How many photos were counted so far, in words and as a bar."""
    words = f"Counted {done:,} of {counted(total, 'photo')} ..."
    line = Markup('<progress value="{}" max="{}" aria-label="{}" class="counted"></progress>')
    return note(words) + line.format(done, total, words)


def tile(key: str, uri: str, alt: str, caption: str = "", pressed: bool = False) -> Markup:
    """One button of a grid: a thumbnail."""
    return render("tile.html", key=key, uri=uri, alt=alt, caption=caption, pressed=pressed)


def figure_tile(key: str, inner: Markup, caption: str, pressed: bool, kind: str = "") -> Markup:
    """One button of a grid: a whole figure."""
    return render("tile.html", key=key, inner=inner, caption=caption, pressed=pressed, kind=kind)


def file_name(name: str) -> Markup:
    """The name of a photo on a tile, cut to one line; a tooltip has all of it."""
    return Markup('<span class="file-name" title="{}">{}</span>').format(name, name)


def grid(tiles: Iterable[Markup], kind: str = "") -> Markup:
    """Tiles in rows, as many in each as fit."""
    return Markup('<div class="grid {}">{}</div>').format(kind, join(tiles))


def join(parts: Iterable[str]) -> Markup:
    """Parts joined; plain text is escaped."""
    return Markup("").join(parts)


def table(rows: Sequence[tuple[str, str]], caption: str = "") -> Markup:
    """A table of two columns: name and value."""
    return render("facts.html", rows=rows, caption=caption)
