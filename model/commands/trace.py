"""Show what a torchvision.transforms.v2 pipeline does to a photo and its boxes, step by step.

    python -m model.trace my_file.py:transforms photo.jpg --boxes 48,240,195,371 8,12,352,498
    python -m model.trace my_file.py:transforms photo.jpg --boxes 48,240,195,371 --labels dog

The file is run. The drawn parameters are printed, and the pictures written to trace.png.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from model.commands import run
from model.data.images import load_image
from model.errors import UserError
from model.files import write_file
from model.inspect.compose_input import load_pipeline
from model.inspect.compose_pictures import sentences
from model.inspect.compose_steps import ComposeTrace
from model.inspect.compose_trace import trace_compose


@dataclass
class TraceConfig:
    """Show what a torchvision pipeline does to a photo and its boxes, step by step."""

    pipeline: Annotated[str, tyro.conf.Positional]  # FILE:NAME of a transform; the file is run
    photo: Annotated[Path, tyro.conf.Positional]  # image file
    boxes: tuple[str, ...] = ()  # each left,top,right,bottom in pixels of the photo
    labels: tuple[str, ...] = ()  # one per box
    seed: int = 0
    out: Path = Path("trace.png")  # the pictures
    json: Path | None = None  # write names, parameters and boxes of all steps
    debug: bool = False  # tracebacks instead of one-line errors


def main(config: TraceConfig) -> None:
    """Run the pipeline, print, write."""
    boxes = [_box(text) for text in config.boxes]
    labels = config.labels or None
    pipeline, photo = load_pipeline(config.pipeline), load_image(config.photo)
    trace = trace_compose(pipeline, photo, boxes, config.seed, labels)
    for step in trace.steps:
        print(f"{step.title}: {'; '.join(sentences(step)) or 'all as before'}")
    trace.save(config.out)
    print(f"wrote {config.out}")
    if config.json:
        write_file(config.json, json.dumps(to_dict(trace), indent=1) + "\n")
        print(f"wrote {config.json}")


def _box(text: str) -> list[float]:
    try:
        corners = [float(part) for part in text.split(",")]
    except ValueError:
        corners = []
    if len(corners) != 4:
        raise UserError(f"--boxes takes left,top,right,bottom, as 48,240,195,371, not {text!r}.")
    return corners


def to_dict(trace: ComposeTrace) -> dict:
    """The trace as JSON values, without pixels."""
    steps = [
        {
            "name": step.name, "within": step.within, "applied": step.applied,
            "params": step.params, "image_size": step.size,
            "boxes": [
                {
                    "number": box.number, "label": box.label, "visible": box.visible,
                    "growth": box.growth, "bbox_xyxy": box.bbox_xyxy.tolist(),
                }
                for box in step.boxes
            ],
            "dropped": [box.number for box in step.dropped],
        }
        for step in trace.steps
    ]  # fmt: skip
    return {"seed": trace.seed, "steps": steps}


if __name__ == "__main__":
    run(main, TraceConfig, __doc__)
