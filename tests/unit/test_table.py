"""model/data/formats/table.py: CSV as tutorials, Roboflow, Open Images and Kaggle have it."""

import json

import pytest
from commands import run_here
from own_data import SIZE, photo

from model.data.dataset import Dataset
from model.data.formats import table
from model.data.formats.listing import readable_text
from model.errors import UserError

BOX = (10, 20, 40, 60)
WIDTH, HEIGHT = SIZE


def make(root, name: str, *lines: str, folder: str = "images"):
    """Two photos, ``a.jpg`` and ``b.jpg``, and a CSV."""
    for each in "ab":
        photo(root / folder / f"{each}.jpg", shade=ord(each))
    (root / name).write_text("\n".join(lines) + "\n", "utf-8-sig")
    return root


def objects(dataset: Dataset, name: str = "a") -> list[tuple]:
    return [(o.class_name, o.bbox_xyxy) for o in dataset.find(name).image.objects]


def kinds(dataset: Dataset) -> set[str]:
    return {blemish.kind for blemish in dataset.blemishes}


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("filename,width,height,class,xmin,ymin,xmax,ymax", "a.jpg,120,80,cat,10,20,40,60"),
        ("image;Label;X;Y;W;H", "a.jpg;cat;10,0;20;30;40"),
        ("image_id\tbbox\tcategory", "a\t[10.0, 20, 3e1, 40]\tcat"),
        ("image_id\tbbox\tcategory", "a\t[np.float64(10.0), np.int64(20), 30, 40]\tcat"),
        ("image,label,x_center,y_center,width,height", "a.jpg,cat,25,40,30,40"),
        (
            "label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width",
            "cat,10,20,30,40,a.jpg,9",
        ),
        ("cat,10,20,30,40,images/a.jpg,120,80", "cat,1,2,3,4,images/b.jpg,120,80"),
        ("split,path,label,x_min,y_min,x_max,y_max", r"x,C:\set\a.jpg,cat,10,20,40,60"),
        ("images/a.jpg,10,20,40,60,cat", "images/b.jpg,,,,,"),
        ("TRAIN,gs://set/images/a.jpg,cat,10,20,,,40,60,,", "TEST,b.jpg,cat,1,2,,,30,40,,"),
    ],
)
def test_columns_are_found_by_their_names_or_places(tmp_path, head, row):
    assert objects(Dataset(make(tmp_path, "boxes.csv", head, row))) == [("cat", BOX)]


def test_check_reads_a_csv_and_its_backgrounds(tmp_path):
    rows = ["filename,class,xmin,ymin,xmax,ymax", "a.jpg,cat,10,20,40,60", "b.jpg,,,,,"]
    done = run_here("-m", "model.dataset", "check", "--data", make(tmp_path, "a.csv", *rows))
    assert done.returncode == 0
    assert "csv, 1 class: cat" in done.stdout
    assert objects(Dataset(tmp_path), "b") == []


@pytest.mark.parametrize("cells", [",,,,", ",nan,nan,nan,nan", "NULL,NULL,NULL,NULL,NULL"])
def test_a_row_of_empty_cells_is_a_background(tmp_path, cells):
    rows = ["filename,class,xmin,ymin,xmax,ymax", "a.jpg,cat,10,20,40,60", f"b.jpg,{cells}"]
    dataset = Dataset(make(tmp_path, "boxes.csv", *rows))
    assert {p.image.file_name: len(p.image.objects) for p in dataset.photos} == {
        "a.jpg": 1, "b.jpg": 0,
    }  # fmt: skip
    assert "no usable object" not in kinds(dataset)


def test_a_csv_is_read_once(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        table, "readable_text", lambda *given: read.append(given[1]) or readable_text(*given)
    )
    dataset = Dataset(make(tmp_path, "boxes.csv", "a.jpg,10,20,40,60,cat", "b.jpg,1,2,30,40,cat"))
    assert len(dataset.photos) == 2
    assert read == ["boxes.csv"]


def test_open_images_have_shares_and_ids(tmp_path):
    head = "ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf"
    shares = f"{10 / WIDTH},{40 / WIDTH},{20 / HEIGHT},{60 / HEIGHT}"
    make(tmp_path, "train-annotations-bbox.csv", head, f"a,/m/01,{shares},0", f"b,/m/02,{shares},1")
    (tmp_path / "class-descriptions-boxable.csv").write_text("/m/01,Cat\n/m/02,Dog\n")
    dataset = Dataset(tmp_path)
    ((name, box),) = objects(dataset)
    assert (name, box) == ("Cat", pytest.approx(BOX))
    assert kinds(dataset) == {"numbers of another kind", "only difficult"}


def test_ids_are_named_by_a_table_in_either_order(tmp_path):
    make(tmp_path, "a.csv", "filename,class,xmin,ymin,xmax,ymax", "a.jpg,1,10,20,40,60")
    assert "classes without names" in kinds(Dataset(tmp_path))
    (tmp_path / "classes.csv").write_text("cat,0\ndog,1\n")
    assert objects(Dataset(tmp_path)) == [("dog", BOX)]


def test_a_union_and_its_splits_count_once(tmp_path):
    head, *rows = "filename,class,xmin,ymin,xmax,ymax", "a.jpg,cat,10,20,40,60", "b.jpg,dog,1,2,3,4"
    make(tmp_path, "labels.csv", head, *rows)
    for name, row in zip(("train_labels", "valid_labels"), rows, strict=True):
        (tmp_path / f"{name}.csv").write_text(f"{head}\n{row}\n")
    dataset = Dataset(tmp_path)
    assert [photo.splits for photo in dataset.photos] == [("train",), ("val",)]
    assert objects(dataset) == [("cat", BOX)]
    assert "annotated twice" not in kinds(dataset)


