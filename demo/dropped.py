"""Many files uploaded at once: the photos, and the annotations among them."""

import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from demo.choice import UploadedFile
from model.data.blemishes import BOXES_DO_NOT_FIT, KINDS
from model.data.dataset import Dataset, DatasetPhoto
from model.data.formats import formats_in
from model.data.names import key_of, parts_of
from model.data.tree import Tree
from model.errors import UserError
from model.words import counted

MAX_ANNOTATION_BYTES = 4 << 20
MAX_LINES = 30_000  # which take about a second
ABOUT_OTHER_PHOTOS = frozenset({"photo missing", "name listed twice", "nothing to learn"})
ANNOTATIONS = frozenset({".xml", ".txt", ".json", ".yaml", ".yml", ".labels", ".names"})
MAX_OBJECTS = 1000  # of a photo
MAX_DEPTH = 6  # folders that are kept of a name


@dataclass
class DroppedPhotos:
    """Uploaded photos in a temporary folder, under their original names.

    Attributes:
        root: the folder.
        files: the photos below it.
        known: the annotated photos by file; some may have no object.
        problems: by file, why the annotation of a photo cannot be used.
        note: a sentence on files that are neither photo nor annotation; empty if there are none.
    """

    root: Path
    files: list[Path] = field(default_factory=list)
    known: dict[Path, DatasetPhoto] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)
    note: str = ""

    @property
    def unknown(self) -> list[Path]:
        """Photos without annotation."""
        return [file for file in self.files if file not in self.known | self.problems]


def is_annotation(name: str) -> bool:
    """Whether a file is an annotation, by its suffix; all other files are taken for photos."""
    return Path(name).suffix.lower() in ANNOTATIONS


def n_bytes(files: Sequence[UploadedFile]) -> int:
    """The size of all files together."""
    return sum(file.path.stat().st_size for file in files)


def n_lines(file: UploadedFile) -> int:
    """Lines of a ``.txt``, or mentions of objects in an ``.xml``; 0 for other files."""
    suffix = Path(file.name).suffix.lower()
    if suffix == ".xml":  # of any encoding, and maybe all in one line
        return file.path.read_bytes().replace(b"\0", b"").lower().count(b"object")
    if suffix != ".txt":
        return 0
    return len(file.path.read_text("utf-8", "replace").splitlines())


def plain_name(name: str) -> str:
    """The last part of an untrusted file name, safe to use on this disk."""
    name = name.replace("\0", "").encode("utf-8", "replace").decode()  # no half characters
    name = (parts_of(name) or ["photo"])[-1].lstrip(".") or "photo"
    return name.encode()[-200:].decode("utf-8", "ignore")


@contextmanager
def as_dataset_folder(
    files: Sequence[UploadedFile], most_objects: int = MAX_OBJECTS
) -> Generator[DroppedPhotos]:
    """Lay uploads out as a data set in a temporary folder, and read it.

    Args:
        files: photos and annotations, their names with the folders that they lay in.
        most_objects: of a photo.

    Raises:
        UserError: if the annotations are of several formats, or one of them that is about many
            photos cannot be read.
    """
    annotations = [file for file in files if is_annotation(file.name)]
    if n_bytes(annotations) > MAX_ANNOTATION_BYTES:
        raise UserError(
            f"the annotations are larger than {MAX_ANNOTATION_BYTES >> 20} MiB together: send"
            " fewer photos at once."
        )
    if sum(map(n_lines, annotations)) > MAX_LINES:
        raise UserError(
            f"the annotations have more than {MAX_LINES:,} lines together: send fewer photos at"
            " once."
        )
    with tempfile.TemporaryDirectory(prefix="dropped-") as folder:
        dropped = DroppedPhotos(Path(folder).resolve() / "dropped")
        for number, file in enumerate(files):
            place = _place(dropped.root, file.name, number)
            _link(file.path, place)
            if not is_annotation(file.name):
                dropped.files.append(place)
        if annotations:
            _read(dropped, len(annotations), most_objects)
        yield dropped


def _place(root: Path, name: str, number: int) -> Path:
    """The path for an upload; of two with one name the second goes to a folder of its own."""
    parts = [plain_name(part) for part in parts_of(name.replace("\0", ""))] or ["photo"]
    for folder in (root, root / f"again-{number}"):
        place = folder.joinpath(*parts[-MAX_DEPTH:])
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):  # a file is called like this folder
            continue
        if not place.exists():
            return place
    raise UserError(f"{name[:60]} came twice: send it once.")


def _link(file: Path, place: Path) -> None:
    try:
        os.link(file, place)
    except OSError:  # on another disk, or one without links
        shutil.copyfile(file, place)


def _read(dropped: DroppedPhotos, n_annotations: int, most_objects: int) -> None:
    try:
        found = [each.name for each in formats_in(Tree(dropped.root, False))]
        if len(found) > 1:
            raise UserError(
                f"there are annotations of {' and '.join(found)}: send those of one format."
            )
        if not found:
            others = counted(n_annotations, "other file")
            dropped.note = f"No annotation of VOC, YOLO, COCO or LabelMe is among {others}."
            return
        dataset = Dataset(dropped.root, found[0], cache_dir=dropped.root.parent)
        _sort(dropped, dataset, most_objects)
    except UserError as error:
        raise UserError(str(error).replace(f"{dropped.root}/", "")) from None


def _sort(dropped: DroppedPhotos, dataset: Dataset, most_objects: int) -> None:
    """Fill ``known`` and ``problems`` from the data set that the files make."""
    photos = {Path(photo.path): photo for photo in dataset.photos}
    reasons: dict[Path | str, str] = {}
    unlabelled = set()
    for blemish in dataset.blemishes:
        kind, where, detail = blemish
        if kind == BOXES_DO_NOT_FIT:
            raise UserError(f"{KINDS[kind].text}. {detail}.")
        place = dataset.folders[0] / where
        if kind == "no label file":
            unlabelled.add(place)
        elif blemish.effect == "left out" and kind not in ABOUT_OTHER_PHOTOS:
            # An annotation that cannot be read is named by its own file.
            # The first reason of a photo causes the others.
            reasons.setdefault(key_of(where) if is_annotation(where) else place, blemish.words)
    for file in dropped.files:
        why = reasons.get(file) or (file not in photos and reasons.get(key_of(file.name)))
        if why:
            dropped.problems[file] = f"{file.name}: {why.replace(f'{dropped.root}/', '')}."
        elif file in photos and (n_objects := len(photos[file].image.objects)) > most_objects:
            dropped.problems[file] = (
                f"{file.name}: {n_objects:,} objects, and {most_objects} may be."
            )
        elif file in photos and file not in unlabelled:
            dropped.known[file] = photos[file]
