"""Write photos and their boxes in the formats other programs read: YOLO, COCO and PASCAL VOC.

YOLO: one text file a photo, ``class x_center y_center width height`` as shares of the photo, class
ids from 0 in ``data.yaml``. COCO: one JSON file, boxes ``x, y, width, height`` in pixels, 0-based;
ids of photos, boxes and categories from 1; difficult objects are ``iscrowd``, which readers leave
out. VOC: one XML file a photo, corners in whole pixels, 1-based and inclusive.

Of augmented pictures COCO and VOC also say ``visible``, the share of each object that is left; YOLO
has no place for it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from xml.etree import ElementTree

from model.classes import VOC_CLASSES
from model.data.records import ObjectAnnotation

MIN_VISIBLE_TO_LABEL = 0.3
"""Share of an object that must be left in an augmented picture for it to be labelled."""

OBJECT_COLUMNS = [
    "file_name", "class_name", "xmin", "ymin", "xmax", "ymax", "width", "height", "visible",
    "difficult", "target",
]  # fmt: skip


@dataclass(frozen=True)
class AnnotatedPhoto:
    """A photo's file name, its size in pixels, and its objects; boxes 0-based and half-open.

    Attributes:
        visible: share of each object, 0..1, that an augmentation left in the picture; empty for a
            photo as it is.
    """

    file_name: str
    width: int
    height: int
    objects: tuple[ObjectAnnotation, ...]
    visible: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check that there is a share for each object, or none at all."""
        if self.visible and len(self.visible) != len(self.objects):
            raise ValueError(f"{len(self.visible)} shares of {len(self.objects)} objects")


def labelled(
    file_name: str,
    size: tuple[int, int],
    things: Sequence[ObjectAnnotation],
    bbox_xyxy: Iterable[Sequence[float]],
    visible: Iterable[float],
) -> AnnotatedPhoto:
    """An augmented picture with the objects that training would label in it.

    Those are the ones with at least :data:`MIN_VISIBLE_TO_LABEL` left, and the first object: it is
    the target, which the augmentation keeps in sight.

    Args:
        file_name, size: of the picture; width and height.
        things: the objects of the photo; their boxes there are not used.
        bbox_xyxy, visible: where each of them is in the picture, and how much of it is left, 0..1.
    """
    kept = [
        (replace(thing, bbox_xyxy=(x1, y1, x2, y2)), share)
        for thing, (x1, y1, x2, y2), share in zip(things, bbox_xyxy, visible, strict=True)
        if thing is things[0] or share >= MIN_VISIBLE_TO_LABEL
    ]
    objects, shares = tuple(thing for thing, _ in kept), tuple(share for _, share in kept)
    return AnnotatedPhoto(file_name, *size, objects, shares)


def class_names_of(
    photos: Sequence[AnnotatedPhoto], known: Sequence[str] = VOC_CLASSES
) -> tuple[str, ...]:
    """The classes of some photos: ``known`` if all are among them, else those that occur.

    With a list that does not depend on the photos, ids mean the same in all files.
    """
    found = {each.class_name for photo in photos for each in photo.objects}
    return tuple(known) if found <= set(known) else tuple(sorted(found))


def object_rows(photo: AnnotatedPhoto) -> list[list[object]]:
    """A row for each object, under :data:`OBJECT_COLUMNS`; the first is the target."""
    shares = photo.visible or (1.0,) * len(photo.objects)
    return [
        [
            photo.file_name, each.class_name, *(round(v, 2) for v in each.bbox_xyxy),
            photo.width, photo.height, round(share, 4), int(each.difficult), int(place == 0),
        ]
        for place, (each, share) in enumerate(zip(photo.objects, shares, strict=True))
    ]  # fmt: skip


