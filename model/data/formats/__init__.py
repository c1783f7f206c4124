"""The formats of data sets: each module knows everything about one, and all say the same.

The readers are our own because those of common libraries drop ``difficult`` and ``iscrowd``, and
several misread photos that EXIF turns.
"""

from typing import Literal

from model.data.formats.coco import COCO
from model.data.formats.listing import Format
from model.data.formats.voc import VOC
from model.data.formats.yolo import YOLO
from model.data.tree import Tree
from model.errors import UserError

FormatName = Literal["auto", "voc", "yolo", "coco"]
FORMATS = {each.name: each for each in (VOC, YOLO, COCO)}


def format_of(tree: Tree, name: str = "auto") -> Format:
    """The format of the data set in a folder, by what lies there unless it is named.

    Raises:
        UserError: if there is none, or more than one.
    """
    if name != "auto":
        if name not in FORMATS:
            raise UserError(f"there is no format {name!r}. There is: auto, {', '.join(FORMATS)}.")
        return FORMATS[name]
    found = [each for each in FORMATS.values() if each.recognises(tree)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(each.name for each in found)
        raise UserError(
            f"{tree.root} holds annotations of {names}. Say which with --format, or name one data"
            " set's own folder."
        )
    others = tree.with_suffix(".csv", ".json", ".jsonl", ".tfrecord", ".parquet", ".zip")
    others = others or tree.with_suffix(".xml") or tree.with_suffix(".txt")
    of_another_kind = (
        f" What lies there, {', '.join(others[:2])}, is of another kind: export it as COCO, YOLO or"
        " VOC, or unpack it."
        if others
        else ""
    )
    raise UserError(
        f"{tree.root} holds no VOC, YOLO or COCO data set: photos with XML files, with text files"
        f" and a data.yaml, or with a JSON file.{of_another_kind} Correct --data, or get VOC 2007"
        f" with: python -m model.dataset download --data {tree.root}"
    )
