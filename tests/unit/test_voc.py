import io
import re
import time
from pathlib import Path

import pandas as pd
import pytest
from commands import run_here
from conftest import make_voc, run_command, write_split, write_voc_xml
from own_data import SIZE, photo

from model.classes import VOC_CLASSES
from model.data.dataset import Dataset, read_split
from model.data.formats.listing import Reading
from model.data.formats.voc import MAX_XML_BYTES, parse
from model.data.mending import Habits, mended
from model.data.photo_headers import PhotoHeader
from model.data.records import CSV_COLUMNS, ImageAnnotation, box_xywh_to_xyxy, objects_of
from model.errors import UserError


def test_classes_are_the_twenty_in_alphabetical_order():
    assert len(VOC_CLASSES) == 20
    assert list(VOC_CLASSES) == sorted(VOC_CLASSES)


def image_of(path) -> ImageAnnotation:
    """The photo of an XML file that says its size."""
    parsed = parse(str(path))
    width, height = map(int, parsed.size)
    image, _ = mended("a.jpg", parsed, PhotoHeader(width, height), Habits(Reading("", "from 1")))
    return image


def test_corners_become_zero_based_and_half_open(tmp_path):
    path = write_voc_xml(tmp_path, "a", (500, 333), [("car", 156, 97, 351, 270)])
    assert image_of(path).objects[0].bbox_xyxy == (155, 96, 351, 270)


def test_a_box_of_the_whole_image_is_the_canvas(tmp_path):
    path = write_voc_xml(tmp_path, "a", (500, 333), [("car", 1, 1, 500, 333)])
    assert image_of(path).largest.bbox_xyxy == (0, 0, 500, 333)


@pytest.mark.parametrize(
    ("objects", "largest"),
    [
        ([("car", 1, 1, 90, 90, 1)], None),
        ([("car", 1, 1, 90, 90, 1), ("cat", 1, 1, 5, 5)], "cat"),
        ([("cat", 1, 1, 10, 20), ("car", 1, 1, 20, 10)], "cat"),  # a tie: first in the file
        ([("cat", 1, 1, 10, 10), ("car", 1, 1, 10, 11)], "car"),
        ([("car", 1, 1, 90, 90, "True"), ("cat", 1, 1, 5, 5, " False ")], "cat"),
    ],
    ids=["only difficult", "difficult is larger", "tie", "later is larger", "in words"],
)
def test_largest_object(tmp_path, objects, largest):
    image = image_of(write_voc_xml(tmp_path, "a", (100, 100), objects))
    assert (image.largest and image.largest.class_name) == largest


@pytest.mark.parametrize(
    ("objects", "kind"),
    [
        ([("car", "x", 9, 20, 20)], "object without box"),
        ([("car", "inf", 9, 20, 20)], "object without box"),
        ([("car", "nan", 9, 20, 20)], "object without box"),
        ([("car", "1_0", 9, 20, 20)], "object without box"),
        ([("car", "\u0661", 9, 20, 20)], "object without box"),
        ([("car", "", 9, 20, 20)], "object without box"),
        ([("", 1, 9, 20, 20)], "object without class"),
        ([(" ", 1, 9, 20, 20)], "object without class"),
        ([("c" * 100_000, 1, 9, 20, 20)], "object without class"),
        ([("a&#10;b", 1, 9, 20, 20)], "object without class"),
    ],
)
def test_a_bad_object_is_left_out_and_the_others_stay(tmp_path, objects, kind):
    path = write_voc_xml(tmp_path, "a", (100, 100), [*objects, ("cat", 1, 1, 5, 5)])
    parsed = parse(str(path))
    assert [kind for kind, _ in parsed.problems] == [kind]
    assert [o[0] for o in parsed.objects] == ["cat"]


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        (str, ' xmlns="http://example.org/a"'),
        (lambda tag: f"v:{tag}", ' xmlns:v="http://example.org/a"'),
        (str.upper, ""), (str.title, ""),
        (lambda tag: tag.replace("object", "Object"), ""),
    ],
)  # fmt: skip
def test_namespaces_and_capitals_change_nothing(tmp_path, change, attribute):
    path = write_voc_xml(tmp_path, "a", (100, 100), [("cat", 1, 1, 5, 5)])
    text = re.sub(r"(</?)(\w+)", lambda found: found[1] + change(found[2]), path.read_text())
    root = change("annotation")
    path.write_text(text.replace(f"<{root}>", f"<{root}{attribute}>"))
    parsed = parse(str(path))
    assert (parsed.size, parsed.file_name) == ([100, 100], "a.jpg")
    assert parsed.objects == [["cat", 1, 1, 5, 5, 0]]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<object>", "<objects><object>"),
        ("1</xmin>", "1,0</xmin>"),
        ("<object>", "<!-- --><object>"),
    ],
)
def test_other_ways_to_write_the_same(tmp_path, old, new):
    path = write_voc_xml(tmp_path, "a", (100, 100), [("cat", 1, 1, 5, 5)])
    text = path.read_text().replace(old, new)
    path.write_text(
        text.replace("</annotation>", "</objects>" * ("<objects>" in text) + "</annotation>")
    )
    assert parse(str(path)).objects == [["cat", 1, 1, 5, 5, 0]]


