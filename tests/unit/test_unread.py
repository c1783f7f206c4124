"""model/data/formats/unread.py: formats that are named, with the way to convert them."""

import pytest
from own_data import photo

from model.data.dataset import Dataset
from model.errors import UserError


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "project.json",
            '[{"annotations": [{"rectanglelabels": ["cat"]}]}]',
            "Label Studio's own export",
        ),
        ("p.csv", 'image,label\na.jpg,"[{""rectanglelabels"": []}]"', "Label Studio's own export"),
        ("a.json", '{"categories": {}, "items": [{"annotations": []}]}', "Datumaro's JSON"),
        ("via.json", '{"a.jpg1": {"regions": [{"shape_attributes": {}}]}}', "VIA's JSON"),
        ("via.csv", "#filename,region_shape_attributes\n", "VIA's CSV"),
        ("a.json", '[{"annotations": [{"label": "x", "coordinates": {}}]}]', "Apple's CreateML"),
        ("det.json", '[{"labels": [{"box2d": {}}]}]', "BDD100K's JSON"),
        ("results.json", '[{"category_id": 1, "bbox": []}]', "results in COCO's format"),
        ("metadata.jsonl", '{"file_name": "a.jpg"}', "Hugging Face's metadata"),
        ("x.xml", "<annotations><meta/><image id='0'/></annotations>", "CVAT's XML"),
        ("x.xml", "<dataset><images><box top='1'/></images></dataset>", "dlib's XML"),
        ("label_2/b.txt", "Car 0.00 0 -1.58 1 2 3 4 1.65 1.67 3.6 -0.6 1.7 46.7 -1.5", "KITTI's"),
        ("labelTxt/b.txt", "gsd:0.1\n1.0 2.0 3.0 2.0 3.0 4.0 1.0 4.0 plane 0\n", "DOTA's labels"),
        ("gt/gt.txt", "1,1,912,484,97,109,0,7,1\n", "MOT's tracks"),
        ("annotations/b.txt", "684,8,273,116,0,0,0,0\n", "VisDrone's labels"),
        ("list.txt", "images/a.jpg 1,2,3,4,0 5,6,7,8,1\n", "a list of photos with boxes"),
        ("set.zip", "PK", "unpack it"),
        ("train.parquet", "PAR1", "a database of samples"),
        ("x.json", "{}", "of another kind"),
    ],
)
def test_the_refusal_names_what_lies_there(tmp_path, name, text, says):
    photo(tmp_path / "images/a.jpg")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"There, {name} is .*{says}|There, {name} is {says}"):
        Dataset(tmp_path)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refused(path: str, *_: object):
        raise PermissionError(13, "Permission denied", path)

    photo(tmp_path / "a.jpg")
    (tmp_path / "a.json").write_text("{}")
    for module in ("coco", "unread"):
        monkeypatch.setattr(f"model.data.formats.{module}.open", refused, raising=False)
    with pytest.raises(UserError, match=r"There, a.json cannot be read: Permission denied\. "):
        Dataset(tmp_path)
