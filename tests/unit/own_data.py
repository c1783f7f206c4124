"""Small data sets of one's own to read, in the formats people have."""

import json
from pathlib import Path

import numpy as np
from conftest import SIZES, make_voc, write_voc_xml
from PIL import Image

SIZE = (120, 80)


def photo(path: Path, size: tuple[int, int] = SIZE, shade: int = 0, orientation: int = 1) -> None:
    """Soft patches of light; no two of different ``shade`` look alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    patches = np.random.default_rng(shade).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(patches).resize(size)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif)


def damage(path: Path) -> None:
    """In the middle, so that only decoding shows it."""
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\xff\xd8" * 20 + content[middle + 40 :])


def make_blemished(root: Path, n_train: int, n_val: int) -> Path:
    """A VOC2007 folder with damaged photos and backgrounds in both splits.

    Of those to train on 1 and 5 are damaged, and 0, 3 and 5 show nothing; of the others the third
    and the fifth are damaged, and the fourth and the fifth show nothing.
    """
    make_voc(root, n_train, n_val)
    for number in (0, 3, 5, n_train + 3, n_train + 4):
        write_voc_xml(root, f"{number:06d}", SIZES[number % 3], [])
    for number in (1, 5, n_train + 2, n_train + 4):
        damage(root / f"JPEGImages/{number:06d}.jpg")
    return root


def make_yolo(root: Path, lines: dict[str, str], names: str = "names: [cat, dog]\n") -> Path:
    """``images/train/NAME.jpg`` with the label text of each name; the last one is in ``val``."""
    for number, (name, text) in enumerate(lines.items()):
        split = "val" if len(lines) > 1 and number == len(lines) - 1 else "train"
        photo(root / f"images/{split}/{name}.jpg", shade=number)
        label = root / f"labels/{split}/{name}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(text)
    (root / "data.yaml").write_text(f"train: ../train/images\nval: images/val\n{names}")
    return root


def make_coco(root: Path, annotations: list[dict], **extra: object) -> Path:
    """Two photos, ``train/a.jpg`` with the annotations and ``valid/b.jpg`` with one."""
    categories = [{"id": 0, "name": "animals"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    one = [{"image_id": 7, "category_id": 1, "bbox": [1, 2, 30, 40]}]
    for split, name, things in (("train", "a", annotations), ("valid", "b", one)):
        photo(root / f"{split}/{name}.jpg", shade=ord(name))
        image = {"id": 7, "file_name": f"{name}.jpg", "width": SIZE[0], "height": SIZE[1], **extra}
        content = {"images": [image], "categories": categories, "annotations": things}
        (root / f"{split}/_annotations.coco.json").write_text(json.dumps(content))
    return root
