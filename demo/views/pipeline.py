"""What the owner's own pipeline does to the photo: variants, and one step by step."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from demo.opened import Opened
from demo.views import markup
from model.inference import DRAWN_SIDE
from model.inspect.compose_pictures import health_words, shown
from model.inspect.compose_steps import ComposeTrace
from model.inspect.compose_trace import trace_compose

VARIANTS = 6
_ROW = (
    '<div style="display: grid; gap: 12px; align-items: start;'
    ' grid-template-columns: repeat(auto-fill, minmax(180px, 1fr))">{}</div>'
)


def show(pipeline: Callable[..., Any], opened: Opened, seed: int) -> Markup:
    """The last picture for several seeds from ``seed`` on, and all steps of the first.

    Boxes are the photo's annotated ones; without any, the detector's.

    Raises:
        UserError: if the photo cannot be read, or the pipeline cannot be run on it.
    """
    photo = opened.photo.load(DRAWN_SIDE)
    things = opened.photo.objects
    corners = [t.bbox_xyxy for t in things] or [opened.detection.bbox_xyxy]
    labels = [t.class_name for t in things] or [opened.detection.class_name]
    width, height = photo.original_size
    scale = (photo.image.width / width, photo.image.height / height) * 2
    boxes = [[v * s for v, s in zip(box, scale, strict=True)] for box in corners]
    traces = [
        trace_compose(pipeline, photo.image, boxes, seed + i, labels) for i in range(VARIANTS)
    ]
    return markup.join(
        [
            Markup(_ROW).format(markup.join(_variant(trace) for trace in traces)),
            Markup("<h3>Step by step, seed {}</h3>").format(seed),
            Markup(traces[0]._repr_html_()),  # escaped by its own template
        ]
    )


def _variant(trace: ComposeTrace) -> Markup:
    last = trace.steps[-1]
    boxes = [
        markup.DrawnBox(box.bbox_xyxy.tolist(), "object", box.label, box.label)
        for box in last.boxes
        if box.visible != 0
    ]
    gone = len(trace.steps[0].boxes) - len(boxes)
    words = [f"{box.name}: {', '.join(said)}" for box in last.boxes if (said := [
        *health_words(box)])]  # fmt: skip
    lost = [f"{gone} of {len(trace.steps[0].boxes)} boxes gone"] if gone > 0 else []
    caption = "; ".join([f"seed {trace.seed}", *lost, *words[:4]])
    return markup.figure(shown(last.image), last.size, boxes, alt=caption, caption=caption)
