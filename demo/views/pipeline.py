"""The effect of the owner's pipeline: on a photo, step by step, and on the boxes of many."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from demo.backend import Backend
from demo.inspection import Inspection
from demo.serving.calls import raise_if_ended
from demo.views import markup
from demo.views.augment.state import MAX_SEED
from demo.web_files import render
from model.data.images import LoadedImage, load_each
from model.data.records import ObjectAnnotation
from model.errors import UserError
from model.inference import DRAWN_SIDE
from model.inspect.compose_audit import ComposeTally, findings
from model.inspect.compose_pictures import health_words, shown
from model.inspect.compose_steps import ComposeTrace
from model.inspect.compose_trace import trace_compose
from model.words import counted

VARIANTS = 6
REPORT_EVERY = 20  # photos
TILES = 12
MAX_COUNTED = 100_000


def show(pipeline: Callable[..., Any], inspection: Inspection, seed: int) -> Markup:
    """The final pictures of the seeds from ``seed`` on, and all steps of the first.

    Boxes are the photo's annotated ones; without any, the detector's.

    Raises:
        UserError: if the photo cannot be read, or the pipeline cannot be run on it.
    """
    photo = inspection.photo.load(DRAWN_SIDE)
    objects = inspection.photo.objects or [
        ObjectAnnotation(inspection.detection.class_name, inspection.detection.bbox_xyxy)
    ]
    traces = [_traced(pipeline, photo, objects, seed + i) for i in range(VARIANTS)]
    return markup.join(
        [
            markup.grid((_variant(trace) for trace in traces), "many"),
            Markup("<h3>Step by step, seed {}</h3>").format(seed),
            Markup(traces[0]._repr_html_()),  # escaped by its own template
        ]
    )


def audit(
    pipeline: Callable[..., Any], backend: Backend, split: str, photos: int, seed: int
) -> Iterator[tuple[Markup, Markup]]:
    """Run it once on each photo of a random sample of a split, and count what happens to boxes.

    The k-th photo is drawn with ``seed + k``; its tile opens it with that seed.

    Yields:
        progress, and the numbers so far; at last with the worst photos. Both are HTML.

    Raises:
        UserError: for an unknown split, or if the pipeline fails on all photos.
        CallEndedError: if the visitor has left.
    """
    chosen = backend.library.split(split)
    rows = list(chosen.frame.sample(min(photos, len(chosen.frame)), random_state=seed).itertuples())
    files = [chosen.image_folder / str(row.file_name) for row in rows]
    tally, problems, seeds = ComposeTally(), list[str](), dict[str, int]()
    for index, (row, photo) in enumerate(zip(rows, load_each(files, DRAWN_SIDE), strict=True)):
        raise_if_ended()
        name = backend.library.name_of(str(row.file_name))
        objects = backend.library.get(name).objects
        seeds[name] = (seed + index) % (MAX_SEED + 1)
        try:
            if isinstance(photo, UserError):
                raise photo
            if objects:
                tally.add(name, _traced(pipeline, photo, objects, seeds[name]))
        except UserError as error:
            problems.append(f"{name}: {error}")
        if (index + 1) % REPORT_EVERY == 0 and index + 1 < len(rows):
            yield markup.progress(index + 1, len(rows)), _found(tally, problems)
    if not tally.photos and problems:
        raise UserError(problems[0])
    total = markup.note(f"{counted(tally.photos, 'photo')}, each drawn once.")
    yield total, _found(tally, problems) + _worst(backend, tally, seeds)


def _worst(backend: Backend, tally: ComposeTally, seeds: Mapping[str, int]) -> Markup:
    """Tiles of the photos that lose most; empty if none loses anything."""
    tiles = []
    for name, words in tally.worst(TILES):
        key, uri = f"{seeds[name]} {name}", markup.thumbnail(backend.library.get(name).path)
        caption = markup.join([markup.file_name(name), f", seed {seeds[name]}: {words}"])
        tiles.append(markup.tile(key, uri, f"photo {name}", caption))
    if not tiles:
        return Markup()
    legend = Markup('<p class="plain-legend">Press one to see that draw above, step by step.</p>')
    heading = Markup("<h3>The worst photos</h3>")
    return markup.join([heading, markup.grid(tiles, "browse"), legend])


def _traced(
    pipeline: Callable[..., Any], photo: LoadedImage, objects: Sequence[ObjectAnnotation], seed: int
) -> ComposeTrace:
    width, height = photo.original_size
    scale = (photo.image.width / width, photo.image.height / height) * 2
    boxes = [[v * s for v, s in zip(t.bbox_xyxy, scale, strict=True)] for t in objects]
    return trace_compose(pipeline, photo.image, boxes, seed, [t.class_name for t in objects])


def _found(tally: ComposeTally, problems: Sequence[str]) -> Markup:
    notes = [markup.note(sentence, "warning") for sentence in findings(tally)]
    notes += [markup.note(problem, "problem") for problem in problems[:3]]
    if len(problems) > 3:
        more = counted(len(problems) - 3, "more photo")
        notes.append(markup.note(f"and {more} like these.", "problem"))
    rows = [("the largest of each photo", tally.numbers(targets=True)), ("all", tally.numbers())]
    rows += [(label, tally.numbers(label)) for label in tally.labels()]
    table = render("pipeline_numbers.html", rows=rows)
    return markup.join([*notes, table])


def _variant(trace: ComposeTrace) -> Markup:
    last = trace.steps[-1]
    boxes = [
        markup.DrawnBox(box.bbox_xyxy.tolist(), "object", box.label, box.label)
        for box in last.boxes
        if box.visible != 0
    ]
    gone = len(trace.steps[0].boxes) - len(boxes)
    of_boxes = [(box.name, ", ".join(health_words(box))) for box in last.boxes]
    words = [f"{name}: {health}" for name, health in of_boxes if health]
    lost = [f"{gone} of {len(trace.steps[0].boxes)} boxes gone"] if gone > 0 else []
    caption = "; ".join([f"seed {trace.seed}", *lost, *words[:4]])
    return markup.figure(shown(last.image), last.size, boxes, alt=caption, caption=caption)
