"""An augmented copy of a whole data set, as files for other programs.

Every picture is written with a line in ``pictures.jsonl`` that says all of it: what was drawn, and
the boxes. So an export that was stopped goes on where it was, and the labels can be written last.
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
    """What an augmented copy consists of; the same plan gives the same files.

    Attributes:
        split: train, val or test, under which readers find the pictures.
        class_names: of the whole set; the position is the class id.
        labels: format of the annotations; ``all`` puts those of every format beside the pictures.
        pictures: ``photo`` has the shape of each photo and at most ``longest_side`` pixels, as
            JPEG; ``canvas`` is the network's square, as PNG: what training sees, to the pixel.
        variants: of each photo; the k-th is what training draws in epoch k.
        boxes_from_detector: file name -> score, of photos that nobody annotated: their one box is
            what a detector says.
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
        """Of the pictures."""
        return _FOLDERS[self.labels].format(split=self.split)

    def manifest(self) -> dict[str, Any]:
        """As JSON has it."""
        return json.loads(json.dumps(asdict(self)))


@dataclass
class Progress:
    """How far an export is.

    Attributes:
        pictures: that are done with: written, there already, or left out.
        n_bytes: of those written now.
        problems: a sentence for each photo that cannot be read, by its path; it is left out.
    """

    pictures: int = 0
    n_bytes: int = 0
    problems: dict[str, str] = field(default_factory=dict)


def export(
    photos: Sequence[DatasetPhoto], plan: ExportPlan, out: Path, progress: bool = True
) -> list[str]:
    """:func:`export_steps` at once, with a bar; the sentences of :attr:`Progress.problems`."""
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
    """Write the copy, or the rest of one that was stopped; one photo at a time is in memory.

    Gives the same object after each picture. What is written is complete once all was asked for.

    Args:
        photos: of :meth:`model.data.dataset.Dataset.of_split`.
        out: a folder, or a name that ends in ``.zip``: that is made of the folder of the same name
            with ``.parts`` behind it, which is then removed.
        load: gives the photo at a path, or a smaller copy of it.

    Raises:
        UserError: if ``out`` holds something else, or cannot be written.
    """
    is_zip = out.suffix.lower() == ".zip"
    if is_zip and out.exists():
        raise UserError(f"{out} is there already: choose another name, or remove it.")
    folder = out.with_name(out.name + ".parts") if is_zip else out
    written = _opened(folder, plan)
    names = picture_names(photos)
    done = Progress()
    with (folder / RECORDS).open("a", encoding="utf-8") as records:
        for place, (photo, name) in enumerate(zip(photos, names, strict=True), 1):
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
            done.pictures = place * plan.variants
            yield done
    _write_labels(folder, plan)
    if is_zip:
        _pack(folder, out)


def _opened(folder: Path, plan: ExportPlan) -> set[str]:
    """The pictures that are there already, of the same plan."""
    manifest = folder / MANIFEST
    if folder.is_dir() and any(folder.iterdir()):
        known = json.loads(manifest.read_text()) if manifest.is_file() else None
        if known != plan.manifest():
            raise UserError(
                f"{folder} holds {'an export with other settings' if known else 'other files'}:"
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
    """Cut off what a crash left of a line, so that the next one starts anew."""
    if path.is_file() and (text := path.read_bytes()) and not text.endswith(b"\n"):
        write_file(path, text[: text.rfind(b"\n") + 1])


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    path = folder / RECORDS
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def picture_names(photos: Sequence[DatasetPhoto]) -> list[str]:
    """A name for each photo, without ending, all different also where case does not count.

    Characters that break lines, XML, or file systems of others are replaced.
    """
    paths = (PurePosixPath(photo.image.file_name).with_suffix("") for photo in photos)
    plain = ("".join(map(_as_in_a_name, "__".join(path.parts))) for path in paths)
    # The end of a long one tells more than its beginning, and file systems take 255 bytes.
    whole = (name.encode()[-200:] for name in plain)
    return distinct((name.decode("utf-8", "ignore") for name in whole), "-")


def _as_in_a_name(character: str) -> str:
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
    """Each variant asked for, and what is to be known of it."""
    if whole is None:
        return
    known = photo.image
    copy_size = fitted_size((known.width, known.height), working_side(plan.image_size))
    things = sorted(known.objects, key=lambda o: (o.difficult, -o.area))
    # What shows nothing is moved as if it showed one thing, all over.
    corners = [t.bbox_xyxy for t in things] or [(0, 0, known.width, known.height)]
    scale = torch.tensor([copy_size[0] / known.width, copy_size[1] / known.height]).repeat(2)
    boxes = torch.tensor(corners, dtype=torch.float32) * scale
    pipeline = Pipeline(plan.config, plan.image_size)
    for number in numbers:
        seed = photo_seed(plan.seed, number - 1, Path(photo.path).name)
        drawn = pipeline.plan(copy_size, boxes, seed)
        if plan.pictures == "photo":
            side = plan.longest_side
            picture = pipeline.picture(whole, copy_size, boxes, longest_side=side, plan=drawn)
        else:
            small = load_fitted(photo.path, working_side(plan.image_size)).image
            canvas = pipeline.trace(small, boxes, plan=drawn).steps[-1]
            picture = Picture(canvas.image, canvas.all_boxes, canvas.all_visible)
        file_name = _file_name(plan, name, number)
        yield {
            "file_name": file_name, "source": known.file_name, "variant": number, "seed": seed,
            "redraws": drawn.redraws, "gave_up": drawn.gave_up,
            **_labels(picture, file_name, things),
        }, picture.image  # fmt: skip


def _labels(picture: Picture, file_name: str, things: Sequence[ObjectAnnotation]) -> dict[str, Any]:
    boxes, visible = picture.bbox_xyxy[: len(things)], picture.visible[: len(things)]
    kept = labelled(file_name, picture.image.size, things, boxes.tolist(), visible.tolist())
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
    """All annotations, of what ``pictures.jsonl`` says."""
    # The last line of each picture: one that had vanished was written anew.
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
    """The folder as a ZIP, file by file, and then no more folder."""
    with atomic_write(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            pressed = path.suffix not in (".jpg", ".png")
            archive.write(
                path, path.relative_to(folder).as_posix(),
                zipfile.ZIP_DEFLATED if pressed else zipfile.ZIP_STORED,
            )  # fmt: skip
    shutil.rmtree(folder)
