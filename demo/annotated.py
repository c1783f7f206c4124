"""The objects of an uploaded photo, from the annotation in any format uploaded with it."""

from collections.abc import Sequence
from pathlib import Path

from demo.box_editor import MAX_BOXES
from demo.choice import UploadedFile
from demo.dropped import (
    MAX_ANNOTATION_BYTES,
    MAX_LINES,
    as_dataset_folder,
    is_annotation,
    n_bytes,
    n_lines,
    plain_name,
)
from model.data.formats.yolo import NAME_FILES
from model.data.names import stem_of
from model.data.records import ObjectAnnotation
from model.errors import UserError

MOST_FILES = 3  # an annotation, and the names of its classes
SHARED_SUFFIXES = (".json", ".yaml", ".yml")  # of files about many photos


def objects_in_annotations(
    photo: UploadedFile, files: Sequence[UploadedFile]
) -> tuple[ObjectAnnotation, ...]:
    """The objects that the files annotate in the photo, in upright pixels, the target first.

    Args:
        photo: the upload.
        files: its ``.xml``; its ``.txt``, with ``classes.txt`` or ``data.yaml`` or without; or a
            ``.json`` of COCO or LabelMe.

    Raises:
        UserError: if they annotate nothing in it, or cannot be used; the text names the file.
    """
    if len(files) > MOST_FILES:
        raise UserError(f"{len(files)} files came with the photo: drop it with its annotation.")
    names, name = " and ".join(file.name for file in files), plain_name(photo.name)
    name += ".jpg" * is_annotation(name)
    if n_bytes(files) > MAX_ANNOTATION_BYTES:
        raise UserError(f"{names} is larger than {MAX_ANNOTATION_BYTES >> 20} MiB: shorten it.")
    if sum(map(n_lines, files)) > MAX_LINES:
        raise UserError(f"{names} has more than {MAX_LINES:,} lines: shorten it.")
    annotations = [UploadedFile(file.path, _place(file.name, name)) for file in files]
    with as_dataset_folder(
        [UploadedFile(photo.path, name), *annotations], most_objects=MAX_LINES
    ) as dropped:
        place = dropped.files[0]
        if why := dropped.problems.get(place):
            raise UserError(f"{names}: {why.removeprefix(f'{name}: ')}")
        known = dropped.known.get(place)
        if dropped.note:
            raise UserError(
                f"{names} is no annotation of VOC, YOLO, COCO or LabelMe: drop the photo with its"
                " .xml, .txt or .json file, or alone."
            )
    if known is None or not known.image.objects:
        raise UserError(f"{names} names no object of {name}: correct it, or drop the photo alone.")
    target = known.image.largest
    return tuple(sorted(known.image.objects, key=lambda each: each is not target)[:MAX_BOXES])


def _place(name: str, photo: str) -> str:
    """The name to give a file: an annotation of a single photo is named after this photo."""
    plain = plain_name(name)
    if plain.casefold() in NAME_FILES or Path(plain).suffix.lower() in SHARED_SUFFIXES:
        return plain
    return stem_of(photo) + Path(plain).suffix.lower()