def test_a_rotated_box_counts_by_the_upright_one_around_it(tmp_path):
    path = write_voc_xml(tmp_path, "a", (100, 100), [("cat", 1, 1, 5, 5)])
    box = "<robndbox><cx>50</cx><cy>40</cy><w>20</w><h>10</h><angle>1.5707963</angle></robndbox>"
    path.write_text(re.sub("<bndbox>.*</bndbox>", box, path.read_text(), flags=re.DOTALL))
    (found,) = parse(str(path)).objects
    assert found[1:5] == pytest.approx([45, 30, 55, 50], abs=0.01)


def test_the_photo_may_be_named_by_its_path_alone(tmp_path):
    photo(tmp_path / "pictures/a.jpg")
    path = write_voc_xml(tmp_path, "a", SIZE, [("cat", 1, 1, 50, 50)])
    text = re.sub("filename>[^<]*</filename", r"path>C:\\me\\a.jpg</path", path.read_text())
    path.unlink()
    (tmp_path / "x_1.xml").write_text(text)
    assert [found.image.file_name for found in Dataset(tmp_path).photos] == ["a.jpg"]


@pytest.mark.parametrize(
    "text",
    [
        "<annotation><item><name>cat</name><bndbox><xmin>1</xmin></bndbox></item></annotation>",
        "<annotation><cat><polygon><x1>3</x1></polygon></cat></annotation>",
        '<annotations><image name="a.jpg"><box label="cat" xtl="1"/></image></annotations>',
        "<html><body>404</body></html>",
    ],
)
def test_xml_of_another_kind_is_no_background(tmp_path, text):
    (tmp_path / "a.xml").write_text(text)
    ((kind, says),) = parse(str(tmp_path / "a.xml")).problems
    assert kind == "annotation unreadable"
    assert "export it as PASCAL VOC" in says


