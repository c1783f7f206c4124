"""An augmented copy of a whole data set, as files for other programs.

For every picture ``pictures.jsonl`` has a line with its variant and its boxes. So a stopped export
can be resumed, and the annotation files are written from those lines at the end.
"""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import torch
from PIL import Image
from tqdm import tqdm

from model.augment import AugmentConfig, Picture, Pipeline, photo_seed, working_side
from model.csv_cells import csv_text
from model.data.annotations import (
    OBJECT_COLUMNS,
    AnnotatedPhoto,
    annotation_files,
    labelled,
    object_rows,
    to_coco,
    to_voc,
    to_yolo,
    yolo_yaml,
)
from model.data.dataset import DatasetPhoto
from model.data.image_pixels import fitted_size
from model.data.images import load_fitted, load_image
from model.data.records import ObjectAnnotation, objects_from
from model.errors import UserError
from model.files import atomic_write, distinct, ensure_writable, write_file

LabelFormat = Literal["coco", "yolo", "voc", "all"]
PictureKind = Literal["photo", "canvas"]
MANIFEST, RECORDS = "manifest.json", "pictures.jsonl"
QUALITY = 95
_FOLDERS = {"coco": "{split}", "yolo": "images/{split}", "voc": "JPEGImages", "all": ""}


@dataclass(frozen=True)
class ExportPlan:
    """All options of an augmented copy; the same plan gives the same files.

    Attributes:
        split: train, val or test: part of the folder names.
        class_names: of the whole set; position = class id.
        labels: format of the annotations; ``all`` writes every format next to the pictures.
        pictures: ``photo`` has the shape of each photo and at most ``longest_side`` pixels, as
            JPEG; ``canvas`` is the network's square, as PNG: what training sees, to the pixel.
        variants: how many per photo; the k-th is what training draws in epoch k.
        boxes_from_detector: file name -> score of photos without annotation, whose only box is a
            prediction; part of the manifest.
    """

    config: AugmentConfig
    split: str
    class_names: tuple[str, ...]
    labels: LabelFormat = "coco"
    pictures: PictureKind = "photo"
    variants: int = 1
    seed: int = 0
    image_size: int = 288
    longest_side: int = 2048
    boxes_from_detector: Mapping[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Folder of the pictures, relative to that of the copy."""
        return _FOLDERS[self.labels].format(split=self.split)

    def manifest(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return json.loads(json.dumps(asdict(self)))


@dataclass
class Progress:
    """How far an export is.

    Attributes:
        pictures: number done: written, written before, or left out.
        n_bytes: size of those written now.
        problems: path of a photo that cannot be read, and so is left out -> the reason.
    """

    pictures: int = 0
    n_bytes: int = 0
    problems: dict[str, str] = field(default_factory=dict)


def export(
    photos: Sequence[DatasetPhoto], plan: ExportPlan, out: Path, progress: bool = True
) -> list[str]:
    """Run :func:`export_steps` with a progress bar; return the problems as sentences."""
    done, total = Progress(), len(photos) * plan.variants
    with tqdm(total=total, unit="picture", disable=not progress, leave=False) as bar:
        for done in export_steps(photos, plan, out):
            bar.update(done.pictures - bar.n)
    return [*done.problems.values()]


def export_steps(
    photos: Sequence[DatasetPhoto],
    plan: ExportPlan,
    out: Path,
    load: Callable[[str], Image.Image] = load_image,
) -> Iterator[Progress]:
    """Write the copy, or the rest of a stopped one, with one photo at a time in memory.

    Yields the same object after each picture. The copy is complete once the iterator is exhausted.

    Args:
        photos: see :meth:`model.data.dataset.Dataset.of_split`.
        out: a folder, or a name ending in ``.zip``. A ZIP is packed from a folder of the same name
            plus ``.parts``, which is then removed.
        load: reads the photo at a path, or a smaller copy of it.

    Raises:
        UserError: if ``out`` holds anything else, or cannot be written.
    """
    is_zip = out.suffix.lower() == ".zip"
    if is_zip and out.exists():
        raise UserError(f"{out} is there already: choose another name, or remove it.")
    folder = out.with_name(out.name + ".parts") if is_zip else out
    written = _opened(folder, plan)
    names = picture_names(photos)
    done = Progress()
    with (folder / RECORDS).open("a", encoding="utf-8") as records:
        for number, (photo, name) in enumerate(zip(photos, names, strict=True), 1):
            numbers = range(1, plan.variants + 1)
            todo = [k for k in numbers if _file_name(plan, name, k) not in written]
            try:
                whole = load(photo.path) if todo else None
            except UserError as error:
                done.problems[photo.path] = str(error)
                whole = None
            for record, picture in _pictures(photo, whole, plan, name, todo):
                path = folder / plan.folder / record["file_name"]
                _write_picture(path, picture, plan)
                records.write(json.dumps(record) + "\n")
                records.flush()
                done.pictures += 1
                done.n_bytes += path.stat().st_size
                yield done
            done.pictures = number * plan.variants
            yield done
    _write_labels(folder, plan)
    if is_zip:
        _pack(folder, out)


def _opened(folder: Path, plan: ExportPlan) -> set[str]:
    """Prepare the folder; return the names of pictures that an earlier run has written."""
    manifest = folder / MANIFEST
    if folder.is_dir() and any(folder.iterdir()):
        earlier = json.loads(manifest.read_text()) if manifest.is_file() else None
        if earlier != plan.manifest():
            raise UserError(
                f"{folder} holds {'an export with other settings' if earlier else 'other files'}:"
                " choose another folder. Nothing in it was changed."
            )
        _mend_last_line(folder / RECORDS)
        return {
            record["file_name"]
            for record in _records(folder)
            if (folder / plan.folder / record["file_name"]).is_file()
        }
    ensure_writable(folder / plan.folder)
    write_file(manifest, json.dumps(plan.manifest(), indent=1) + "\n")
    return set()


def _mend_last_line(path: Path) -> None:
    """Remove an incomplete last line, which a crash leaves."""
    if path.is_file() and (text := path.read_bytes()) and not text.endswith(b"\n"):
        write_file(path, text[: text.rfind(b"\n") + 1])


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    path = folder / RECORDS
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def picture_names(photos: Sequence[DatasetPhoto]) -> list[str]:
    """A file name without suffix for each photo, all different even if case is ignored.

    Characters that break lines, XML, or other file systems are replaced.
    """
    paths = (PurePosixPath(photo.image.file_name).with_suffix("") for photo in photos)
    names = ("".join(map(_allowed, "__".join(path.parts))) for path in paths)
    # File systems allow 255 bytes; the end of a long name tells more than its beginning.
    ends = (name.encode()[-200:] for name in names)
    return distinct((name.decode("utf-8", "ignore") for name in ends), "-")


def _allowed(character: str) -> str:
    return character if character.isprintable() and character not in '<>:"|?*\\' else "_"


def _file_name(plan: ExportPlan, name: str, number: int) -> str:
    return f"{name}_v{number:03d}.{'png' if plan.pictures == 'canvas' else 'jpg'}"


def _pictures(
    photo: DatasetPhoto,
    whole: Image.Image | None,
    plan: ExportPlan,
    name: str,
    numbers: Sequence[int],
) -> Iterator[tuple[dict[str, Any], Image.Image]]:
    """Record and picture of each variant in ``numbers``; none if ``whole`` is ``None``."""
    if whole is None:
        return
    annotated = photo.image
    width, height = annotated.width, annotated.height
    copy_size = fitted_size((width, height), working_side(plan.image_size))
    objects = sorted(annotated.objects, key=lambda o: (o.difficult, -o.area))
    # A photo without objects is augmented as if one object filled it.
    corners = [o.bbox_xyxy for o in objects] or [(0, 0, width, height)]
    scale = torch.tensor([copy_size[0] / width, copy_size[1] / height]).repeat(2)
    boxes = torch.tensor(corners, dtype=torch.float32) * scale
    pipeline = Pipeline(plan.config, plan.image_size)
    for number in numbers:
        seed = photo_seed(plan.seed, number - 1, Path(photo.path).name)
        draw = pipeline.plan(copy_size, boxes, seed)
        if plan.pictures == "photo":
            side = plan.longest_side
            picture = pipeline.picture(whole, copy_size, boxes, longest_side=side, plan=draw)
        else:
            small = load_fitted(photo.path, working_side(plan.image_size)).image
            canvas = pipeline.trace(small, boxes, plan=draw).steps[-1]
            picture = Picture(canvas.image, canvas.all_boxes, canvas.all_visible)
        file_name = _file_name(plan, name, number)
        yield {
            "file_name": file_name, "source": annotated.file_name, "variant": number, "seed": seed,
            "redraws": draw.redraws, "gave_up": draw.gave_up,
            **_labels(picture, file_name, objects),
        }, picture.image  # fmt: skip


def _labels(
    picture: Picture, file_name: str, objects: Sequence[ObjectAnnotation]
) -> dict[str, Any]:
    boxes, visible = picture.bbox_xyxy[: len(objects)], picture.visible[: len(objects)]
    kept = labelled(file_name, picture.image.size, objects, boxes.tolist(), visible.tolist())
    return {
        "width": kept.width, "height": kept.height,
        "objects": [[o.class_name, *o.bbox_xyxy, o.difficult] for o in kept.objects],
        "visible": list(kept.visible),
    }  # fmt: skip


def _write_picture(path: Path, picture: Image.Image, plan: ExportPlan) -> None:
    with atomic_write(path) as temporary:
        if plan.pictures == "canvas":
            picture.save(temporary, "PNG", compress_level=3)
        else:
            picture.save(temporary, "JPEG", quality=QUALITY, subsampling=0)


def _write_labels(folder: Path, plan: ExportPlan) -> None:
    """Write all annotation files from ``pictures.jsonl``."""
    # The last line of each picture counts: a deleted picture was written again.
    records = {record["file_name"]: record for record in _records(folder)}
    photos = [_annotated(records[name]) for name in sorted(records)]
    files = {
        "coco": lambda: {f"{plan.split}/_annotations.coco.json": to_coco(photos, plan.class_names)},
        "yolo": lambda: _yolo_files(photos, plan),
        "voc": lambda: _voc_files(photos, plan),
        "all": lambda: {
            "augment.json": plan.config.to_json() + "\n",
            "boxes.csv": csv_text(
                [OBJECT_COLUMNS, *(row for photo in photos for row in object_rows(photo))]
            ),
            **annotation_files(photos, plan.class_names),
        },
    }[plan.labels]()
    for name, text in files.items():
        write_file(folder / name, text)


def _annotated(record: dict[str, Any]) -> AnnotatedPhoto:
    objects = tuple(objects_from(record["objects"]))
    size = record["width"], record["height"]
    return AnnotatedPhoto(record["file_name"], *size, objects, tuple(record["visible"]))


def _yolo_files(photos: Sequence[AnnotatedPhoto], plan: ExportPlan) -> dict[str, str]:
    where = f"{plan.split}: {plan.folder}\n"
    yaml = yolo_yaml(plan.class_names).replace("train: .\nval: .\n", where)
    labels = {
        f"labels/{plan.split}/{Path(p.file_name).stem}.txt": to_yolo(p, plan.class_names)
        for p in photos
    }
    return {"data.yaml": yaml, **labels}


def _voc_files(photos: Sequence[AnnotatedPhoto], plan: ExportPlan) -> dict[str, str]:
    stems = [Path(p.file_name).stem for p in photos]
    files = {f"Annotations/{s}.xml": to_voc(p) for s, p in zip(stems, photos, strict=True)}
    return {**files, f"ImageSets/Main/{plan.split}.txt": "".join(f"{s}\n" for s in stems)}


def _pack(folder: Path, out: Path) -> None:
    """Pack the folder into a ZIP, and remove it."""
    with atomic_write(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            is_picture = path.suffix in (".jpg", ".png")
            method = zipfile.ZIP_STORED if is_picture else zipfile.ZIP_DEFLATED
            archive.write(path, path.relative_to(folder).as_posix(), method)
    shutil.rmtree(folder)
