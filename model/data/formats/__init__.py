"""The formats of data sets: one module each, and all give the same kind of listing.

The readers are our own because those of common libraries drop ``difficult`` and ``iscrowd``, and
several misread photos that EXIF turns.
"""

from typing import Literal

from model.data.formats.coco import COCO
from model.data.formats.labelme import LABELME
from model.data.formats.listing import Format
from model.data.formats.table import TABLE
from model.data.formats.unread import unread_format
from model.data.formats.voc import VOC
from model.data.formats.yolo import YOLO
from model.data.tree import Tree
from model.errors import UserError

FormatName = Literal["auto", "voc", "yolo", "coco", "labelme", "csv"]
FORMATS = {each.name: each for each in (VOC, YOLO, COCO, LABELME, TABLE)}
# Often left beside the format they were converted to, which is then the one to read.
OFTEN_BESIDE_OTHERS = (LABELME, TABLE)


def formats_in(tree: Tree) -> list[Format]:
    """The formats found in a folder.

    Raises:
        UserError: if the only annotations found cannot be read.
    """
    main = [each for each in FORMATS.values() if each not in OFTEN_BESIDE_OTHERS]
    if found := [each for each in main if each.recognises(tree)]:
        return found
    for each in OFTEN_BESIDE_OTHERS:
        try:
            found += [each] if each.recognises(tree) else []
        except UserError:
            if not found:
                raise
    return found


def format_of(tree: Tree, name: str = "auto") -> Format:
    """The format called ``name``; for ``auto`` the one found in the folder.

    Raises:
        UserError: if there is none, or more than one.
    """
    if name != "auto":
        if name not in FORMATS:
            raise UserError(f"there is no format {name!r}. There is: auto, {', '.join(FORMATS)}.")
        return FORMATS[name]
    found = formats_in(tree)
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(each.name for each in found)
        raise UserError(
            f"{tree.root} holds annotations of {names}. Say which with --format, or name one data"
            " set's own folder."
        )
    what = unread_format(tree)
    raise UserError(
        f"{tree.root} holds no VOC, YOLO or COCO data set: photos with XML files, with text files"
        f" and a data.yaml, or with a JSON file. LabelMe's JSON is read, too, and CSV"
        " with columns for file, class and corners."
        f" {'' if tree.photos else 'There is no photo in it. '}{f'There, {what}. ' if what else ''}"
        "Correct --data, or get VOC 2007 with: python -m"
        f" model.dataset download --data {tree.root}"
    )
