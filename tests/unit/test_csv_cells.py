"""model/csv_cells.py: names of files are data, also in a spreadsheet."""

import csv
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from conftest import REPOSITORY
from PIL import Image

from demo.choice import Photo
from demo.inspection import Inspection
from demo.views.detect import csv_download
from model.augment import AugmentConfig
from model.checkpoint import DEFAULT_CHECKPOINT
from model.commands.predict import PredictConfig, main
from model.csv_cells import without_formulas
from model.data.records import ObjectAnnotation
from model.inspect.variants import make_variants
from model.inspect.variants_zip import on_canvas, pack_variants


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas_become_text(cell):
    assert without_formulas([[cell]]) == [[f"'{cell}"]]


@pytest.mark.parametrize("cell", ["", "cat", "a=b", "1-2", -1, -0.5, None])
def test_everything_else_stays(cell):
    assert without_formulas([[cell]]) == [[cell]]


def test_no_rows():
    assert without_formulas([]) == []


def test_the_csv_of_the_page(tmp_path):
    photo = tmp_path / "=cmd.jpg"
    photo.write_bytes((REPOSITORY / "examples" / "cat.jpg").read_bytes())
    text = Path(csv_download(Inspection(Photo(photo), DEFAULT_CHECKPOINT))).read_text()
    assert text.splitlines()[1].startswith("'=cmd.jpg,cat,")


def test_the_csv_of_the_variants():
    photo = Image.new("RGB", (64, 64))
    variants = make_variants(photo, (5, 5, 50, 50), AugmentConfig.none(), 32, count=1)
    things = [ObjectAnnotation("@class", (5, 5, 50, 50))]
    packed = pack_variants(variants, on_canvas(variants), things, AugmentConfig.none())
    with zipfile.ZipFile(BytesIO(packed)) as archive:
        assert ",'@class," in archive.read("boxes.csv").decode()


def test_the_csv_of_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("=2+3.jpg").write_bytes((REPOSITORY / "examples" / "cat.jpg").read_bytes())
    assert main(PredictConfig([Path("=2+3.jpg")], csv=Path("out.csv"), progress=False)) == 0
    (row,) = csv.DictReader(Path("out.csv").read_text().splitlines())
    assert row["file"] == "'=2+3.jpg"
    assert float(row["xmin"]) >= 0