def test_the_projects_own_csv_reads_back_with_all_objects(tmp_path):
    listed = [["cat", *BOX, 0], ["dog", 0, 0, 9, 9, 1]]
    text = json.dumps(listed).replace('"', '""')
    row = f'images/a.jpg,train,120,80,cat,10,20,40,60,2,.1,"{text}"'
    head = "file_name,split,width,height,class_name,xmin,ymin,xmax,ymax,n_objects,share,objects"
    found = Dataset(make(tmp_path, "annotations.csv", head, row)).find("a").image.objects
    assert [[o.class_name, *o.bbox_xyxy, o.difficult] for o in found] == listed


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("a.jpg,cat,x,2,3,4", "object without box"),
        ("a.jpg,cat,nan,2,3,4", "object without box"),
        ("a.jpg,cat,1_0,2,3,4", "object without box"),
        ("a.jpg,cat,\u0661,2,3,4", "object without box"),
        ("a.jpg,cat,1,,3,4", "object without box"),
        ("a.jpg,,1,2,3,4", "object without class"),
        ("a.jpg,cat,1,2", "object without box"),
        ("none.jpg,cat,1,2,3,4", "photo missing"),
    ],
)
def test_a_bad_row_costs_itself(tmp_path, row, kind):
    head = "filename,class,xmin,ymin,xmax,ymax"
    dataset = Dataset(make(tmp_path, "a.csv", head, "a.jpg,cat,10,20,40,60", row))
    assert objects(dataset) == [("cat", BOX)]
    assert kind in kinds(dataset)


def test_what_lies_beside_another_format_is_not_read(tmp_path):
    make(tmp_path, "a.csv", "filename,class,xmin,ymin,xmax,ymax", "a.jpg,cat,10,20,40,60")
    (tmp_path / "classes.txt").write_text("dog\n")
    (tmp_path / "images/a.txt").write_text("0 .5 .5 .2 .2\n")
    assert Dataset(tmp_path).formats == "yolo"
    assert objects(Dataset(tmp_path, "csv")) == [("cat", BOX)]


def test_another_encoding_is_refused_with_the_remedy(tmp_path):
    make(tmp_path, "a.csv", "filename,class,xmin,ymin,xmax,ymax")
    (tmp_path / "a.csv").write_bytes("filename,class,xmin\nä.jpg,cat,1\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"not UTF-8 text. Save it as UTF-8"):
        Dataset(tmp_path)


HEAD, ROW = "filename;class;xmin;ymin;xmax;ymax", "a.jpg;cat;10;20;40;60"


@pytest.mark.parametrize(
    "above",
    [
        ["sep=;"],
        ["# from the camera, in the garden, on a Monday, by the pond", "# 2024"],
        ["", "sep=;", "# comment"],
        ["#filename;class;xmin;ymin;xmax;ymax"],
    ],
)
def test_what_stands_above_the_head_is_passed_over(tmp_path, above):
    head = [] if above[0].startswith("#filename") else [HEAD]
    assert objects(Dataset(make(tmp_path, "boxes.csv", *above, *head, ROW))) == [("cat", BOX)]


def test_a_cell_may_be_long(tmp_path):
    """A photo with thousands of objects has such a cell in the CSV that this project writes."""
    row = f"{ROW};{'x' * 140_000}"
    assert objects(Dataset(make(tmp_path, "a.csv", f"{HEAD};notes", row))) == [("cat", BOX)]


def test_an_unreadable_csv_costs_itself(tmp_path):
    make(tmp_path, "good.csv", HEAD, ROW)
    (tmp_path / "bad.csv").write_bytes("filename,class\nä.jpg,cat\n".encode("latin-1"))
    dataset = Dataset(tmp_path)
    assert objects(dataset) == [("cat", BOX)]
    (bad,) = [b for b in dataset.blemishes if b.kind == "annotation unreadable"]
    assert (bad.where, "it is not UTF-8 text" in bad.detail) == ("bad.csv", True)


@pytest.mark.parametrize("name", ["a.jpg?raw=1", "https://host.org/x/a.jpg?dl=0&k=1.2", "a%2Ejpg"])
def test_names_as_addresses_have_them(tmp_path, name):
    assert objects(Dataset(make(tmp_path, "a.csv", HEAD, ROW.replace("a.jpg", name)))) == [
        ("cat", BOX)
    ]


def test_a_quotation_mark_that_nothing_closes_is_said(tmp_path):
    make(tmp_path, "a.csv", HEAD, f'"{ROW}', *[ROW] * 3000)
    with pytest.raises(UserError, match=r"quotation mark before 'a.jpg;cat;.{10,40}' that nothing"):
        Dataset(tmp_path)


@pytest.mark.parametrize("cell", ["3", "", "x"])
def test_a_column_of_objects_may_mean_something_else(tmp_path, cell):
    assert objects(Dataset(make(tmp_path, "a.csv", f"{HEAD};objects", f"{ROW};{cell}"))) == [
        ("cat", BOX)
    ]


@pytest.mark.parametrize("cell", ["[1]", "[" * 100_000, "[[1]]", "[{"])
def test_a_list_of_objects_that_is_none_costs_its_row(tmp_path, cell):
    dataset = Dataset(make(tmp_path, "a.csv", f"{HEAD};objects", f"{ROW};{cell}"))
    assert {"object without box", "no usable object"} <= kinds(dataset)


def test_an_unreadable_csv_beside_labelme_is_passed_over(tmp_path):
    make(tmp_path, "a.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff")
    shapes = [{"label": "cat", "points": [[10, 20], [40, 60]]}]
    (tmp_path / "images/a.json").write_text(json.dumps({"shapes": shapes}))
    assert objects(Dataset(tmp_path)) == [("cat", BOX)]
