"""model/data/formats/yolo.py: what people's label files and data.yaml say."""

import pytest
from own_data import SIZE, make_yolo, photo

from model.data.annotations import AnnotatedPhoto, to_yolo, yolo_yaml
from model.data.dataset import Dataset
from model.data.formats.yolo_lines import parse
from model.data.records import ObjectAnnotation
from model.errors import UserError


def kinds(dataset: Dataset) -> list[str]:
    return [blemish.kind for blemish in dataset.blemishes]


def test_boxes_become_pixels(tmp_path):
    data = make_yolo(tmp_path, {"a": "1 0.5 0.5 0.5 0.25\n", "b": "0 .5 .5 1 1\n"})
    dataset = Dataset(data)
    assert kinds(dataset) == []
    assert dataset.splits == ["train", "trainval", "val"]
    assert dataset.class_names == ("cat", "dog")
    row = dataset.split("train").frame.iloc[0]
    assert row[["class_name", "xmin", "ymin", "xmax", "ymax"]].tolist() == ["dog", 30, 30, 90, 50]
    assert row.file_name == "train/a.jpg"


def test_what_we_write_is_read_back(tmp_path):
    thing = ObjectAnnotation("dog", (10.0, 20.0, 60.0, 50.0))
    photo(tmp_path / "a.jpg")
    written = to_yolo(AnnotatedPhoto("a.jpg", *SIZE, (thing,)), ["cat", "dog"])
    (tmp_path / "a.txt").write_text(written)
    (tmp_path / "data.yaml").write_text(yolo_yaml(["cat", "dog"]))
    box = Dataset(tmp_path).find("a").image.objects[0]
    assert box.class_name == "dog"
    assert box.bbox_xyxy == pytest.approx(thing.bbox_xyxy, abs=1e-3)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("2 .5 .5 .1 .1", "object without class"),
        ("-1 .5 .5 .1 .1", "object without class"),
        ("1e9 .5 .5 .1 .1", "object without class"),
        ("cow .5 .5 .1 .1", "object without class"),
        ("cat .5 .5 .1", "object without box"),
        ("cat 0 -1.57 599.4 156.4 629.8 189.3", "object without box"),  # KITTI has 14 numbers
        ("0 .5 .5 .1", "object without box"),
        ("0 nan .5 .1 .1", "object without box"),
        ("0 inf .5 .1 .1", "object without box"),
        ("0 x .5 .1 .1", "object without box"),
        ("0", "object without box"),
        ("cow 2 50 50 10 .5 inf", "object without box"),
        ("0 .1 .2 .3 .4 .5 inf", "object without box"),
        (", [", "object without box"),
        ("0 .5 .5 0 .1", "object without area"),
        ("0 .5 .5 -.1 .1", "corners swapped"),
        ("0 5 5 .1 .1", "object without area"),
        ("0 .5 .5 1.2 .5", "box outside"),
        ("0 .5 .5 1.01 .5", "box at the edge"),
    ],
)
def test_a_bad_line_costs_one_object(tmp_path, line, kind):
    data = make_yolo(tmp_path, {"a": f"{line}\n\n1 .5 .5 .2 .2\n", "b": "0 .5 .5 .2 .2\n"})
    dataset = Dataset(data)
    assert kinds(dataset) == [kind]
    assert "dog" in [o.class_name for o in dataset.find("a").image.objects]


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("0 .1 .2 .5 .2 .5 .8 .1 .8", [0.1, 0.2, 0.5, 0.8]),  # the outline of a segmentation
        ("0.0 .3 .5 .4 .6", [0.1, 0.2, 0.5, 0.8]),
        ("0 .3 .5 .4 .6 .93", [0.1, 0.2, 0.5, 0.8]),  # a prediction with its score
        ("0,.3,.5,.4,.6", [0.1, 0.2, 0.5, 0.8]),
        ("0; .3; .5; .4; .6", [0.1, 0.2, 0.5, 0.8]),
        ("0 0,3 0,5 0,4 0,6", [0.1, 0.2, 0.5, 0.8]),
        ("0.000000e+00 3e-1 5e-1 4e-1 6e-1", [0.1, 0.2, 0.5, 0.8]),
        ("[0, .3, .5, .4, .6]", [0.1, 0.2, 0.5, 0.8]),
        ("cat: .3 .5 .4 .6", [0.1, 0.2, 0.5, 0.8]),
    ],
)
def test_lines_of_other_programs(tmp_path, line, box):
    (tmp_path / "a.txt").write_text(line)
    (thing,) = parse(str(tmp_path / "a.txt")).objects
    assert thing[1:5] == pytest.approx(box)


