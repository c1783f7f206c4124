import io

import pandas as pd
import pytest
from conftest import make_voc, run_command, write_split, write_voc_xml

from model.errors import UserError
from model.voc import (
    CSV_COLUMNS,
    VOC_CLASSES,
    box_xywh_to_xyxy,
    find_voc_root,
    list_splits,
    objects_of,
    parse_annotation,
    read_split,
)


def test_classes_are_the_twenty_in_alphabetical_order():
    assert len(VOC_CLASSES) == 20
    assert list(VOC_CLASSES) == sorted(VOC_CLASSES)


def test_corners_become_zero_based_and_half_open(tmp_path):
    path = write_voc_xml(tmp_path, "a", (500, 333), [("car", 156, 97, 351, 270)])
    assert parse_annotation(path).objects[0].bbox_xyxy == (155, 96, 351, 270)


def test_a_box_of_the_whole_image_is_the_canvas(tmp_path):
    path = write_voc_xml(tmp_path, "a", (500, 333), [("car", 1, 1, 500, 333)])
    assert parse_annotation(path).largest.bbox_xyxy == (0, 0, 500, 333)


@pytest.mark.parametrize(
    ("objects", "largest"),
    [
        ([("car", 1, 1, 90, 90, 1)], None),
        ([("car", 1, 1, 90, 90, 1), ("cat", 1, 1, 5, 5)], "cat"),
        ([("cat", 1, 1, 10, 20), ("car", 1, 1, 20, 10)], "cat"),  # a tie: first in the file
        ([("cat", 1, 1, 10, 10), ("car", 1, 1, 10, 11)], "car"),
    ],
    ids=["only difficult", "difficult is larger", "tie", "later is larger"],
)
def test_largest_object(tmp_path, objects, largest):
    image = parse_annotation(write_voc_xml(tmp_path, "a", (100, 100), objects))
    assert (image.largest and image.largest.class_name) == largest


BAD_XML = {
    "no objects": ([], "", "has no <object>"),
    "outside right": ([("car", 50, 1, 101, 9)], "", "lies outside the 100 x 100 image"),
    "outside left": ([("car", 0, 1, 50, 9)], "", "lies outside"),
    "no area": ([("car", 50, 9, 49, 20)], "", "has no area"),
    "inverted": ([("car", 50, 9, 20, 20)], "", "has no area"),
    "not a number": ([("car", "x", 9, 20, 20)], "", "<bndbox/xmin> is 'x', not a number"),
    "infinite": ([("car", "inf", 9, 20, 20)], "", "not a number"),
    "no name": ([("", 1, 9, 20, 20)], "", "has no <name>"),
    "broken XML": ([("car", 1, 1, 5, 5)], "<oops>", "not readable XML"),
}


@pytest.mark.parametrize("case", BAD_XML)
def test_bad_annotations_name_the_file_and_the_cure(tmp_path, case):
    objects, extra, says = BAD_XML[case]
    path = write_voc_xml(tmp_path, "bad", (100, 100), objects, extra)
    with pytest.raises(UserError) as caught:
        parse_annotation(path)
    assert "bad.xml" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("below", ["", "VOCdevkit", "VOCdevkit/VOC2007"])
def test_root_may_be_any_of_three_folders(toy_voc, below):
    assert find_voc_root(toy_voc / below) == toy_voc / "VOCdevkit" / "VOC2007"


@pytest.mark.parametrize(("name", "says"), [("none", "does not exist"), ("", "holds no VOC")])
def test_missing_root_names_the_download_command(tmp_path, name, says):
    with pytest.raises(UserError, match=says) as caught:
        find_voc_root(tmp_path / name)
    assert "python -m model.voc download" in str(caught.value)


def test_frame_has_one_row_an_image_and_reads_back_from_csv(toy_voc, tmp_path):
    split = read_split(toy_voc, "trainval")
    frame = split.frame
    assert list(frame.columns) == CSV_COLUMNS
    assert len(frame) == 30
    assert split.class_names == VOC_CLASSES
    assert frame.split.value_counts().to_dict() == {"train": 20, "val": 10}
    row = frame.iloc[0]
    area = (row.xmax - row.xmin) * (row.ymax - row.ymin)
    assert row.area_fraction == pytest.approx(area / row.width / row.height, abs=1e-6)
    assert row.n_objects == len(objects_of(row)) == 2
    frame.to_csv(tmp_path / "a.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv"), frame, check_dtype=False)


def test_images_with_only_difficult_objects_are_left_out_and_counted(own_voc):
    write_voc_xml(own_voc, "000001", (90, 120), [("car", 1, 1, 50, 50, 1)])
    split = read_split(own_voc, "train")
    assert (len(split.frame), split.n_only_difficult) == (7, 1)


def test_other_classes_come_from_the_data(tmp_path):
    root = make_voc(tmp_path / "VOC2007", 6, 3, classes=("zebra", "ant"))
    assert read_split(root, "train").class_names == ("ant", "zebra")
    with pytest.raises(UserError, match="'ant', which is not among the 20 classes"):
        read_split(root, "train", VOC_CLASSES)


def test_splits(own_voc):
    (own_voc / "ImageSets" / "Main" / "cat_train.txt").write_text("000001 -1\n")
    assert list_splits(own_voc) == ["train", "trainval", "val"]


@pytest.mark.parametrize(
    ("names", "says"), [(None, "no split 'extra'"), ([], "is empty"), (["nope"], "nope.xml")]
)
def test_bad_splits(own_voc, names, says):
    if names is not None:
        write_split(own_voc, "extra", names)
    with pytest.raises(UserError, match=says):
        read_split(own_voc, "extra")


def test_tutorial_boxes():
    assert box_xywh_to_xyxy((10, 20, 30, 40)) == (10, 20, 40, 60)


def test_csv_command(toy_voc, tmp_path):
    out = tmp_path / "new" / "annotations.csv"
    result = run_command(
        "-m", "model.voc", "csv", "--data", toy_voc, "--split", "val", "--out", out
    )
    assert result.returncode == 0, result.stderr
    assert "10 photos" in result.stdout
    assert len(pd.read_csv(out)) == 10


def test_stats_command(toy_voc, tmp_path):
    out = tmp_path / "stats.png"
    result = run_command("-m", "model.voc", "stats", "--data", toy_voc, "--out", out)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(io.StringIO(result.stdout.split("\n30 photos")[0]), sep=r"\s+")
    assert table.photos.sum() == 30
    assert out.read_bytes().startswith(b"\x89PNG")


def test_the_real_data_set(real_voc):
    split = read_split(real_voc, "trainval")
    assert split.class_names == VOC_CLASSES
    assert 5000 <= len(split.frame) <= 5011
    first = split.frame.set_index("file_name").loc["000012.jpg"]
    assert first[["class_name", "xmin", "ymin", "xmax", "ymax"]].tolist() == [
        "car", 155, 96, 351, 270,
    ]  # fmt: skip
    assert (split.frame.split == "train").sum() in (2500, 2501)
