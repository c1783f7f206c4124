"""model/data/formats/coco.py: COCO's JSON as COCO, Roboflow and others write it."""

import json
import math
from pathlib import Path

import pytest
from own_data import SIZE, make_coco, photo

from model.data.dataset import Dataset
from model.errors import UserError


def thing(**changes: object) -> dict:
    return {"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20, 30, 40], **changes}


def kinds(dataset: Dataset) -> list[str]:
    return [blemish.kind for blemish in dataset.blemishes]


def test_boxes_splits_and_classes(tmp_path):
    dataset = Dataset(make_coco(tmp_path, [thing(), thing(bbox=[0, 0, 90, 80], iscrowd=1)]))
    assert kinds(dataset) == []
    assert dataset.splits == ["train", "trainval", "val"]
    assert dataset.class_names == ("cat", "dog")  # what no box has is no class
    split = dataset.split("train")
    assert split.frame.file_name.tolist() == ["train/a.jpg"]
    assert split.frame.iloc[0][["xmin", "ymin", "xmax", "ymax"]].tolist() == [10, 20, 40, 60]
    assert split.frame.n_objects.tolist() == [2]


def test_an_outline_without_box(tmp_path):
    outline = [[10, 20, 40, 20, 40, 60.5], [5, 30, 6, 31, 7, 30]]
    dataset = Dataset(make_coco(tmp_path, [thing(bbox=None, segmentation=outline)]))
    assert dataset.find("a").image.objects[0].bbox_xyxy == (5, 20, 40, 60.5)


def test_an_outline_without_a_list_around_it(tmp_path):
    data = make_coco(tmp_path, [thing(bbox=None, segmentation=[10, 20, 40, 20, 40, 60.5])])
    assert Dataset(data).find("a").image.objects[0].bbox_xyxy == (10, 20, 40, 60.5)


@pytest.mark.parametrize("counts", ["abcXY", [10, 20, 30], None])
def test_a_mask_counts_by_its_box_and_is_named_without_one(tmp_path, counts):
    mask = {"segmentation": {"counts": counts, "size": [80, 120]}, "iscrowd": 1}
    dataset = Dataset(make_coco(tmp_path, [thing(**mask), thing(**mask, bbox=None)]))
    (crowd,) = dataset.find("a").image.objects
    assert (crowd.bbox_xyxy, crowd.difficult) == ((10, 20, 40, 60), True)
    (blemish,) = [b for b in dataset.blemishes if b.kind == "object without box"]
    assert blemish.detail == "dog, a mask alone"


def test_numbers_written_as_text(tmp_path):
    dataset = Dataset(make_coco(tmp_path, [thing(bbox=["10", "20.0", "30", "4e1"], image_id="7")]))
    assert kinds(dataset) == []
    assert dataset.find("a").image.objects[0].bbox_xyxy == (10, 20, 40, 60)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"bbox": [1, 2, 3]}, "object without box"),
        ({"bbox": [1, 2, 3, "x"]}, "object without box"),
        ({"bbox": [1, 2, math.nan, 4]}, "object without box"),
        ({"bbox": [1, 2, math.inf, 4]}, "object without box"),
        ({"bbox": [1, 2, True, 4]}, "object without box"),
        ({"bbox": [1, 2, 10**400, 4]}, "object without box"),
        ({"bbox": {"x": 1}}, "object without box"),
        ({"bbox": None, "segmentation": {"counts": "abc", "size": [1, 2]}}, "object without box"),
        ({"bbox": [1, 2, 0, 4]}, "object without area"),
        ({"bbox": [500, 2, 10, 4]}, "object without area"),
        ({"bbox": [-1, 2, 20, 4]}, "box at the edge"),
        ({"bbox": [100, 2, 30, 4]}, "box outside"),
        ({"category_id": 99}, "object without class"),
        ({"category_id": [1]}, "object without class"),
        ({"image_id": 99}, "photo missing"),
    ],
)
def test_a_bad_object_costs_itself(tmp_path, changes, kind):
    dataset = Dataset(make_coco(tmp_path, [thing(**changes), thing()]))
    assert kinds(dataset) == [kind]
    assert "dog" in [o.class_name for o in dataset.find("a").image.objects]


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "train/a.jpg",
        "C:\\photos\\a.jpg",
        "../../a.PNG",
        "/home/me/a.jpg",
        "https://example.com/train/%61.jpg?size=large&v=2#top",
        "http://[/a.jpg",
    ],
)
def test_names_of_photos(tmp_path, name):
    data = make_coco(tmp_path, [thing()])
    path = data / "train/_annotations.coco.json"
    content = json.loads(path.read_text())
    content["images"][0]["file_name"] = name
    path.write_text(json.dumps(content))
    assert Dataset(data).split("train").frame.file_name.tolist() == ["train/a.jpg"]