def test_names_instead_of_ids(tmp_path):
    lines = {"a": "cat .5 .5 .5 .25\n1 .5 .5 .1 .1", "b": "dining table,.5,.5,.2,.2"}
    data = make_yolo(tmp_path, lines, "names: [cat, dog, dining table]\n")
    dataset = Dataset(data)
    assert kinds(dataset) == []
    things = dataset.find("a").image.objects + dataset.find("b").image.objects
    assert [thing.class_name for thing in things] == ["cat", "dog", "dining table"]


def test_names_instead_of_ids_without_a_list_of_them(tmp_path):
    photo(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("potted plant .5 .5 .2 .2")
    assert Dataset(tmp_path).find("a").image.objects[0].class_name == "potted plant"
    assert kinds(Dataset(tmp_path)) == ["split of our own"]
    (tmp_path / "a.txt").write_text("1 .5 .5 .2 .2")
    (blemish, _) = Dataset(tmp_path).blemishes
    assert blemish.kind == "classes without names"
    assert "classes.txt or data.yaml" in blemish.detail
    (tmp_path / "predefined_classes.txt").write_text("cup\nmug")  # of labelImg
    assert kinds(Dataset(tmp_path)) == ["split of our own"]
    assert Dataset(tmp_path).class_names == ("mug",)


@pytest.mark.parametrize("keys", [".1 .2 2 .9 .9 2 .5 .5 1 .4 .4 0", ".1 .2 .9 .9", ""])
def test_key_points_are_no_outline(tmp_path, keys):
    line = f"0 .3 .5 .4 .6 {keys}"
    data = make_yolo(tmp_path, {"a": line, "b": line}, "kpt_shape: [4, 3]\nnames: [cat, dog]\n")
    (thing,) = Dataset(data).find("a").image.objects
    assert thing.bbox_xyxy == pytest.approx((12, 16, 60, 64))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_text_with_a_mark_of_its_encoding(tmp_path, encoding):
    data = make_yolo(tmp_path, {"a": "", "b": ""})
    for file in data.rglob("*.txt"):
        file.write_text("1 .5 .5 .5 .25\n", encoding)
    (data / "data.yaml").write_text("names: [Kätzchen, Hündchen]\n", encoding)
    dataset = Dataset(data)
    assert dataset.class_names == ("Hündchen",)
    assert len(dataset.photos) == 2


NAMES = {
    "list": "names: [cat, dog]\n",
    "lines": "nc: 2\nnames:\n- cat\n- dog\n",
    "text": "names: cat, dog\n",
    "dict": "names:\n  1: dog\n  0: cat\n",
    "absolute": "path: C:\\data\\pets\nnames: [cat, dog]\n",
    "above": "path: ../datasets/pets  # of Ultralytics\nnames: {0: cat, 1: dog}\n",
}


@pytest.mark.parametrize("names", NAMES)
def test_yaml_as_others_write_it(tmp_path, names):
    lines = {"a": "1 .5 .5 .5 .5", "b": "0 .5 .5 .5 .5"}
    dataset = Dataset(make_yolo(tmp_path / "pets", lines, NAMES[names]))
    assert dataset.class_names == ("cat", "dog")
    assert dataset.splits == ["train", "trainval", "val"]


def test_classes_called_no_and_7_stay_so(tmp_path):
    data = make_yolo(tmp_path, {"a": "0 .5 .5 .5 .5", "b": "1 .5 .5 .5 .5"}, "names: [no, 7]\n")
    assert Dataset(data).class_names == ("7", "no")


@pytest.mark.parametrize(
    "content", [b"names: [a\n", b"\xff\xfe\x00", b"[" * 100_000, b"{" * 100_000, b"names: *b\n"]
)
def test_hostile_yaml_gets_a_sentence(tmp_path, content):
    data = make_yolo(tmp_path, {"a": "0 .5 .5 .5 .5"})
    (data / "data.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"data\.yaml (is not readable|cannot be read)") as caught:
        _ = Dataset(data).blemishes
    assert len(str(caught.value)) < 400 + len(str(data))


def test_tags_of_python_are_text(tmp_path):
    mark = tmp_path / "mark"
    names = f"names: !!python/object/apply:os.mkdir [{mark}]\n"
    data = make_yolo(tmp_path / "data", {"a": "0 .5 .5 .5 .5"}, names)
    assert Dataset(data).class_names == (str(mark),)
    assert not mark.exists()


@pytest.mark.parametrize("file", ["_darknet.labels", "classes.txt", "obj.names"])
def test_names_as_darknet_has_them(tmp_path, file):
    for split in ("train", "valid"):
        photo(tmp_path / f"{split}/{split}.jpg", shade=len(split))
        (tmp_path / f"{split}/{split}.txt").write_text("0 .5 .5 .5 .5")
        (tmp_path / f"{split}/{file}").write_text("lime\n")
    dataset = Dataset(tmp_path)
    assert (dataset.class_names, dataset.splits) == (("lime",), ["train", "trainval", "val"])


def shares(box: tuple[float, ...]) -> str:
    """The center and size of a box in pixels, as YOLO has them."""
    x1, y1, x2, y2 = (v / side for v, side in zip(box, SIZE * 2, strict=True))
    return f"{(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}"


def points(box: tuple[float, ...], count: int = 3) -> str:
    """An outline whose hull is the box."""
    x1, y1, x2, y2 = (v / side for v, side in zip(box, SIZE * 2, strict=True))
    corners = [(x1, y2), (x2, (y1 + y2) / 2), ((x1 + x2) / 2, y1), (x1, y2)]
    return " ".join(f"{x:.6f} {y:.6f}" for x, y in corners[:count])


BOXES = [(4 * i + 2, 3 * i + 4, 5 * i + 20, 2 * i + 38) for i in range(20)]
LONGER_LINES = {  # the line of the box number i, and what the check says of the numbers
    "score": (lambda b, i: f"{shares(b)} 0.{i + 10}", "a score behind"),
    "score first": (lambda b, i: f"0.{99 - i} {shares(b)}", "between class and box"),
    "track": (lambda b, i: f"{shares(b)} 0.{i + 10} {i}", "track"),
    "one track": (lambda b, i: f"{shares(b)} 0.{i + 10} 1", "track"),
    "track or not": (lambda b, i: f"{shares(b)} 0.{i + 10}{f' {i}' * (i % 2)}", "track"),
    "triangles": (lambda b, _: points(b), ""),
    "outlines": (lambda b, i: points(b, 3 + i % 2), ""),
    "outlines and boxes": (lambda b, i: points(b) if i % 2 else shares(b), ""),
    "scored outlines": (lambda b, i: f"{points(b, 3 + i % 2)} 0.{i + 10}", "a score at"),
    "tracked outlines": (lambda b, i: f"{points(b, 3 + i % 2)} 0.{i + 10} {i}", "track"),
    "points seen": (lambda b, i: f"{shares(b)} 0.1 0.2 {i % 3} .5 .6 2", "key points"),
    "points": (lambda b, _: f"{shares(b)} {points(b)}", "key points"),
    "corners": (lambda b, _: f"{points(b, 4)}", ""),
}


@pytest.mark.parametrize("kind", LONGER_LINES)
def test_the_whole_set_tells_what_stands_in_longer_lines(tmp_path, kind):
    line, says = LONGER_LINES[kind]
    lines = [f"1 {line(box, i)}\n" for i, box in enumerate(BOXES)]
    data = make_yolo(tmp_path, {"a": "".join(lines[:12]), "b": "".join(lines[12:])})
    dataset = Dataset(data)
    found = [thing.bbox_xyxy for name in "ab" for thing in dataset.find(name).image.objects]
    assert [x for box in found for x in box] == pytest.approx(
        [x for box in BOXES for x in box], abs=0.01
    )
    assert kinds(dataset) == (["more than boxes"] if says else [])
    assert all(says in blemish.detail for blemish in dataset.blemishes)


@pytest.mark.parametrize("tail", ["", " .9", " .9 7"])
@pytest.mark.parametrize("name", ["person 2", "2 door car", "level 2 10", '"dining table"'])
def test_names_with_numbers_and_marks(tmp_path, name, tail):
    (tmp_path / "a.txt").write_text(f"# made by hand\n{name} .3 .5 .4 .6{tail}\n")
    ((found, *box, _),) = parse(str(tmp_path / "a.txt")).objects
    assert found == name.strip('"')
    assert box == pytest.approx([0.1, 0.2, 0.5, 0.8])


def test_a_name_that_ends_in_a_number_before_pixels(tmp_path):
    (tmp_path / "a.txt").write_text("person 2 30 50 40 60\nperson 30 50 40 60 .9\n")
    found = parse(str(tmp_path / "a.txt")).objects
    assert found == [["person 2", 10, 20, 50, 80, 0], ["person", 10, 20, 50, 80, 0]]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("Images/{}/{}.JPG", "Labels/{}/{}.TXT"), ("images/{}/{}.jpg", "Labels/{}/{}.txt"),
        ("{}/cat/{}.jpg", "{}/cat/Label/{}.txt"), ("photos/{}/{}.jpg", "txt/{}/{}.txt"),
    ],
)  # fmt: skip
def test_label_files_in_folders_of_other_names(tmp_path, images, labels):
    for number, split in enumerate(("train", "valid")):
        photo(tmp_path / images.format(split, f"a{number}"), shade=number)
        label = tmp_path / labels.format(split, f"a{number}")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("cat .5 .5 .5 .5")
    dataset = Dataset(tmp_path)
    assert dataset.splits == ["train", "trainval", "val"]
    assert [len(each.image.objects) for each in dataset.photos] == [1, 1]


