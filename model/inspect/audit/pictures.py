"""Pictures of augmented photos: the worst draws, and a sheet of what the network sees."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from model.augment import AugmentConfig, Pipeline, Trace, TracedStep
from model.augment.plan import MAX_DRAWS
from model.canvas import working_side
from model.data.images import load_each
from model.draw import TRUTH_COLOUR, LabelledBox, class_colour, contact_sheet, draw_boxes
from model.errors import UserError
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.tally import Tally
from model.words import percent

SHEET_PHOTOS = 16
KINDS = {"lost": "Drawn again most often", "cut": "Cut most", "loose": "Boxes that grew most"}


@dataclass(frozen=True)
class WorstDraw:
    """One bad draw of one photo.

    Attributes:
        kind: one of :data:`KINDS`.
        photo: index in the table.
        epoch: counted from 0.
        words: what is wrong with it.
    """

    kind: str
    photo: int
    epoch: int
    words: str


def worst_draws(tally: Tally, each: int = 6) -> list[WorstDraw]:
    """The worst draws of each kind, one per photo; draws that are not bad are left out."""
    kinds = {
        "lost": (tally.redraws, 0.5, _redraws_in_words),
        "cut": (tally.cut, -0.9, lambda v: f"{percent(-v)} still visible"),
        "loose": (tally.growth, 0.02, lambda v: f"box {percent(v)} larger"),
    }
    worst = []
    for kind, (extreme, least, words) in kinds.items():
        for photo in np.argsort(-extreme.value, kind="stable")[:each]:
            if (value := float(extreme.value[photo])) > least:
                worst.append(WorstDraw(kind, int(photo), int(extreme.epoch[photo]), words(value)))
    return worst


def _redraws_in_words(redraws: float) -> str:
    if redraws == MAX_DRAWS:
        return "lost in every try, so nothing was moved"
    return f"drawn again {redraws:.0f} x"


def traces(
    table: BoxTable, config: AugmentConfig, seed: int, draws: Sequence[tuple[int, int]]
) -> Iterable[Trace | None]:
    """Traces of ``draws``: index of a photo in the table, and epoch counted from 0.

    ``None`` for a photo that cannot be read.
    """
    pipeline = Pipeline(config, table.image_size)
    files = [table.image_folder / str(table.names[photo]) for photo, _ in draws]
    loaded = load_each(files, working_side(table.image_size))
    for (photo, epoch), each in zip(draws, loaded, strict=True):
        if isinstance(each, UserError):
            yield None
            continue
        boxes = torch.tensor(table.boxes[table.of_photo(photo)], dtype=torch.float32)
        (photo_seed,) = table.take(np.array([photo])).seeds(seed, epoch)
        yield pipeline.trace(each.image, boxes, photo_seed)


def pair(trace: Trace, class_names: Sequence[str]) -> tuple[Image.Image, Image.Image]:
    """A photo before and after, not squeezed; the target in its class colour, others white."""
    before, after = (_drawn(step, class_names[0]) for step in (trace.steps[0], trace.picture))
    return before, after


def sheet(shown: Iterable[tuple[Trace, Sequence[str]]]) -> Image.Image:
    """The canvases that the network sees, with their boxes, four per row.

    Args:
        shown: the trace of each photo, and the classes of its boxes, the target's first.
    """
    tiles = [_drawn(trace.steps[-1], names[0], label=names[0]) for trace, names in shown]
    return contact_sheet(tiles, tiles[0].width if tiles else 1)


def _drawn(step: TracedStep, class_name: str, label: str = "") -> Image.Image:
    visible = [box for box in step.others.tolist() if box[2] > box[0] and box[3] > box[1]]
    others = [LabelledBox(box, TRUTH_COLOUR) for box in visible]
    target = LabelledBox(step.bbox_xyxy.tolist(), class_colour(class_name), label)
    return draw_boxes(step.image, [*others, target])


def sheet_of(table: BoxTable, config: AugmentConfig, seed: int) -> Image.Image:
    """:func:`sheet` of photos spread over a set, in the first epoch."""
    count = min(SHEET_PHOTOS, len(table))
    photos = np.linspace(0, len(table) - 1, count).round().astype(int).tolist()
    pairs = zip(photos, traces(table, config, seed, [(p, 0) for p in photos]), strict=True)
    return sheet((trace, names_of(table, photo)) for photo, trace in pairs if trace)


def names_of(table: BoxTable, photo: int) -> list[str]:
    """The classes of a photo's boxes, the target's first."""
    return [table.class_names[label] for label in table.labels[table.of_photo(photo)]]
