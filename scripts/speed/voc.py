"""Data sets for measurements."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from model.classes import VOC_CLASSES


def write_voc(
    root: Path,
    splits: Mapping[str, int],
    n_objects: int,
    photos: Sequence[bytes],
    size: tuple[int, int],
) -> Path:
    """Write a set in VOC's layout; no two photos are the same file.

    Args:
        root: folder to create.
        splits: name -> number of photos.
        n_objects: per photo.
        photos: JPEG files, used in turn; a comment makes each file different.
        size: width and height of all photos.
    """
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    names = [f"{i:07}" for i in range(sum(splits.values()))]
    for i, name in enumerate(names):
        photo, comment = photos[i % len(photos)], f"{i:07}".encode() + b" " * (i % 20_000)
        marker = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (root / f"JPEGImages/{name}.jpg").write_bytes(photo[:2] + marker + photo[2:])
        objects = "".join(
            f"<object><name>{VOC_CLASSES[(i + k) % 20]}</name><difficult>0</difficult>"
            f"<bndbox><xmin>{2 + k}</xmin><ymin>{3 + i % 99}</ymin><xmax>{302 + k}</xmax>"
            f"<ymax>{260 + i % 99}</ymax></bndbox></object>"
            for k in range(n_objects)
        )
        (root / f"Annotations/{name}.xml").write_text(
            f"<annotation><filename>{name}.jpg</filename><size><width>{size[0]}</width>"
            f"<height>{size[1]}</height></size>{objects}</annotation>"
        )
    remaining = iter(names)
    for split, count in splits.items():
        listed = "".join(f"{name}\n" for name in itertools.islice(remaining, count))
        (root / f"ImageSets/Main/{split}.txt").write_text(listed)
    return root
