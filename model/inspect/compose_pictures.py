"""A traced torchvision pipeline as HTML, as a sheet of pictures, and in sentences."""

import math
import textwrap
from collections.abc import Iterator
from pathlib import Path

import torch
from jinja2 import Environment
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.transforms.v2 import functional

from model.data.image_pixels import fitted_size
from model.draw import LabelledBox, class_colour, data_uri, draw_boxes
from model.errors import UserError
from model.files import atomic_write
from model.inspect.compose_steps import ORIGINAL, ComposeStep, ComposeTrace, Picture, TracedBox
from model.words import percent

SIDE = 300  # longest side, in pixels, of a picture on a sheet or page
WORTH_SAYING = 0.005  # least change of a visible share or growth that is mentioned
MAX_BOXES = 8  # described one by one
_PAGE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<div class="compose-trace" style="display: grid; gap: 12px;
 grid-template-columns: repeat(auto-fill, minmax(220px, 1fr))">
{% for step, uri, lines in steps %}
<figure style="margin: 0; min-width: 0{% if not step.applied %}; opacity: .6{% endif %}">
 <img src="{{ uri }}" alt="{{ step.title }}" style="max-width: 100%; height: auto">
 <figcaption style="font-size: 13px; overflow-wrap: anywhere"><b>{{ step.title }}</b>
 {% for line in lines %}<br>{{ line }}{% endfor %}</figcaption>
</figure>
{% endfor %}
</div>
""")


def trace_html(trace: ComposeTrace) -> str:
    """An HTML grid of all steps, with escaped texts and embedded pictures."""
    uris = [data_uri(drawn(step), quality=88) for step in trace.steps]
    return _PAGE.render(steps=zip(trace.steps, uris, map(sentences, trace.steps), strict=True))


def sentences(step: ComposeStep) -> Iterator[str]:
    """What a step drew, and what it did to the boxes; nothing if there is nothing to say."""
    if not step.applied:
        yield "left out by chance"
    elif step.params is None:
        yield "draws in a way of its own"
    elif step.params:
        yield ", ".join(f"{name} {_short(value)}" for name, value in step.params.items())
    if isinstance(step.image, Tensor) and (reach := _beyond(step.image)):
        yield f"values from {reach[0]:.2g} to {reach[1]:.2g}, shown stretched"
    for box in step.dropped:
        yield f"{box.name} dropped"
    for box in step.boxes[:MAX_BOXES]:
        if words := ", ".join(health_words(box)):
            yield f"{box.name}: {words}"
    if (more := len(step.boxes) - MAX_BOXES) > 0:
        yield f"and {more} more boxes"
    if step.name != ORIGINAL and not step.boxes:
        yield "no box is left"


def health_words(box: TracedBox) -> Iterator[str]:
    """How much of a box is visible and how loose it is; nothing if all is well."""
    if box.visible is None:
        yield "moved in a way of its own"
        return
    if box.visible < 1 - WORTH_SAYING:
        yield f"{percent(box.visible, 0)} visible" if box.visible else "lost"
    if box.growth is not None and abs(box.growth) > WORTH_SAYING:
        size = "larger" if box.growth > 0 else "smaller"
        yield f"{percent(abs(box.growth), 0)} {size} than what was in it"


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return f"({', '.join(map(_short, value))})"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return str(value)


def drawn(step: ComposeStep, side: int = SIDE) -> Image.Image:
    """The picture of a step with its boxes, at most ``side`` pixels wide and high."""
    picture = shown(step.image)
    scale, size = min(1.0, side / max(picture.size)), fitted_size(picture.size, side)
    picture = picture.resize(size, Image.Resampling.BILINEAR) if scale < 1 else picture
    boxes = []
    for box in step.boxes:
        x1, y1, x2, y2 = (box.bbox_xyxy * scale).tolist()
        # Not every pipeline clips: a box outside the picture would be drawn at its edge.
        is_inside = x2 > max(x1, 0) and y2 > max(y1, 0) and x1 < size[0] and y1 < size[1]
        if is_inside and all(map(math.isfinite, (x1, y1, x2, y2))):
            colour = class_colour(box.label) if box.label else (255, 255, 255)
            number = "" if box.number is None else str(box.number + 1)
            label = " ".join(filter(None, (number, box.label)))
            boxes.append(LabelledBox((x1, y1, x2, y2), colour, label))
    return draw_boxes(picture, boxes)


def shown(image: Picture) -> Image.Image:
    """Any image in a pipeline as RGB; floats outside 0..1 are rescaled to it."""
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    values = image.detach().cpu().as_subclass(Tensor)
    if reach := _beyond(values):
        low, high = reach
        values = (values - low) / max(high - low, 1e-9)
    values = values.float().nan_to_num() if values.is_floating_point() else values
    pixels = functional.to_dtype_image(values, torch.uint8, scale=True)
    if len(pixels) not in (1, 3):
        pixels = pixels[:1] if len(pixels) < 3 else pixels[:3]
    return functional.to_pil_image(pixels).convert("RGB")


def _beyond(values: Tensor) -> tuple[float, float] | None:
    """Least and greatest of floats outside 0..1; ``None`` if all are within."""
    if not values.is_floating_point() or not values.numel():
        return None
    low, high = values.min().item(), values.max().item()
    return (low, high) if low < 0 or high > 1 else None


def trace_sheet(trace: ComposeTrace) -> Image.Image:
    """All steps side by side on white, with their captions."""
    font, line, pad = ImageFont.load_default(13), 17, 12
    columns = min(4, len(trace.steps))
    tiles = []
    for step in trace.steps:
        text = [step.title, *sentences(step)]
        lines = [part for one in text for part in textwrap.wrap(one, 44) or [""]]
        tiles.append((drawn(step), lines))
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    heights = [
        max(tile.height for tile, _ in row) + line * max(len(lines) for _, lines in row) + pad
        for row in rows
    ]
    size = columns * (SIDE + pad) + pad, sum(heights) + pad * (len(rows) + 1)
    sheet = Image.new("RGB", size, "white")
    pen, top = ImageDraw.Draw(sheet), pad
    for row, height in zip(rows, heights, strict=True):
        for column, (tile, lines) in enumerate(row):
            left = pad + column * (SIDE + pad)
            sheet.paste(tile, (left, top))
            for i, words in enumerate(lines):
                pen.text((left, top + tile.height + 4 + i * line), words, "black", font)
        top += height + pad
    return sheet


def save_sheet(trace: ComposeTrace, path: Path) -> None:
    """Write :func:`trace_sheet`.

    Raises:
        UserError: if the suffix is of no image format, or the file cannot be written.
    """
    if path.suffix.lower() not in Image.registered_extensions():
        raise UserError(f"{path}: the name must end in that of an image format, as .png.")
    with atomic_write(path) as temporary:
        trace_sheet(trace).save(temporary)