def test_as_coco_itself_lies_on_disk(tmp_path):
    for split in ("train2017", "val2017"):
        photo(tmp_path / f"images/{split}/000001.jpg", shade=len(split))
        content = {
            "images": [{"id": 1, "file_name": "000001.jpg", "width": SIZE[0], "height": SIZE[1]}],
            "categories": [{"id": 2, "name": "dog"}], "annotations": [thing(image_id=1)],
        }  # fmt: skip
        path = tmp_path / f"annotations/instances_{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    dataset = Dataset(tmp_path)
    assert dataset.splits == ["train", "trainval", "val"]
    assert dataset.split("val").frame.file_name.tolist() == ["val2017/000001.jpg"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 1_000_000, b"[]", b"{}", b'{"images": 5}', b"\xff", b"9" * 10_000]
)
def test_hostile_json_gets_a_sentence(tmp_path, content):
    data = make_coco(tmp_path, [thing()])
    (data / "train/_annotations.coco.json").write_bytes(content)
    with pytest.raises(UserError, match=r"_annotations\.coco\.json") as caught:
        _ = Dataset(data).blemishes
    assert len(str(caught.value)) < 400 + len(str(data))


def edited(data, **changes: object) -> Dataset:
    path = data / "train/_annotations.coco.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return Dataset(data)


def test_ids_that_pandas_made_floats(tmp_path):
    data = make_coco(tmp_path, [thing(image_id=7.0, category_id=2.0)])
    dataset = Dataset(data)
    assert kinds(dataset) == []
    assert dataset.find("a").image.objects[0].class_name == "dog"


@pytest.mark.parametrize(
    "changes",
    [
        {"categories": [{"id": 2, "name": "cat"}, {"id": 2.0, "name": "dog"}]},
        {"categories": [{"id": None, "name": "cat"}]},
        {"images": [{"id": 7, "file_name": "a.jpg"}, {"id": 7, "file_name": "b.jpg"}]},
        {"images": [{"file_name": "a.jpg"}]},
    ],
)
def test_an_id_of_several_things_is_refused(tmp_path, changes):
    with pytest.raises(UserError, match="Give each its own"):
        _ = edited(make_coco(tmp_path, [thing()]), **changes).blemishes


def written(path: Path, images: list[dict], annotations: list[dict] | None, **more: object) -> None:
    """A JSON file of photos of one size."""
    size = {"width": SIZE[0], "height": SIZE[1]}
    content = {"images": [image | size for image in images], **more}
    content["categories"] = more.get("categories", [{"id": 2, "name": "dog"}])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | ({"annotations": annotations} if annotations else {})))


def test_a_photo_in_several_files_has_the_objects_of_all(tmp_path):
    for number, name in enumerate("abc"):
        photo(tmp_path / f"images/{name}.jpg", shade=number)
    images = [{"id": i, "file_name": f"{name}.jpg"} for i, name in enumerate("abc")]
    dogs = [thing(image_id=i) for i in range(3)]
    folder = tmp_path / "annotations"
    written(folder / "all.json", images, dogs)
    written(folder / "train.json", images[:2], dogs[:2])
    written(folder / "val.json", images[2:], dogs[2:])
    cats = [{"image_id": 0, "category_id": 1, "bbox": [1, 2, 30, 40]}]
    written(folder / "cats.json", images, cats, categories=[{"id": 1, "name": "cat"}])
    written(folder / "image_info.json", images, None)
    dataset = Dataset(tmp_path)
    assert [len(dataset.of_split(split)) for split in ("train", "val")] == [2, 1]
    names = [sorted(o.class_name for o in each.image.objects) for each in dataset.photos]
    assert names == [["cat", "dog"], ["dog"], ["dog"]]
    assert [b[:2] for b in dataset.blemishes] == [("annotated twice", "images/a.jpg")]


