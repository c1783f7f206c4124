"""The boxes of a photo that came together with its annotation, in any format of a data set."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from demo.box_editor import MAX_BOXES, EditedBox
from demo.choice import SentFile
from model.data.dataset import Dataset
from model.data.formats import NoDataSetError
from model.data.names import parts_of, stem_of
from model.errors import UserError

MOST_FILES = 3  # an annotation, and the names of its classes
MAX_ANNOTATION_BYTES = 4 << 20
MAX_LINES = 30_000  # which take about a second
NAME_FILES = frozenset({"classes.txt", "_darknet.labels", "obj.names", "labels.txt", "names.txt"})
SHARED_SUFFIXES = (".json", ".yaml", ".yml")  # of files that speak of many photos
ABOUT_OTHER_PHOTOS = frozenset({"photo missing", "name listed twice", "nothing to learn"})


def boxes_beside(photo: SentFile, files: Sequence[SentFile]) -> list[EditedBox]:
    """The boxes that the files say of the photo, in pixels of the upright one, the target first.

    Args:
        photo: as it was sent.
        files: its ``.xml``; its ``.txt``, with ``classes.txt`` or ``data.yaml`` or without; or a
            ``.json`` of COCO or LabelMe.

    Raises:
        UserError: if they say nothing of it, or make a mistake; the text names the file.
    """
    if len(files) > MOST_FILES:
        raise UserError(f"{len(files)} files came with the photo: drop it with its annotation.")
    with tempfile.TemporaryDirectory(prefix="annotated-") as folder:
        root = Path(folder) / "dropped"
        root.mkdir()
        name = plain_name(photo.name)
        shutil.copyfile(photo.path, root / name)
        for file in files:
            if file.path.stat().st_size > MAX_ANNOTATION_BYTES:
                raise UserError(
                    f"{file.name} is larger than {MAX_ANNOTATION_BYTES >> 20} MiB: shorten it."
                )
            if n_lines(file) > MAX_LINES:
                raise UserError(f"{file.name} has more than {MAX_LINES:,} lines: shorten it.")
            shutil.copyfile(file.path, root / _place(file.name, name))
        return _read(root, name, files)


def n_lines(file: SentFile) -> int:
    """Lines of a ``.txt``, and of an ``.xml`` those that speak of objects; 0 of other files."""
    suffix = Path(file.name).suffix.lower()
    if suffix == ".xml":  # of any encoding, and maybe all in one line
        return file.path.read_bytes().replace(b"\0", b"").lower().count(b"object")
    if suffix != ".txt":
        return 0
    return len(file.path.read_text("utf-8", "replace").splitlines())


def _read(root: Path, name: str, files: Sequence[SentFile]) -> list[EditedBox]:
    said = " and ".join(file.name for file in files)
    try:
        dataset = Dataset(root, cache_dir=root.parent)
        found, blemishes = dataset.find(name), dataset.blemishes
    except NoDataSetError:
        raise UserError(
            f"{said} is no annotation of VOC, YOLO, COCO or LabelMe: drop the photo with its .xml,"
            " .txt or .json file, or alone."
        ) from None
    except UserError as error:
        raise UserError(str(error).replace(f"{root}/", "").replace(str(root), said)) from None
    for blemish in blemishes:
        if blemish.effect in ("left out", "stops") and blemish.kind not in ABOUT_OTHER_PHOTOS:
            raise UserError(f"{said}: {blemish.words}.")
    if found is None or not found.image.objects:
        raise UserError(f"{said} names no object of {name}: correct it, or drop the photo alone.")
    target = found.image.largest
    things = sorted(found.image.objects, key=lambda thing: thing is not target)[:MAX_BOXES]
    return [EditedBox(bbox_xyxy=thing.bbox_xyxy, class_name=thing.class_name) for thing in things]


def plain_name(name: str) -> str:
    """The last part of a name that anybody may have made up, as a file of ours can have it."""
    name = name.replace("\0", "").encode("utf-8", "replace").decode()  # no half characters
    name = (parts_of(name) or ["photo"])[-1].lstrip(".") or "photo"
    return name.encode()[-200:].decode("utf-8", "ignore")


def _place(name: str, photo: str) -> str:
    """What a file is called beside the photo: an annotation of one photo is that of this one."""
    plain = plain_name(name)
    if plain.casefold() in NAME_FILES or Path(plain).suffix.lower() in SHARED_SUFFIXES:
        return plain
    return stem_of(photo) + Path(plain).suffix.lower()
