"""What the Detect tab shows for a photo, or for many, and the files to take away."""

import csv
import io
import json
import time
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo import markup
from demo.backend import Backend, Photo, Timed, explain, in_words, predict_many
from demo.take_away import take_away
from model.data.csv_cells import defused
from model.errors import UserError
from model.explain import TARGETS
from model.inference import CSV_HEADER, Detection, csv_row

NO_HEAT = "off"
DEFAULT_THRESHOLD = 0.5
MAX_PHOTOS = 100
EMPTY_MANY = "Drop a set of photos above; you get a picture of each and one CSV."


def iou(first: Any, second: Any) -> float:
    """IoU of two boxes."""
    import torch

    from model.boxes import paired_iou

    pair = [torch.tensor([list(box)], dtype=torch.float32) for box in (first, second)]
    return float(paired_iou(*pair)[0])


def show(
    backend: Backend,
    sample: str,
    upload: str | None,
    threshold: float = DEFAULT_THRESHOLD,
    why: str = NO_HEAT,
    checkpoint: str = "",
) -> str:
    """The result for one photo as HTML; a problem is one sentence."""
    try:
        photo = backend.photo(sample, upload)
        timed = backend.detect(photo, checkpoint)
        return _result(backend, photo, timed, threshold, why, checkpoint)
    except Exception as error:
        return markup.problem(in_words(error))


def _result(
    backend: Backend, photo: Photo, timed: Timed, threshold: float, why: str, checkpoint: str
) -> str:
    d = timed.detection
    started = time.perf_counter()
    shown = backend.shown(photo)
    heat = None
    if why in TARGETS:
        heat = explain(
            backend.checkpoint_file(checkpoint), backend.working_copy(photo, checkpoint)
        ).get(why)
    sure = d.score >= threshold
    label = f"{d.class_name} {d.score:.0%}" if sure else f"not sure: {d.class_name}? {d.score:.0%}"
    boxes = [markup.DrawnBox(d.bbox_xyxy, "prediction", d.class_name, label)]
    if photo.largest:
        boxes.insert(0, markup.DrawnBox(photo.largest.bbox_xyxy, "truth"))
    where = ", ".join(f"{v:.0f}" for v in d.bbox_xyxy)
    alt = f"Photo with a box around a {d.class_name}: left, top, right, bottom {where} pixels."
    picture = markup.figure(shown.image, d.image_size, boxes, alt, heat, _legend(photo, why))
    drawn_ms = 1000 * (time.perf_counter() - started)
    return (
        f'<div class="detect-result"><div>{picture}</div><div>'
        f"{_verdict(d, sure)}{_bars(d)}{_facts(photo, timed, drawn_ms)}</div></div>"
    )


def _legend(photo: Photo, why: str) -> str:
    parts = []
    if photo.largest:
        parts.append("Dashed white: the annotated box.")
    if why == "class":
        parts.append("Warm: what speaks for this class (Grad-CAM).")
    elif why in TARGETS:
        parts.append("Warm: where the detector read the box from.")
    return " ".join(parts)


def _verdict(d: Detection, sure: bool) -> str:
    name = markup.chip(d.class_name)
    if sure:
        return f'<p class="verdict">The largest object is {_article(d.class_name)} {name}</p>'
    return (
        f'<p class="verdict">Not sure. Perhaps {_article(d.class_name)} {name}, but only'
        f" {d.score:.0%}.</p>"
    )


def _article(class_name: str) -> str:
    return "an" if class_name[:1] in "aeiou" else "a"


def _bars(d: Detection) -> str:
    top = list(d.probabilities.items())[:5]
    rows = "".join(markup.bar(p, name, f"{p:.1%}", name) for name, p in top)
    return f'<div class="probabilities">{rows}</div>'


def _facts(photo: Photo, timed: Timed, drawn_ms: float) -> str:
    d = timed.detection
    corners = ", ".join(f"{v:.1f}" for v in d.bbox_xyxy)
    rows = [
        ("box: left, top, right, bottom", f'<span class="box-numbers">{corners}</span> px'),
        ("photo", f"{d.image_size[0]} x {d.image_size[1]} px"),
        (
            "time",
            f"decode {timed.decode_ms:.0f} ms, network {timed.network_ms:.0f} ms,"
            f" draw {drawn_ms:.0f} ms",
        ),
    ]
    if photo.largest:
        truth = photo.largest
        overlap = iou(d.bbox_xyxy, truth.bbox_xyxy)
        rows.append(("annotated as", markup.chip(truth.class_name)))
        rows.append(("overlap with the annotated box", f"IoU {overlap:.2f}"))
    if photo.sample:
        rows.append(("sample", escape(photo.sample)))
    return markup.table(rows)