def test_a_photo_listed_for_each_of_its_objects_has_all(tmp_path):
    photo(tmp_path / "a.jpg")
    images = [{"id": i, "file_name": "a.jpg"} for i in (1, 2)]
    written(tmp_path / "a.json", images, [thing(image_id=1), thing(image_id=2, bbox=[1, 2, 9, 9])])
    assert len(Dataset(tmp_path).find("a").image.objects) == 2


def test_a_file_that_only_lists_photos_makes_no_backgrounds(tmp_path):
    photo(tmp_path / "a.jpg")
    written(tmp_path / "a.json", [{"id": 1, "file_name": "a.jpg"}], None)
    dataset = Dataset(tmp_path)
    assert dataset.photos == []
    assert kinds(dataset) == ["split of our own", "annotation missing"]


def test_names_with_signs_of_addresses_and_under_another_key(tmp_path):
    data = make_coco(tmp_path, [thing()], file_name=None, filename="a%20b.jpg") / "train"
    (data / "a.jpg").rename(data / "a b.jpg")
    assert len(Dataset(data).find("a b").image.objects) == 1


@pytest.mark.parametrize(
    ("categories", "name", "found"),
    [
        ({"2": "dog"}, "dog", []),
        ({"dog": 2}, "dog", []),
        ({"2": {"name": "dog"}}, "dog", []),
        ({"dog": {"id": 2}}, "dog", []),
        ({"x": {"id": "2", "name": "dog"}}, "dog", []),
        (["bird", "cat", "dog"], "dog", []),
        (["cat", "dog"], "dog", ["ids count from 1"]),
        (None, "2", ["classes without names"]),
    ],
)
def test_names_of_classes_as_a_dict_or_not_at_all(tmp_path, categories, name, found):
    path = make_coco(tmp_path, [thing()]) / "train/_annotations.coco.json"
    content = json.loads(path.read_text()) | {"categories": categories}
    path.write_text(json.dumps(content), "utf-16")
    dataset = Dataset(tmp_path / "train")
    assert dataset.find("a").image.objects[0].class_name == name
    assert [k for k in kinds(dataset) if k != "split of our own"] == found


@pytest.mark.parametrize("value", ["1_0", "\u0661", "nan", "0x1"])
def test_what_only_python_takes_for_a_number_is_none(tmp_path, value):
    dataset = Dataset(make_coco(tmp_path, [thing(), thing(bbox=[value, 2, 30, 40])]))
    assert kinds(dataset) == ["object without box"]


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        ({"7": {"file_name": "a.jpg"}}, {"1": thing()}),
        ({"7": {"id": "7", "file_name": "a.jpg"}}, {"7": [thing(image_id=None)]}),
        ({"7": "a.jpg"}, {"7": thing(image_id=None)}),
        ({"a.jpg": {"id": 7}}, [thing(image_id="7")]),
    ],
)
def test_images_and_annotations_as_dicts(tmp_path, images, annotations):
    photo(tmp_path / "a.jpg")
    dogs = {"images": images, "annotations": annotations, "categories": {"2": "dog"}}
    (tmp_path / "boxes.json").write_text(json.dumps(dogs))
    dataset = Dataset(tmp_path)
    assert kinds(dataset) == ["split of our own", "no size"]
    assert [o.class_name for o in dataset.find("a").image.objects] == ["dog"]


def test_an_outline_stands_for_a_box_without_size(tmp_path):
    outline = [[10, 20, 40, 20, 40, 60]]
    dataset = Dataset(make_coco(tmp_path, [thing(bbox=[0, 0, 0, 0], segmentation=outline)]))
    assert kinds(dataset) == []
    assert dataset.find("a").image.objects[0].bbox_xyxy == (10, 20, 40, 60)


def test_annotations_inside_of_their_images(tmp_path):
    path = make_coco(tmp_path, []) / "train/_annotations.coco.json"
    content = json.loads(path.read_text())
    del content["annotations"]
    content["images"][0]["annotations"] = [{"category_id": 2, "bbox": [10, 20, 30, 40]}]
    path.write_text(json.dumps(content))
    assert Dataset(tmp_path).find("a").image.objects[0].bbox_xyxy == (10, 20, 40, 60)
