"""Many photos, augmented with the settings of the tab, as one ZIP."""

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from demo.backend import Backend, user_message
from demo.choice import MAX_PHOTOS, UploadedFile
from demo.dropped import DroppedPhotos, as_dataset_folder, is_annotation
from demo.server.downloads import new_download
from demo.server.storage import MIB
from demo.serving.calls import StopPressedError, raise_if_ended
from demo.views import markup
from demo.views.augment.files import FULL_SIDE, PHOTO
from demo.views.augment.state import AugmentState
from demo.views.detect import detect_files, left_out
from model.checked import as_whole
from model.data.annotations import AnnotatedPhoto, class_names_of
from model.data.dataset import DatasetPhoto
from model.data.images import load_fitted
from model.data.photo_headers import PhotoHeader
from model.data.records import ImageAnnotation, ObjectAnnotation
from model.errors import UserError
from model.inference import Detection
from model.inspect.variants import MAX_VARIANTS, checked_box
from model.loading.augmented_copy import ExportPlan, export_steps
from model.words import counted, readable_size

MAX_PICTURES = 300  # photos x variants
MAX_ANNOTATIONS = 2 * MAX_PHOTOS + 10
MAX_ZIP_BYTES = 200 * MIB
TOO_LARGE = (
    f"the ZIP would be larger than {MAX_ZIP_BYTES // MIB} MB: choose fewer variants or photos, or"
    " the canvas instead of the photo."
)
NONE_LEFT = "no photo is left."
NOTHING_YET = (
    "The ZIP holds every picture, all boxes as CSV, COCO, YOLO and VOC, and what was drawn. Boxes"
    " come from the annotations sent along, in one of these formats; where there are none, the"
    " detector's box is used if it is sure."
    f" At most {MAX_PHOTOS} photos, and {MAX_PICTURES} pictures."
)


@dataclass
class FolderZip:
    """The state of making a ZIP.

    Attributes:
        doing: the present stage, in words.
        done, total, unit: progress of that stage.
        problems: files that are left out, by the path of the upload, each with a sentence why.
        shown: HTML, the result.
        file: path of the ZIP; empty until it is finished.
    """

    doing: str = ""
    done: int = 0
    total: int = 0
    unit: str = "photos"
    problems: list[tuple[Path, str]] = field(default_factory=list)
    shown: Markup = field(default_factory=Markup)
    file: str = ""

    def with_problems(self, result: Markup) -> Markup:
        """The result, followed by the files that are left out."""
        return markup.join([result, *(left_out(*problem) for problem in self.problems)])


def check_asked(files: Sequence[UploadedFile], count: float) -> int:
    """Refuse what is too much for one ZIP; returns ``count``, the variants of each photo.

    Raises:
        UserError: if there is no photo, or if there are too many of anything.
    """
    variants = as_whole(count, "the number of variants", 1, MAX_VARIANTS)
    n_annotations = sum(is_annotation(file.name) for file in files)
    n_photos = len(files) - n_annotations
    if not n_photos:
        raise UserError("choose some photos first.")
    if n_photos > MAX_PHOTOS:
        raise UserError(f"{n_photos} photos are too many at once: choose at most {MAX_PHOTOS}.")
    if n_annotations > MAX_ANNOTATIONS:
        raise UserError(f"{n_annotations} annotations are too many: send those of the photos.")
    if n_photos * variants > MAX_PICTURES:
        raise UserError(
            f"{counted(n_photos, 'photo')} x {counted(variants, 'variant')} are"
            f" {n_photos * variants:,} pictures, and at most {MAX_PICTURES} are made at once:"
            " choose fewer variants, or fewer photos."
        )
    return variants


def folder_zip(
    backend: Backend,
    state: AugmentState,
    files: Sequence[UploadedFile],
    count: float,
    pictures: str,
) -> Iterator[FolderZip]:
    """Augment photos; yields the same object with its progress, at last with the file.

    Args:
        backend: checkpoints.
        state: of the tab; only the settings, seed, checkpoint and threshold are used.
        files: photos and annotations.
        count: variants of each photo.
        pictures: ``canvas`` or ``photo``.

    Raises:
        UserError: for what :func:`check_asked` refuses, annotations that cannot be read, a ZIP that
            gets too large, or if no photo is left.
        CallEndedError: if the visitor has left.
    """
    variants, made = check_asked(files, count), FolderZip("reading annotations")
    yield made
    with as_dataset_folder(files) as dropped:
        photo_uploads = [file.path for file in files if not is_annotation(file.name)]
        uploads = dict(zip(dropped.files, photo_uploads, strict=True))
        made.problems += [(uploads[file], why) for file, why in dropped.problems.items()]
        detections = yield from _looked_at(backend, state, dropped.unknown, uploads, made)
        threshold = state.threshold_of(backend.detector(state.checkpoint))
        photos, scores, left = _annotated(dropped, detections, threshold)
        made.problems += [(uploads[file], f"{file.name}: {why}") for file, why in left.items()]
        if not photos:
            raise UserError(NONE_LEFT)
        plan = _plan(backend, state, photos, scores, variants, pictures)
        summary = yield from _drawn(photos, plan, uploads, made)
        note = markup.note(" ".join(filter(None, [summary, dropped.note])))
        made.shown = made.with_problems(note)
    yield made