def test_a_label_file_that_two_photos_might_mean_is_of_none(tmp_path):
    for number, split in enumerate(("train", "val")):
        photo(tmp_path / f"photos/{split}/a.jpg", shade=number)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("cat .5 .5 .5 .5")
    assert [each.image.objects for each in Dataset(tmp_path, "yolo").photos] == [(), ()]


def test_lists_of_darknet(tmp_path):
    for number, name in enumerate("abc"):
        photo(tmp_path / f"obj_train_data/{name}.jpg", shade=number)
        (tmp_path / f"obj_train_data/{name}.txt").write_text("0 .5 .5 .5 .5")
    (tmp_path / "obj.names").write_text("lime\n")
    (tmp_path / "train.txt").write_text("data/obj_train_data/a.jpg\nC:\\data\\b.jpg\n")
    (tmp_path / "valid.txt").write_text("data/obj_train_data/c.jpg\n")
    dataset = Dataset(tmp_path)
    assert [len(dataset.of_split(name)) for name in ("train", "val")] == [2, 1]


def test_names_in_other_case(tmp_path):
    lines = {"a": "CAT .5 .5 .5 .5", "b": "Dog .5 .5 .5 .5"}
    assert Dataset(make_yolo(tmp_path, lines)).class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("cat\ndog\n\n", "cat\n", ("cat", "dog")), ("0: cat\n1: dog\n", "", ("cat", "dog")),
        ("cat\ndog\n", "dog\ncat\n", "different things"), ("cat\n\ndog\n", "", "empty line"),
    ],
)  # fmt: skip
def test_files_of_names(tmp_path, first, second, names):
    data = make_yolo(tmp_path, {"a": "0 .5 .5 .5 .5", "b": "1 .5 .5 .5 .5"}, "")
    (data / "labels/train/classes.txt").write_text(first)
    (data / "labels/val/classes.txt").write_text(second)
    if isinstance(names, tuple):
        assert Dataset(data).class_names == names
    else:
        with pytest.raises(UserError, match=names):
            _ = Dataset(data).blemishes