@pytest.mark.parametrize("line", ["{}", "./images/{}.jpg ./xml/{}.xml", "D:\\photos\\{}.jpg"])
def test_lists_beside_the_folders(tmp_path, line):
    for number in range(4):
        photo(tmp_path / f"images/{number}.jpg", shade=number)
        path = write_voc_xml(tmp_path, str(number), SIZE, [("cat", 1, 1, 50, 50)])
        (tmp_path / "xml").mkdir(exist_ok=True)
        path.rename(tmp_path / f"xml/{number}.xml")
    (tmp_path / "train.txt").write_text("".join(f"{line}\n".replace("{}", n) for n in "012"))
    (tmp_path / "valid.txt").write_text(line.replace("{}", "3"))
    dataset = Dataset(tmp_path)
    assert dataset.splits == ["train", "trainval", "val"]
    assert [len(dataset.of_split(split)) for split in ("train", "val")] == [3, 1]


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
        (b'<?xml version="1.0" encoding="gbk"?><annotation>\xff</annotation>', "not readable XML"),
        (b"\xff<a/>", "not readable XML"),
        (b"", "not readable XML"),
        (b"\x00" * 1000, "not readable XML"),
        (annotation(head=f"<!DOCTYPE a [{LAUGHS}]>", file_name="&l9;"), "<!DOCTYPE"),
        (annotation(head='<!DOCTYPE a SYSTEM "file:///etc/passwd">'), "<!DOCTYPE"),
        (
            annotation(
                head='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', file_name="&x;"
            ),
            "<!DOCTYPE",
        ),
        (b"<annotation>" + b" " * (MAX_XML_BYTES + 1) + b"</annotation>", "larger than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_annotations_get_one_short_sentence(tmp_path, content, says):
    path = tmp_path / "bad.xml"
    path.write_bytes(content)
    started = time.perf_counter()
    parsed = parse(str(path))
    assert time.perf_counter() - started < 5
    assert parsed.objects == []
    (problem,) = parsed.problems
    assert problem[0] == "annotation unreadable"
    assert says in problem[1]
    assert "\n" not in problem[1]
    assert len(problem[1]) < 400


@pytest.mark.parametrize("side", ["0", "-5", "1e160", "9" * 4000, "nan", "", "wide"])
def test_a_size_that_is_none_is_not_believed(tmp_path, side):
    path = tmp_path / "a.xml"
    path.write_bytes(annotation((side, "100")))
    assert parse(str(path)).size is None


def test_ordinary_encodings_are_read(tmp_path):
    path = tmp_path / "a.xml"
    text = annotation(file_name="süß.jpg").decode()
    for encoding in ("utf-8", "utf-16", "iso-8859-1", "GB18030"):
        path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding))
        assert parse(str(path)).file_name == "süß.jpg"
        path.write_bytes(f'\n <?xml version="1.0"?>{text}'.encode())
        assert parse(str(path)).file_name == "süß.jpg"
    for head in ("", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-8"?>'):
        path.write_bytes((head + annotation(file_name="轿车.jpg").decode()).encode("gbk"))
        parsed = parse(str(path))
        assert (parsed.file_name, parsed.problems) == ("轿车.jpg", [["other encoding", "gb2312"]])
    for declared, written in (("utf-16", "utf-8"), ("utf-8", "utf-16")):  # as some programs do
        path.write_bytes(f'<?xml version="1.0" encoding="{declared}"?>{text}'.encode(written))
        assert (parse(str(path)).file_name, parse(str(path)).problems) == ("süß.jpg", [])


@pytest.mark.parametrize("below", ["", "VOCdevkit", "VOCdevkit/VOC2007"])
def test_root_may_be_any_of_three_folders(toy_voc, below):
    assert Dataset(toy_voc / below).folders[0] == toy_voc / "VOCdevkit" / "VOC2007"


@pytest.mark.parametrize(
    ("name", "says"), [("none", "does not exist"), ("", "holds no VOC, YOLO or COCO")]
)
def test_missing_root_names_the_download_command(tmp_path, name, says):
    with pytest.raises(UserError, match=says) as caught:
        Dataset(tmp_path / name)
    assert "python -m model.dataset download" in str(caught.value)


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


def test_classes_come_from_the_data(tmp_path):
    root = make_voc(tmp_path / "mine", 6, 3, classes=("zebra", "ant"))
    assert read_split(root, "train").class_names == ("ant", "zebra")
    with pytest.raises(UserError, match="'ant', which is not among the 20 classes"):
        read_split(root, "train", VOC_CLASSES)


@pytest.mark.parametrize("folder", ["mine", "VOC2007"])
def test_a_set_of_persons_has_one_class(tmp_path, folder):
    root = make_voc(tmp_path / folder, 6, 3, classes=("person",))
    assert read_split(root, "train").class_names == ("person",)


def test_a_class_of_val_alone_is_a_class(own_voc):
    write_voc_xml(own_voc, "000009", (120, 90), [("yak", 1, 1, 50, 50)])
    assert "yak" in read_split(own_voc, "train").class_names


@pytest.fixture
def lists(own_voc):
    return own_voc / "ImageSets" / "Main"


def test_lists_of_a_class_are_no_splits_beside_others(own_voc, lists):
    (lists / "cat_train.txt").write_text("000001 -1\n000002  1\n")
    assert Dataset(own_voc).splits == ["train", "trainval", "val"]
    (lists / "my_own.txt").write_text("000001\n")
    assert Dataset(own_voc).splits == ["my_own", "train", "trainval", "val"]


def test_lists_of_classes_alone_say_together_what_a_split_is(own_voc, lists):
    for path in lists.glob("*.txt"):
        path.unlink()
    for name in ("cat", "car"):
        (lists / f"{name}_train.txt").write_text("000001 -1\n000002  1\n000003  0\n")
        (lists / f"{name}_val.txt").write_text("000004  1\n")
    assert Dataset(own_voc).splits == ["train", "trainval", "val"]
    assert len(read_split(own_voc, "train").frame) == 3


def test_one_list_with_labels_holds_what_is_labelled_1(own_voc, lists):
    for path in lists.glob("*.txt"):
        path.unlink()
    (lists / "train.txt").write_text("000001 -1\n000002  1\n000003  0\n")
    assert read_split(own_voc, "train").frame.file_name.tolist() == ["000002.jpg"]


def test_the_union_is_there_without_a_list(own_voc, lists):
    (lists / "trainval.txt").unlink()
    split = read_split(own_voc, "trainval")
    assert len(split.frame) == 12
    assert split.frame.split.value_counts().to_dict() == {"train": 8, "val": 4}


@pytest.mark.parametrize(("names", "says"), [(None, "no split 'extra'"), ([], "no split 'extra'")])
def test_bad_splits(own_voc, names, says):
    if names is not None:
        write_split(own_voc, "extra", names)
    with pytest.raises(UserError, match=says):
        read_split(own_voc, "extra")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"000001\n\xe9t\xe9\n"])