def take_png(backend: Backend, sample: str, upload: str | None, checkpoint: str) -> str:
    """The annotated picture, at most 1280 px."""
    photo, d = _again(backend, sample, upload, checkpoint)
    buffer = io.BytesIO()
    d.draw(backend.shown(photo).image).save(buffer, "PNG", compress_level=4)
    return take_away(f"{photo.path.stem}_detected.png", buffer.getvalue())


def take_json(backend: Backend, sample: str, upload: str | None, checkpoint: str) -> str:
    """Everything the detector said."""
    photo, d = _again(backend, sample, upload, checkpoint)
    text = json.dumps({"file": photo.path.name, **as_plain(d)}, indent=2)
    return take_away(f"{photo.path.stem}_detected.json", text + "\n")


def take_csv(backend: Backend, sample: str, upload: str | None, checkpoint: str) -> str:
    """The row ``python -m model.predict --csv`` writes."""
    photo, d = _again(backend, sample, upload, checkpoint)
    text = as_csv([csv_row(photo.path.name, d)])
    return take_away(f"{photo.path.stem}_detected.csv", text)


def _again(
    backend: Backend, sample: str, upload: str | None, checkpoint: str
) -> tuple[Photo, Detection]:
    try:
        photo = backend.photo(sample, upload)
        return photo, backend.detect(photo, checkpoint).detection
    except Exception as error:
        raise gr.Error(in_words(error), print_exception=False) from error


def as_plain(d: Detection) -> dict[str, Any]:
    """A detection as JSON-ready values."""
    return {
        "class_name": d.class_name,
        "score": round(d.score, 4),
        "sure": d.sure,
        "bbox_xyxy": [round(v, 2) for v in d.bbox_xyxy],
        "image_size": list(d.image_size),
        "probabilities": {name: round(p, 4) for name, p in d.probabilities.items()},
    }


def as_csv(rows: list[list[object]]) -> str:
    """A CSV with the header of ``python -m model.predict``."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(defused([CSV_HEADER, *rows]))
    return text.getvalue()


def detect_files(
    backend: Backend, files: list[str], checkpoint: str, step: Any = None
) -> tuple[list[tuple[Path, Detection]], list[str]]:
    """Detections of the photos that can be read, and one sentence for each of the others.

    Raises:
        UserError: if there are no files, or too many.
    """
    if not files:
        raise UserError("choose some photos first.")
    if len(files) > MAX_PHOTOS:
        raise UserError(f"{len(files)} photos are too many at once: choose at most {MAX_PHOTOS}.")
    paths, photos, problems = [], [], []
    for i, file in enumerate(files):
        if step:
            step((i, len(files)), desc="looking at photos", unit="photos")
        photo = Photo(Path(file))
        try:
            photos.append(backend.working_copy(photo, checkpoint))
            paths.append(photo.path)
        except UserError as error:
            problems.append(in_words(error))
    if step:
        step(None, desc="asking the network")
    found = predict_many(backend.checkpoint_file(checkpoint), photos) if photos else []
    return list(zip(paths, found, strict=True)), problems


def show_many(
    backend: Backend, files: list[str] | None, checkpoint: str, progress: Any
) -> tuple[str, str]:
    """Annotated thumbnails as HTML, and the CSV (empty when there is nothing)."""
    try:
        found, problems = detect_files(backend, files or [], checkpoint, progress)
    except Exception as error:
        return markup.problem(in_words(error)), ""
    tiles = []
    for path, d in found:
        small = backend.load(Photo(path), 480).image
        label = f"{d.class_name} {d.score:.0%}"
        box = markup.DrawnBox(d.bbox_xyxy, "prediction", d.class_name, label)
        alt = f"{path.name}: {label}"
        inner = markup.figure(small, d.image_size, [box], alt, caption=escape(path.name))
        tiles.append(f'<div class="tile">{inner}</div>')
    summary = f"<p>{len(found)} of {len(found) + len(problems)} photos answered.</p>"
    notes = "".join(markup.problem(text) for text in problems)
    rows = [csv_row(path.name, d) for path, d in found]
    return summary + notes + markup.grid(tiles, "variants"), as_csv(rows) if rows else ""


def example_tiles(backend: Backend, pressed: str) -> str:
    """The examples as a grid of thumbnails."""
    tiles = []
    for named in backend.library.examples():
        alt = f"example {named.name}" + (f", a {named.largest.class_name}" if named.largest else "")
        uri = backend.thumbnail(named.path)
        tiles.append(markup.tile(named.name, uri, alt, pressed=named.name == pressed))
    return markup.grid(tiles, "examples")