def test_a_photo_without_labels_is_a_background(tmp_path):
    data = make_yolo(tmp_path, {"a": "", "b": "0 .5 .5 .5 .5", "c": "0 .5 .5 .5 .5"})
    photo(data / "images/train/d.jpg", shade=9)
    split = Dataset(data).split("train")
    assert split.frame.file_name.tolist() == ["train/b.jpg"]
    assert split.backgrounds.file_name.tolist() == ["train/a.jpg", "train/d.jpg"]
    assert split.backgrounds.xmin.isna().all()
    assert len(split.table) == 3


def test_ids_that_count_from_1_are_told_from_the_whole_set(tmp_path):
    data = make_yolo(tmp_path, {"a": "1 .5 .5 .5 .5", "b": "2 .5 .5 .5 .5"})
    dataset = Dataset(data)
    assert kinds(dataset) == ["ids count from 1"]
    assert [dataset.find(name).image.objects[0].class_name for name in "ab"] == ["cat", "dog"]
    # With an id of 0 the other one is a slip, and its photo teaches nothing.
    (data / "labels/train/a.txt").write_text("0 .5 .5 .5 .5")
    dataset = Dataset(data)
    assert kinds(dataset) == ["object without class", "no usable object"]
    assert (dataset.find("a").image.objects[0].class_name, dataset.find("b")) == ("cat", None)


