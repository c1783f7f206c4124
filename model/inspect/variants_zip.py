"""Variants of a photo as a ZIP: the pictures, and all their boxes for other programs."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence

import torch
from PIL import Image

from model.augment import AugmentConfig, Picture, Pipeline
from model.csv_cells import defused
from model.data.annotations import (
    OBJECT_COLUMNS,
    AnnotatedPhoto,
    annotation_files,
    class_names_of,
    object_rows,
    without_hidden,
)
from model.data.records import ObjectAnnotation
from model.inspect.captions import caption
from model.inspect.variants import Variant

UNNAMED = "object"  # the class of a box that nobody has named
CSV_HEADER = [
    "variant", "seed", "done", *OBJECT_COLUMNS, "hull_ellipse_iou", "redraws", "gave_up",
]  # fmt: skip


def on_canvas(variants: Sequence[Variant]) -> Iterator[Picture]:
    """Each variant as the network sees it: square, so mostly squashed."""
    for variant in variants:
        step = variant.canvas
        visible = torch.cat([torch.tensor([step.visible]), step.others_visible])
        yield Picture(step.image, torch.cat([step.bbox_xyxy[None], step.others]), visible)


def in_full_size(
    variants: Sequence[Variant], photo: Image.Image, pipeline: Pipeline
) -> Iterator[Picture]:
    """Each variant in the pixels of the photo it was made of.

    Args:
        variants: of :func:`model.inspect.variants.make_variants`.
        photo: the whole photo, RGB; see :meth:`model.augment.Pipeline.picture`.
        pipeline: what drew the variants.
    """
    for variant in variants:
        start = variant.trace.steps[0]
        boxes = torch.cat([start.bbox_xyxy[None], start.others])
        yield pipeline.picture(photo, start.image.size, boxes, variant.seed)


def annotated(
    picture: Picture, file_name: str, things: Sequence[ObjectAnnotation]
) -> AnnotatedPhoto:
    """An augmented picture with its labels: all objects but those that are hardly to be seen.

    Args:
        picture: with a box for each of ``things``, the target first.
        file_name: of the picture.
        things: the objects of the photo; where they were in it is of no concern.
    """
    moved = tuple(
        ObjectAnnotation(thing.class_name or UNNAMED, (x1, y1, x2, y2), thing.difficult)
        for thing, (x1, y1, x2, y2) in zip(things, picture.bbox_xyxy.tolist(), strict=True)
    )
    shares = tuple(picture.visible.tolist())
    return without_hidden(AnnotatedPhoto(file_name, *picture.image.size, moved, shares))


def pack_variants(
    variants: Sequence[Variant],
    pictures: Iterable[Picture],
    things: Sequence[ObjectAnnotation],
    config: AugmentConfig,
    kind: str = "png",
) -> bytes:
    """A ZIP with the pictures, ``boxes.csv``, ``augment.json``, and the boxes for other programs.

    See :mod:`model.data.annotations` for those.

    Args:
        variants: what ``pictures`` show.
        pictures: of :func:`on_canvas` or :func:`in_full_size`.
        things: see :func:`annotated`.
        config: what drew the variants.
        kind: ``png``, to the pixel, or ``jpg``, a fraction of the size.
    """
    rows, photos, packed = [], [], io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed
        for variant, picture in zip(variants, pictures, strict=True):
            photo = annotated(picture, f"variant_{variant.number:02d}.{kind}", things)
            archive.writestr(photo.file_name, _encoded(picture.image, kind))
            health, done = variant.health, caption(variant.trace)
            of_target = [round(health.hull_ellipse_iou, 4), health.redraws, int(health.gave_up)]
            rows += [
                [variant.number, variant.seed, done, *row, *of_target] for row in object_rows(photo)
            ]
            photos.append(photo)
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(defused([CSV_HEADER, *rows]))
        archive.writestr("boxes.csv", table.getvalue())
        archive.writestr("augment.json", config.to_json() + "\n")
        for path, text in annotation_files(photos, class_names_of(photos)).items():
            archive.writestr(path, text)
    return packed.getvalue()


def _encoded(picture: Image.Image, kind: str) -> bytes:
    packed = io.BytesIO()
    if kind == "jpg":
        picture.save(packed, "JPEG", quality=95)
    else:
        picture.save(packed, "PNG", compress_level=3)
    return packed.getvalue()
