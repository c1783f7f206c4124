"""Variants of a photo as a ZIP: the pictures, and all their boxes for other programs."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from model.augment import AugmentConfig, Picture, Pipeline
from model.csv_cells import csv_text
from model.data.annotations import (
    OBJECT_COLUMNS,
    annotation_files,
    class_names_of,
    labelled,
    object_rows,
)
from model.data.records import ObjectAnnotation
from model.inspect.captions import caption
from model.inspect.variants import Variant

SAVED_AS: dict[str, dict[str, Any]] = {
    "jpg": {"format": "JPEG", "quality": 95}, "png": {"format": "PNG", "compress_level": 3},
}  # fmt: skip
UNNAMED = "object"  # class of a box without a name
CSV_HEADER = ["variant", "seed", "done", *OBJECT_COLUMNS, "hull_ellipse_iou", "redraws", "gave_up"]


def on_canvas(variants: Sequence[Variant]) -> Iterator[Picture]:
    """Each variant on the square canvas, as the network sees it."""
    for variant in variants:
        step = variant.canvas
        yield Picture(step.image, step.all_boxes, step.all_visible)


def in_full_size(
    variants: Sequence[Variant], photo: Image.Image, pipeline: Pipeline
) -> Iterator[Picture]:
    """Each variant at the full resolution of the photo.

    Args:
        variants: of :func:`model.inspect.variants.make_variants`.
        photo: the whole photo, RGB; see :meth:`model.augment.Pipeline.picture`.
        pipeline: with the settings of the variants.
    """
    for variant in variants:
        start = variant.trace.steps[0]
        yield pipeline.picture(photo, start.image.size, start.all_boxes, variant.seed)


def pack_variants(
    variants: Sequence[Variant],
    pictures: Iterable[Picture],
    objects: Sequence[ObjectAnnotation],
    config: AugmentConfig,
    kind: str = "png",
) -> bytes:
    """A ZIP with the pictures, ``boxes.csv``, ``augment.json``, and annotations in all formats.

    The annotations are those of :func:`model.data.annotations.annotation_files`.

    Args:
        variants: one per picture.
        pictures: of :func:`on_canvas` or :func:`in_full_size`.
        objects: of the photo, the target first; an empty class becomes :data:`UNNAMED`.
        kind: ``png``, exact, or ``jpg``, a fraction of the size.
    """
    objects = [replace(o, class_name=o.class_name or UNNAMED) for o in objects]
    rows, photos, buffer = [], [], io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed
        for variant, picture in zip(variants, pictures, strict=True):
            name, size = f"variant_{variant.number:02d}.{kind}", picture.image.size
            boxes, visible = picture.bbox_xyxy.tolist(), picture.visible.tolist()
            photo = labelled(name, size, objects, boxes, visible)
            encoded = io.BytesIO()
            picture.image.save(encoded, **SAVED_AS[kind])
            archive.writestr(photo.file_name, encoded.getvalue())
            trace, iou = variant.trace, round(variant.canvas.hull_ellipse_iou, 4)
            begin = [variant.number, variant.seed, caption(trace)]
            end = [iou, trace.redraws, int(trace.gave_up)]
            rows += [[*begin, *row, *end] for row in object_rows(photo)]
            photos.append(photo)
        archive.writestr("boxes.csv", csv_text([CSV_HEADER, *rows]))
        archive.writestr("augment.json", config.to_json() + "\n")
        for path, text in annotation_files(photos, class_names_of(photos)).items():
            archive.writestr(path, text)
    return buffer.getvalue()