def annotation_files(
    photos: Sequence[AnnotatedPhoto], class_names: Sequence[str]
) -> dict[str, str]:
    """All formats at once: path -> text, with the photos themselves in the folder above.

    Raises:
        ValueError: if an object's class is not among ``class_names``.
    """
    files = {"coco.json": to_coco(photos, class_names), "data.yaml": yolo_yaml(class_names)}
    for photo in photos:
        stem = PurePosixPath(photo.file_name).stem
        # YOLO looks for the labels beside the photo when there is no images/ in its path.
        files[f"{stem}.txt"] = to_yolo(photo, class_names)
        files[f"voc/{stem}.xml"] = to_voc(photo)
    return files


def to_yolo(photo: AnnotatedPhoto, class_names: Sequence[str]) -> str:
    """One line an object; the empty text if there is none."""
    ids = list(class_names)
    lines = []
    for each in photo.objects:
        x1, y1, x2, y2 = each.bbox_xyxy
        center_x, center_y = (x1 + x2) / 2 / photo.width, (y1 + y2) / 2 / photo.height
        width, height = (x2 - x1) / photo.width, (y2 - y1) / photo.height
        shares = " ".join(f"{v:.6f}" for v in (center_x, center_y, width, height))
        lines.append(f"{ids.index(each.class_name)} {shares}\n")
    return "".join(lines)


def yolo_yaml(class_names: Sequence[str]) -> str:
    """``data.yaml``: where the photos lie and what the class ids mean."""
    # A JSON string is a YAML string too, whatever is in it.
    names = "".join(f"  {i}: {json.dumps(name)}\n" for i, name in enumerate(class_names))
    return f"path: .\ntrain: .\nval: .\nnames:\n{names}"


def to_coco(photos: Sequence[AnnotatedPhoto], class_names: Sequence[str]) -> str:
    """The JSON of COCO's object detection task."""
    ids = list(class_names)
    annotations: list[dict] = []
    for image_id, photo in enumerate(photos, 1):
        for place, each in enumerate(photo.objects):
            x1, y1, x2, y2 = each.bbox_xyxy
            annotation = {
                "id": len(annotations) + 1, "image_id": image_id,
                "category_id": ids.index(each.class_name) + 1,
                "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
                "area": round(each.area, 2), "iscrowd": int(each.difficult),
            }  # fmt: skip
            if photo.visible:
                annotation["visible"] = round(photo.visible[place], 4)
            annotations.append(annotation)
    content = {
        "images": [
            {"id": i, "file_name": p.file_name, "width": p.width, "height": p.height}
            for i, p in enumerate(photos, 1)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in enumerate(ids, 1)],
    }
    return json.dumps(content, indent=1) + "\n"


def to_voc(photo: AnnotatedPhoto) -> str:
    """The XML that :func:`model.data.formats.voc.parse` reads."""
    root = ElementTree.Element("annotation")
    _add(root, "filename", photo.file_name)
    size = _add(root, "size")
    for name, value in (("width", photo.width), ("height", photo.height), ("depth", 3)):
        _add(size, name, value)
    for place, each in enumerate(photo.objects):
        node = _add(root, "object")
        _add(node, "name", each.class_name)
        _add(node, "difficult", int(each.difficult))
        if photo.visible:
            _add(node, "visible", round(photo.visible[place], 4))
        box, names = _add(node, "bndbox"), ("xmin", "ymin", "xmax", "ymax")
        for name, value in zip(names, _voc_corners(photo, each), strict=True):
            _add(box, name, value)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _voc_corners(photo: AnnotatedPhoto, annotation: ObjectAnnotation) -> tuple[int, int, int, int]:
    """Whole pixels, 1-based and inclusive, at least one pixel wide and within the photo."""
    x1, y1, x2, y2 = (round(v) for v in annotation.bbox_xyxy)
    x1, y1 = min(max(x1, 0), photo.width - 1), min(max(y1, 0), photo.height - 1)
    return x1 + 1, y1 + 1, min(max(x2, x1 + 1), photo.width), min(max(y2, y1 + 1), photo.height)


def _add(parent: ElementTree.Element, tag: str, text: object = None) -> ElementTree.Element:
    node = ElementTree.SubElement(parent, tag)
    if text is not None:
        node.text = str(text)
    return node