def test_a_list_that_is_not_utf_8(own_voc, lists, content):
    (lists / "train.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"train\.txt cannot be read: it is not UTF-8"):
        read_split(own_voc, "val")


@pytest.mark.parametrize(
    "line", ["../../secret", "/etc/passwd", "0000\x0001", "a" * 100_000, "nobody"]
)
def test_names_of_nothing_in_the_folder_are_left_out_and_said(own_voc, lists, line):
    (own_voc.parent / "secret.xml").write_bytes(annotation())
    (own_voc.parent / "secret.jpg").write_bytes(b"")
    path = lists / "train.txt"
    path.write_text(path.read_text() + f"{line}\n")
    dataset = Dataset(own_voc)
    assert [b.kind for b in dataset.blemishes] == ["annotation missing"]
    assert len(dataset.split("train").frame) == 8


SPELLINGS = {
    "a suffix": "{}.jpg", "another suffix": "{}.PNG", "a path": "/home/me/photos/{}.jpg",
    "a Windows path": "C:\\My photos\\{}.jpg", "above": "../JPEGImages/{}.jpg",
}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_names_in_lists_as_people_write_them(own_voc, lists, spelling):
    names = (lists / "train.txt").read_text().split()
    write_split(own_voc, "train", [SPELLINGS[spelling].format(name) for name in names])
    assert len(read_split(own_voc, "train").frame) == 8


ODD_STEMS = [
    "shot 2020-12-16 16.42.03", "IMG_jpg.rf.0123456789abcdef", "photo (1) [copy]", "käse №5",
    "n" * 200, "trailing 1", "x.JPG", "100%", "a'b\"c", "-1",
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".png", ".jpeg"])
def test_photos_under_odd_names(own_voc, lists, suffix):
    for number, stem in enumerate(ODD_STEMS):
        for folder, old, new in (("JPEGImages", ".jpg", suffix), ("Annotations", ".xml", ".xml")):
            (own_voc / folder / f"{number:06}{old}").rename(own_voc / folder / f"{stem}{new}")
    write_split(own_voc, "train", ODD_STEMS)
    dataset = Dataset(own_voc)
    assert len(dataset.split("train").frame) == len(ODD_STEMS)
    for stem in ODD_STEMS:
        assert Path(dataset.find(stem).path).name == f"{stem}{suffix}"


def test_unicode_in_either_normal_form(own_voc):
    composed, split = "caf\u00e9", "cafe\u0301"
    (own_voc / "JPEGImages/000001.jpg").rename(own_voc / f"JPEGImages/{split}.jpg")
    (own_voc / "Annotations/000001.xml").rename(own_voc / f"Annotations/{composed}.xml")
    write_split(own_voc, "train", [composed])
    assert len(read_split(own_voc, "train").frame) == 1


def test_lists_saved_by_windows_are_read(own_voc, lists):
    path = lists / "train.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_split(own_voc, "train").frame) == 8


@pytest.mark.parametrize("split", ["../Main/train", "/etc/hostname", "", "a" * 5000, "a\0b"])
def test_a_split_is_a_name_and_no_path(own_voc, split):
    with pytest.raises(UserError, match="has no split"):
        read_split(own_voc, split)


def test_more_classes_than_a_checkpoint_holds(tmp_path, monkeypatch):
    root = make_voc(tmp_path / "VOC2007", 6, 3, classes=("zebra", "ant", "cow"))
    monkeypatch.setattr("model.data.dataset.MAX_CLASSES", 2)
    with pytest.raises(UserError, match=r"3 classes.*at most 2"):
        read_split(root, "train")


def test_tutorial_boxes():
    assert box_xywh_to_xyxy((10, 20, 30, 40)) == (10, 20, 40, 60)


@pytest.mark.slow
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
