"""The ZIP of variants: every box that is on screen is in every file of it."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
import torch
from conftest import step_of
from PIL import Image

from model.augment import AugmentConfig, Pipeline
from model.classes import VOC_CLASSES
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.data.dataset import Dataset
from model.data.formats.voc import parse
from model.data.records import ObjectAnnotation
from model.inspect.variants import Variant, make_variants
from model.inspect.variants_zip import in_full_size, on_canvas, pack_variants

BOXES = [(30.0, 20.0, 110.0, 80.0), (0.0, 0.0, 20.0, 25.0), (90.0, 60.0, 130.0, 100.0)]
THINGS = [
    ObjectAnnotation("cat", BOXES[0]), ObjectAnnotation("dog", BOXES[1]),
    ObjectAnnotation("cat", BOXES[2], difficult=True),
]  # fmt: skip
FLIP = AugmentConfig.none().to_json().replace('"flip_probability": 0', '"flip_probability": 1')


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (100, 140, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def drawn(photo, config, count=1, boxes=BOXES) -> list[Variant]:
    return make_variants(photo, boxes[0], config, 64, count=count, others=boxes[1:])


def opened(packed: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(packed))


def rows_of(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read("boxes.csv").decode())))


def test_all_boxes_are_in_all_formats(photo, tmp_path):
    """Mirrored on a canvas of 64 pixels, of a photo of 140 x 100."""
    config = AugmentConfig.from_json(FLIP)
    variants = drawn(photo, config)
    packed = pack_variants(variants, on_canvas(variants), THINGS, config)
    expected = [
        ((140 - x2) * 64 / 140, y1 * 0.64, (140 - x1) * 64 / 140, y2 * 0.64)
        for x1, y1, x2, y2 in BOXES
    ]
    names = [thing.class_name for thing in THINGS]
    with opened(packed) as archive:
        archive.extractall(tmp_path)
        rows = rows_of(archive)
    assert [row["class_name"] for row in rows] == names
    assert [row["target"] for row in rows] == ["1", "0", "0"]
    assert [row["difficult"] for row in rows] == ["0", "0", "1"]
    assert {(row["visible"], row["done"], row["width"]) for row in rows} == {
        ("1.0", "mirrored", "64")
    }
    for row, box in zip(rows, expected, strict=True):
        found = [float(row[side]) for side in ("xmin", "ymin", "xmax", "ymax")]
        assert found == pytest.approx(box, abs=0.01)
    coco = json.loads((tmp_path / "coco.json").read_text())
    categories = {one["id"]: one["name"] for one in coco["categories"]}
    assert [categories[one["category_id"]] for one in coco["annotations"]] == names
    assert [one["visible"] for one in coco["annotations"]] == [1, 1, 1]
    assert [one["iscrowd"] for one in coco["annotations"]] == [0, 0, 1]
    lines = (tmp_path / "variant_01.txt").read_text().splitlines()
    assert [VOC_CLASSES[int(line.split()[0])] for line in lines] == names
    read = parse(str(tmp_path / "voc" / "variant_01.xml"))
    assert [name for name, *_ in read.objects] == names
    for (_, x1, y1, *corner, _), box in zip(read.objects, expected, strict=True):
        assert (x1 - 1, y1 - 1, *corner) == pytest.approx(box, abs=0.51)  # VOC counts from 1


def test_what_is_hardly_to_be_seen_is_in_no_format(photo, tmp_path):
    """As training has it; the target stays, however little is left of it."""
    config = AugmentConfig(zoom=4, min_visible=0)
    variants = drawn(photo, config, count=16)
    packed = pack_variants(variants, on_canvas(variants), THINGS, config)
    shares = [v.canvas.others_visible.tolist() for v in variants]
    kept = [1 + sum(share >= MIN_VISIBLE_TO_LABEL for share in of_one) for of_one in shares]
    assert 16 < sum(kept) < 48, "some are left out, and some are not"
    with opened(packed) as archive:
        archive.extractall(tmp_path)
        rows = rows_of(archive)
    for number, count in enumerate(kept, 1):
        of_one = [row for row in rows if row["variant"] == str(number)]
        assert len(of_one) == count
        assert of_one[0]["target"] == "1"
        assert all(float(row["visible"]) >= MIN_VISIBLE_TO_LABEL for row in of_one[1:])
        name = f"variant_{number:02d}"
        assert len((tmp_path / f"{name}.txt").read_text().splitlines()) == count
        assert len(parse(str(tmp_path / "voc" / f"{name}.xml")).objects) == count
    assert len(json.loads((tmp_path / "coco.json").read_text())["annotations"]) == sum(kept)


def test_what_a_patch_covers_counts_as_hidden(photo):
    config = AugmentConfig.from_dict(vars(AugmentConfig.none()) | {"erase": 0.5})
    variants = drawn(photo, config, count=16)
    visible = torch.stack([v.canvas.others_visible for v in variants])
    assert visible.min() < 0.5
    shown = torch.stack([v.picture.others_visible for v in variants])
    assert torch.allclose(shown, visible, atol=0.02), "on screen as on the canvas"


def test_the_pictures_are_those_of_the_canvas(photo):
    config = AugmentConfig(hue=0.1)
    variants = drawn(photo, config, count=3)
    with opened(pack_variants(variants, on_canvas(variants), THINGS, config)) as archive:
        for variant in variants:
            picture = Image.open(io.BytesIO(archive.read(f"variant_0{variant.number}.png")))
            assert np.array_equal(picture, step_of(variant, "resize").image)
        assert AugmentConfig.from_json(archive.read("augment.json").decode()) == config


def test_in_full_size_the_same_is_done_to_the_whole_photo(photo):
    """Neither squashed nor shrunk: what the variants show, in more pixels."""
    config = AugmentConfig(rotation_degrees=20, erase=0.3, noise=0.05)
    large = photo.resize((1400, 1000), Image.Resampling.NEAREST)
    variants = drawn(photo, config, count=4)
    pipeline = Pipeline(config, 64)
    for variant, picture in zip(variants, in_full_size(variants, large, pipeline), strict=True):
        shown = variant.picture
        across = picture.image.width / shown.image.width
        assert across == pytest.approx(picture.image.height / shown.image.height, rel=0.02)
        assert 2 < across <= 10
        assert max(picture.image.size) <= 2048
        boxes = torch.cat([shown.bbox_xyxy[None], shown.others]) * across
        assert torch.allclose(picture.bbox_xyxy, boxes, atol=across)
        assert picture.visible[0].item() == pytest.approx(shown.visible, abs=0.02)
        small = np.asarray(picture.image.resize(shown.image.size, Image.Resampling.BOX), float)
        assert np.abs(small - np.asarray(shown.image, float)).mean() < 40


def test_of_an_untouched_photo_full_size_is_the_photo_itself(photo):
    config = AugmentConfig.none()
    variants = drawn(photo, config)
    large = photo.resize((700, 500))
    (picture,) = in_full_size(variants, large, Pipeline(config, 64))
    assert np.array_equal(picture.image, large)
    assert picture.bbox_xyxy.tolist() == [pytest.approx([5 * v for v in box]) for box in BOXES]


@pytest.mark.parametrize("format_name", ["coco", "yolo"])
def test_a_zip_of_full_size_reads_back_as_a_data_set(photo, tmp_path, format_name):
    config = AugmentConfig(rotation_degrees=10)
    variants = drawn(photo, config, count=2)
    large = photo.resize((420, 300))
    pictures = in_full_size(variants, large, Pipeline(config, 64))
    packed = pack_variants(variants, pictures, THINGS, config, "jpg")
    with opened(packed) as archive:
        archive.extractall(tmp_path / "zip")
        assert "variant_02.jpg" in archive.namelist()
        rows = rows_of(archive)
    for row in rows:
        with Image.open(tmp_path / "zip" / row["file_name"]) as picture:
            assert picture.size == (int(row["width"]), int(row["height"]))
            assert picture.format == "JPEG"
    dataset = Dataset(tmp_path / "zip", format_name, cache_dir=tmp_path)
    found = dataset.find("variant_01.jpg")
    assert found is not None
    mine = [row for row in rows if row["variant"] == "1"]
    assert len(found.image.objects) == len(mine) > 1


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (("cat", "dog", "cat"), VOC_CLASSES),
        (("", "dog", "cat"), ("cat", "dog", "object")),
        (("mug", "mug", "mug"), ("mug",)),
        (("cat", "mug", ""), ("cat", "mug", "object")),
    ],
)
def test_the_classes_are_those_of_the_boxes(photo, names, known):
    things = [ObjectAnnotation(n, t.bbox_xyxy) for n, t in zip(names, THINGS, strict=True)]
    variants = drawn(photo, AugmentConfig.none())
    packed = pack_variants(variants, on_canvas(variants), things, AugmentConfig.none())
    with opened(packed) as archive:
        coco = json.loads(archive.read("coco.json"))
        yaml = archive.read("data.yaml").decode()
    assert tuple(one["name"] for one in coco["categories"]) == known
    assert all(f'"{name}"' in yaml for name in known)
    categories = {one["id"]: one["name"] for one in coco["categories"]}
    found = [categories[one["category_id"]] for one in coco["annotations"]]
    assert found == [name or "object" for name in names]
