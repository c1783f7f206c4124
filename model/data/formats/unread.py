"""Formats that are not read, only recognised to say how to convert them."""

import re
from typing import NamedTuple

from model.data.tree import Tree

HEAD = 1 << 16  # bytes of a file


class Unread(NamedTuple):
    """A format: its name, file suffixes, patterns that each file contains, and the remedy."""

    name: str
    suffixes: tuple[str, ...]
    marks: tuple[bytes, ...]
    remedy: str


_EXPORT = "export it there once more, as COCO, YOLO or Pascal VOC, with its images"
_LINES = "convert it to COCO, YOLO or VOC, as its tools or the package fiftyone do"
_NUMBERS = rb"(,\s*-?[\d.]+)"
UNREAD = (
    Unread("Label Studio's own export", (".json", ".csv"), (rb'"rectanglelabels"',), _EXPORT),
    Unread("VIA's JSON", (".json",), (rb'"shape_attributes"',), "export it there as COCO"),
    Unread("VIA's CSV", (".csv",), (rb"region_shape_attributes",), "export it there as COCO"),
    Unread("Datumaro's JSON", (".json",), (rb'"items"', rb'"categories"'), _EXPORT),
    Unread("Apple's CreateML", (".json",), (rb'"coordinates"', rb'"label"'), _EXPORT),
    Unread("BDD100K's JSON", (".json",), (rb'"box2d"',), "convert it with bdd100k.label.to_coco"),
    Unread("results in COCO's format", (".json",), (rb'"bbox"', rb'"category_id"'),
           "name the folder with the annotations themselves, a JSON file with a list of images"),
    Unread("Hugging Face's metadata", (".jsonl", ".ndjson"), (rb'"file_name"',), _LINES),
    Unread("CVAT's XML", (".xml",), (rb"<annotations", rb"<image\s"), _EXPORT),
    Unread("dlib's XML", (".xml",), (rb"<dataset", rb"<box\s"), _LINES),
    Unread("KITTI's labels", (".txt",), (rb"^[A-Za-z_]+( -?[\d.]+){14}",), _LINES),
    Unread("DOTA's labels", (".txt",), (rb"^(-?[\d.]+ ){8}\S+ \d\s*$",), _LINES),
    Unread("MOT's tracks", (".txt",), (rb"^\d+" + _NUMBERS + rb"{8,9}\s*$",), _LINES),
    Unread("VisDrone's labels", (".txt",), (rb"^\d+" + _NUMBERS + rb"{7},?\s*$",), _LINES),
    Unread("a list of photos with boxes", (".txt",), (rb"^\S.*\.\w+( \d+,\d+,\d+,\d+,\d+)+\s*$",),
           "write a CSV with the columns filename, class, xmin, ymin, xmax, ymax"),
    Unread("an archive", (".zip", ".gz", ".tgz", ".tar", ".7z", ".rar"), (), "unpack it"),
    Unread("a database of samples", (".tfrecord", ".parquet", ".arrow", ".h5", ".mat"), (), _LINES),
    Unread("of another kind", (".csv", ".tsv", ".json", ".jsonl", ".xml", ".txt"), (),
           "export it as COCO, YOLO or VOC"),
)  # fmt: skip


def unread_format(tree: Tree) -> str:
    """The unread format found in a folder and how to convert it, in a phrase; else empty."""
    for each in UNREAD:
        for path in tree.with_suffix(*each.suffixes)[:20]:
            try:
                if _holds(tree.path(path), each.marks):
                    return f"{path} is {each.name}: {each.remedy}"
            except OSError as error:
                return f"{path} cannot be read: {error.strerror}"
    return ""


def _holds(path: str, marks: tuple[bytes, ...]) -> bool:
    if not marks:
        return True
    with open(path, "rb") as stream:
        head = stream.read(HEAD)
    return all(re.search(mark, head, re.MULTILINE) for mark in marks)