def test_a_yaml_that_would_take_minutes_is_refused(tmp_path):
    data = make_yolo(tmp_path, {"a": "0 .5 .5 .5 .5"}, "names: [cat]\nx: [" + "a," * 200_000 + "]")
    with pytest.raises(UserError, match="longer than 250,000"):
        _ = Dataset(data).blemishes


def test_a_long_yaml_of_something_else_is_passed_over(tmp_path):
    data = make_yolo(tmp_path, {"a": "0 .5 .5 .5 .5", "b": "1 .5 .5 .5 .5"})
    (data / "log.yaml").write_text("x: [" + "a," * 200_000 + "]")
    dataset = Dataset(data)
    assert kinds(dataset) == []
    assert dataset.class_names == ("cat", "dog")


@pytest.mark.parametrize("name", ["c\\e[2Jt", "c\\0t", "c" * 5000])
def test_names_that_cannot_be_shown_name_no_class(tmp_path, name):
    lines = {"a": "0 .5 .5 .5 .5\n1 .5 .5 .1 .1", "b": "1 .5 .5 .5 .5"}
    dataset = Dataset(make_yolo(tmp_path, lines, f'names: ["{name}", dog]'))
    assert "object without class" in kinds(dataset)
    assert dataset.class_names == ("dog",)


def test_a_single_name_is_the_only_class(tmp_path):
    dataset = Dataset(make_yolo(tmp_path, {"a": "0 .5 .5 .2 .2\n"}, "names: person\n"))
    assert dataset.class_names == ("person",)


def test_yaml_files_that_name_the_classes_differently_are_not_guessed_at(tmp_path):
    data = make_yolo(tmp_path, {"a": "0 .5 .5 .2 .2\n"})
    (data / "coco8.yaml").write_text("names: [cat, dog]\n")
    assert Dataset(data).class_names == ("cat",)
    (data / "coco8.yaml").write_text("names: [person, car]\n")
    with pytest.raises(UserError, match=r"coco8.yaml, data.yaml. .* take all away but one"):
        _ = Dataset(data).photos


def test_a_readme_beside_labels_is_no_label(tmp_path):
    data = make_yolo(tmp_path, {"a": "0 .5 .5 .2 .2\n"})
    (data / "labels/train/README.roboflow.txt").write_text("a set\n")
    assert "photo missing" not in [blemish.kind for blemish in Dataset(data).blemishes]


@pytest.mark.parametrize("text", ["lr: [", "lr: \xff", "x" * 300_000])
def test_yaml_of_something_else_is_passed_over(tmp_path, text):
    data = make_yolo(tmp_path, {"a": "1 .5 .5 .4 .5"})
    (data / "hyp.yaml").write_text(text, "latin-1")
    assert Dataset(data).find("a").image.objects[0].class_name == "dog"


def test_names_may_come_before_their_numbers(tmp_path):
    data = make_yolo(tmp_path, {"a": "1 .5 .5 .4 .5"}, "names: {dog: 1, cat: 0}\n")
    assert Dataset(data).class_names == ("dog",)


def test_a_path_of_another_computer_is_known_by_how_it_ends(tmp_path):
    data = make_yolo(tmp_path, dict.fromkeys("ab", "0 .5 .5 .4 .5"))
    (data / "images/train").rename(data / "images/first")
    (data / "labels/train").rename(data / "labels/first")
    settings = "train: D:\\sets\\mine\\images\\first\nval: images/val\n"
    (data / "data.yaml").write_text(f"{settings}test: ../test/images\nnames: [cat]\n")
    assert Dataset(data).splits == ["train", "trainval", "val"]


@pytest.mark.parametrize("word", ["1_0", "0x1", "\u0661", "nan", "-inf", "1__0", "1e"])
@pytest.mark.parametrize("place", [0, 1, 4])
def test_what_only_python_takes_for_a_number_is_none(tmp_path, word, place):
    words = ["1", ".5", ".5", ".2", ".2", ".9"]
    words[place] = word
    data = make_yolo(
        tmp_path,
        {"a": " ".join(words) + "\n0 .5 .5 .1 .1"},
        f"nc: 12\nnames: {list('abcdefghijkl')}\n",
    )
    dataset = Dataset(data)
    assert [b.effect for b in dataset.blemishes] == ["left out"]
    assert [o.class_name for o in dataset.find("a").image.objects] == ["a"]


def test_a_line_of_a_million_numbers_behind_a_name_takes_no_time(tmp_path):
    """Each of them could belong to the name; looking at all of them again would take hours."""
    (tmp_path / "a.txt").write_text("a " + "5 " * 1_000_000)
    parse(str(tmp_path / "a.txt"))