def _looked_at(
    backend: Backend, state: AugmentState, files: Sequence[Path], uploads: Mapping[Path, Path],
    made: FolderZip,
) -> Generator[FolderZip, None, dict[Path, Detection]]:  # fmt: skip
    """Run the detector on photos without annotation; returns file -> detection."""
    found: dict[Path, Detection] = {}
    if files:
        made.doing, made.total = "looking for boxes", len(files)
        for answers in detect_files(backend, files, state.checkpoint):
            made.done, found = answers.read, dict(answers.found)
            yield made
            if answers.stopped:
                raise StopPressedError
        made.problems += [(uploads[file], why) for file, why in answers.problems]
    return found


def _drawn(
    photos: Sequence[DatasetPhoto], plan: ExportPlan, uploads: Mapping[Path, Path], made: FolderZip
) -> Generator[FolderZip, None, str]:
    """Write all pictures into the ZIP; returns a sentence on what it holds."""
    made.doing, made.unit = "drawing", "pictures"
    made.done, made.total = 0, len(photos) * plan.variants
    with new_download("augmented.zip") as file:
        for step in export_steps(photos, plan, file, _load):
            if step.n_bytes > MAX_ZIP_BYTES:
                raise UserError(TOO_LARGE)
            made.done = step.pictures
            yield made
            raise_if_ended()
        made.problems += [
            (uploads[Path(path)], user_message(UserError(why)))
            for path, why in step.problems.items()
        ]
        n_photos = len(photos) - len(step.problems)
        if not n_photos:
            raise UserError(NONE_LEFT)
        summary = _summary(n_photos, plan, file.stat().st_size)
    made.file = str(file)
    return summary


def _load(path: str) -> Image.Image:
    """A photo at most as large as the pictures: a whole one may take much more memory."""
    return load_fitted(Path(path), FULL_SIDE).image


def _annotated(
    dropped: DroppedPhotos, detections: Mapping[Path, Detection], threshold: float
) -> tuple[list[DatasetPhoto], dict[str, float], dict[Path, str]]:
    """Photos with boxes, scores of those from the detector, and why the other files have none."""
    above = Path(os.path.commonpath([file.parent for file in dropped.files]))
    photos, scores, left = [], {}, {}
    for file in dropped.files:
        name = file.relative_to(above).as_posix()
        if known := dropped.known.get(file):
            photos.append(replace(known, image=replace(known.image, file_name=name)))
        elif d := detections.get(file):
            if d.score < threshold:
                left[file] = "the detector is not sure of it. Send its annotation too."
                continue
            try:
                x1, y1, x2, y2 = checked_box(d.bbox_xyxy, d.image_size).tolist()
            except UserError:
                left[file] = "the detector finds no box in it."
                continue
            found = ObjectAnnotation(d.class_name, (x1, y1, x2, y2))
            image = ImageAnnotation(name, *d.image_size, (found,))
            photos.append(DatasetPhoto(str(file), image, (), PhotoHeader(*d.image_size)))
            scores[name] = round(d.score, 4)
    return photos, scores, left


def _plan(
    backend: Backend, state: AugmentState, photos: Sequence[DatasetPhoto],
    scores: Mapping[str, float], variants: int, pictures: str,
) -> ExportPlan:  # fmt: skip
    objects = [
        AnnotatedPhoto(p.image.file_name, p.image.width, p.image.height, p.image.objects)
        for p in photos
    ]
    detector = backend.detector(state.checkpoint)
    return ExportPlan(
        state.config, "train", class_names_of(objects, detector.class_names), labels="all",
        pictures="photo" if pictures == PHOTO else "canvas", variants=variants,
        seed=state.first_seed, image_size=detector.info.image_size, longest_side=FULL_SIDE,
        boxes_from_detector=scores,
    )  # fmt: skip


def _summary(n_photos: int, plan: ExportPlan, n_bytes: int) -> str:
    summary = (
        f"{counted(n_photos * plan.variants, 'picture')} of {counted(n_photos, 'photo')},"
        f" {readable_size(n_bytes)}."
    )
    if scores := plan.boxes_from_detector:
        summary += f" The box of {counted(len(scores), 'photo')} is the detector's (manifest.json)."
    return summary
