import io
import time

import pandas as pd
import pytest
from commands import run_here
from conftest import make_voc, run_command, write_split, write_voc_xml

from model.data.voc import (
    CSV_COLUMNS,
    VOC_CLASSES,
    box_xywh_to_xyxy,
    find_voc_root,
    list_splits,
    objects_of,
    parse_annotation,
    read_split,
)
from model.errors import UserError


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


def annotation(size=("100", "100"), file_name="a.jpg", head="") -> bytes:
    return (
        f"{head}<annotation><filename>{file_name}</filename><size><width>{size[0]}</width>"
        f"<height>{size[1]}</height></size><object><name>car</name><bndbox><xmin>1</xmin>"
        "<ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    ).encode()


LAUGHS = "".join(
    f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(10)
)  # a billion times three letters


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (annotation(head='<?xml version="1.0" encoding="klingon"?>'), "klingon"),
        (annotation(head='<?xml version="1.0" encoding="utf-7"?>'), "not readable XML"),
        (annotation(head='<?xml version="1.0" encoding="shift_jis"?>'), "not readable XML"),
        (b"\xff<a/>", "not readable XML"),
        (b"", "not readable XML"),
        (b"\x00" * 1000, "not readable XML"),
        (annotation(head=f"<!DOCTYPE a [{LAUGHS}]>", file_name="&l9;"), "<!DOCTYPE"),
        (annotation(head='<!DOCTYPE a SYSTEM "file:///etc/passwd">'), "<!DOCTYPE"),
        (annotation(head='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
                    file_name="&x;"), "<!DOCTYPE"),
        (b"<annotation>" + b" " * 2_000_000 + b"</annotation>", "larger than"),
        (annotation(("0", "100")), "<size/width> is '0'"),
        (annotation(("100", "-5")), "<size/height> is '-5'"),
        (annotation(("1e160", "1e160")), "<size/width> is '1e160'"),
        (annotation(("100.5", "100")), "<size/width> is '100.5'"),
        (annotation(("9" * 4000, "100")), "<size/width> is '999"),
        (annotation(("nan", "100")), "<size/width> is 'nan'"),
        (annotation(file_name="/etc/passwd"), "<filename> is '/etc/passwd'"),
        (annotation(file_name="../../secret.jpg"), "<filename> is '../../secret.jpg'"),
        (annotation(file_name="folder/a.jpg"), "<filename>"),
        (annotation(file_name="C:\\a.jpg"), "<filename>"),
        (annotation(file_name=".."), "<filename>"),
        (annotation(file_name="a" * 100_000), "<filename>"),
        (annotation(file_name="a&#10;b.jpg"), "<filename>"),
        (annotation().replace(b"car", b"c" * 100_000), "<name> of an <object>"),
        (annotation().replace(b"car", b" \n "), "has no <name>"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_hostile_annotations_get_one_short_sentence(tmp_path, content, says):
    path = tmp_path / "bad.xml"
    path.write_bytes(content)
    started = time.perf_counter()
    with pytest.raises(UserError) as caught:
        parse_annotation(path)
    assert time.perf_counter() - started < 5
    assert "bad.xml" in str(caught.value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_ordinary_encodings_are_read(tmp_path):
    path = tmp_path / "a.xml"
    text = annotation(file_name="süß.jpg").decode()
    for encoding in ("utf-8", "utf-16", "iso-8859-1"):
        path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding))
        assert parse_annotation(path).file_name == "süß.jpg"


def test_an_annotation_without_a_file_name_is_of_the_photo_of_its_own_name(tmp_path):
    path = tmp_path / "000123.xml"
    path.write_bytes(annotation(file_name="  "))
    assert parse_annotation(path).file_name == "000123.jpg"


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


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"000001\n\xe9t\xe9\n", "is not UTF-8"),
        (b"../../secret\n", "'../../secret'"),
        (b"/etc/passwd\n", "'/etc/passwd'"),
        (b"0000\x0001\n", "not the name of a photo"),
        (b"a" * 100_000, "not the name of a photo"),
        (b"\n \n", "is empty"),
    ],
    ids=["UTF-16", "latin-1", "above", "absolute", "NUL", "endless", "blank"],
)
@pytest.mark.parametrize("split", ["train", "val"])  # the other one is read for the split column
def test_bad_lists_get_one_short_sentence(own_voc, content, says, split):
    path = own_voc / "ImageSets" / "Main" / f"{split}.txt"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_split(own_voc, split)
    assert says in str(caught.value)
    assert f"{split}.txt" in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_lists_saved_by_windows_are_read(own_voc):
    path = own_voc / "ImageSets" / "Main" / "train.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_split(own_voc, "train").frame) == 8


@pytest.mark.parametrize("split", ["../Main/train", "/etc/hostname", "", "a" * 5000, "a\0b"])
def test_a_split_is_a_name_and_no_path(own_voc, split):
    with pytest.raises(UserError, match="has no split"):
        read_split(own_voc, split)


def test_more_classes_than_a_checkpoint_holds(tmp_path, monkeypatch):
    root = make_voc(tmp_path / "VOC2007", 6, 3, classes=("zebra", "ant", "cow"))
    monkeypatch.setattr("model.data.voc.MAX_CLASSES", 2)
    with pytest.raises(UserError, match=r"3 classes.*at most 2"):
        read_split(root, "train")


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
    result = run_here("-m", "model.voc", "stats", "--data", toy_voc, "--out", out)
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
