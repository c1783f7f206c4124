"""model/data/names.py: which file a name means where several have it."""

import json

import pytest
from own_data import SIZE, photo

from model.data.dataset import Dataset
from model.data.names import FileIndex

XML = (
    "<annotation><object><name>{}</name><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax>"
    "<ymax>60</ymax></bndbox></object></annotation>"
)
COCO = {
    "images": [{"id": 1, "file_name": "1.jpg", "width": SIZE[0], "height": SIZE[1]}],
    "annotations": [{"image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40]}],
}
LABELME = {"label": "", "points": [[10, 20], [40, 60]]}


def texts(kind: str, name: str) -> str:
    """An annotation of ``1.jpg`` that says ``name``."""
    return {
        "xml": XML.format(name),
        "txt": f"{name} .5 .5 .2 .2\n",
        "coco": json.dumps(COCO | {"categories": [{"id": 1, "name": name}]}),
        "json": json.dumps({"shapes": [LABELME | {"label": name}]}),
        "csv": f"filename,class,xmin,ymin,xmax,ymax\n1.jpg,{name},10,20,40,60\n",
    }[kind]


@pytest.mark.parametrize(
    ("kind", "image", "annotation"),
    [
        ("xml", "{}/images/1.jpg", "{}/annotations/1.xml"),
        ("xml", "{}_images/1.jpg", "{}_xml/1.xml"),
        ("xml", "images/{}/1.jpg", "annotations/{}/1.xml"),
        ("txt", "{}_images/1.jpg", "{}_labels/1.txt"),
        ("txt", "{}/img/1.jpg", "{}/txt/1.txt"),
        ("coco", "images_{}/1.jpg", "{}.json"),
        ("coco", "set/{}/images/1.jpg", "set/{}/annotations/coco.json"),
        ("json", "{}/img/1.jpg", "{}/ann/1.json"),
        ("csv", "images/{}/1.jpg", "annotations/{}_labels.csv"),
    ],
)
def test_photos_are_numbered_from_one_in_every_split(tmp_path, kind, image, annotation):
    for split in ("train", "val"):
        photo(tmp_path / image.format(split), shade=len(split))
        place = tmp_path / annotation.format(split)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(texts(kind, f"thing-{split}"))
    found = {p.splits: [o.class_name for o in p.image.objects] for p in Dataset(tmp_path).photos}
    assert found == {("train",): ["thing-train"], ("val",): ["thing-val"]}


@pytest.mark.parametrize(
    ("name", "near", "split", "found"),
    [
        ("b/1.jpg", "a", None, "b/1.jpg"),  # the name itself says most
        ("1", "a", "val", "a/1.jpg"),
        ("1", "x", "val", "x/val/1.jpg"),
        ("1", "b/c", None, "b/1.jpg"),
        ("1.png", "", None, "a/1.png"),
    ],
)
def test_what_counts_most(name, near, split, found):
    paths = ["a/1.jpg", "a/1.png", "b/1.jpg", "x/train/1.jpg", "x/val/1.jpg"]
    assert FileIndex(paths).find(name, near, split) == found
