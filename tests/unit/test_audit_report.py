"""The files of ``python -m model.audit``: read back, and against what was counted."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from conftest import make_voc
from PIL import Image

from model.augment import AugmentConfig
from model.commands.audit import AuditConfig, main
from model.data.dataset import read_split
from model.errors import UserError
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.pictures import pair, traces, worst_draws
from model.inspect.audit.tally import tally_of
from model.loading.dataset import DetectionDataset

TOO_MUCH = {"rotation_degrees": 60, "zoom": 3, "box_rule": "hull"}
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    return make_voc(tmp_path_factory.mktemp("audit") / "set", 20, 2)


@pytest.fixture(scope="module")
def compared(voc, tmp_path_factory):
    """Two settings side by side."""
    out = tmp_path_factory.mktemp("out")
    (out / "a.json").write_text(json.dumps(TOO_MUCH))
    (out / f"{EVIL.replace('/', '')}.json").write_text('{"zoom": 1, "rotation_degrees": 0}')
    against = next(out.glob("<*"))
    main(AuditConfig(out / "r", data=(str(voc),), augment=out / "a.json", against=against, epochs=3,
                     image_size=64, tiles=2, cache_dir=str(out), progress=False))  # fmt: skip
    return out / "r"


class Reader(HTMLParser):
    """Tags that stay open, and all addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for name, v in attrs if name in ("src", "href")]
        if tag not in ("img", "meta", "path", "rect", "circle", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag not in ("path", "rect", "circle", "polyline"):
            raise AssertionError(f"</{tag}> closes {self.open[-3:]}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_the_report_is_one_whole_page_that_asks_no_one(compared):
    text = (compared / "report.html").read_text()
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert "script" not in reader.tags
    assert reader.addresses
    assert all(address.startswith("data:image/jpeg") for address in reader.addresses)
    assert not re.search(r"https?://|url\(", text)
    assert "&lt;script&gt;" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "None" not in re.sub(r"base64,[\w+/=]+", "", text)
    assert "nan" not in re.sub(r"base64,[\w+/=]+", "", text)


def test_both_settings_are_compared_and_differences_marked(compared):
    text = (compared / "report.html").read_text()
    assert text.count('class="better"') >= 3
    assert 'class="differs"' in text
    files = {path.name for path in compared.iterdir()}
    assert files == {
        "report.html", "audit.json", "photos.csv", "classes.csv", "photos_against.csv",
        "classes_against.csv",
    }  # fmt: skip
    found = json.loads((compared / "audit.json").read_text())
    first, second = found["settings"]
    assert first["augment"]["zoom"] == 3
    assert second["augment"]["zoom"] == 1
    assert {c["setting"] for c in first["causes"]} >= {"zoom", "rotation_degrees"}
    assert first["strongest_within_limits"]["rotation_degrees"] < 60
    assert AugmentConfig.from_dict(first["strongest_within_limits"])


def test_the_tables_hold_what_was_counted(compared, voc):
    split = read_split(voc, "train")
    table = BoxTable.of(split, 64)
    tally = tally_of(table, AugmentConfig(**TOO_MUCH), 0, 3)  # type: ignore[arg-type]
    photos = pd.read_csv(compared / "photos.csv", dtype={"file_name": str})
    assert photos.file_name.tolist() == split.frame.file_name.tolist()
    for column in ("xmin", "ymin", "xmax", "ymax"):
        assert photos[column].to_numpy() == pytest.approx(split.frame[column].to_numpy(), abs=0.01)
    assert photos.lost_share.mean() == pytest.approx(tally.numbers("target").lost, abs=1e-3)
    classes = pd.read_csv(compared / "classes.csv", keep_default_na=False)
    cars = classes.query("role == 'target' and name == 'car'").iloc[0]
    assert cars.boxes == 3 * (split.frame.class_name == "car").sum()
    assert cars.lost == pytest.approx(tally.numbers("target", "car").lost, abs=1e-4)


def test_the_worst_tiles_show_exactly_the_draw_that_trains(voc, tmp_path):
    split, config = read_split(voc, "train"), AugmentConfig(**TOO_MUCH)  # type: ignore[arg-type]
    table = BoxTable.of(split, 64)
    tally = tally_of(table, config, 9, 4)
    worst = worst_draws(tally, 3)
    assert {draw.kind for draw in worst} == {"lost", "cut", "loose"}
    dataset = DetectionDataset(split, 64, config, 9, tmp_path, progress=False)
    found = list(traces(table, config, 9, [(draw.photo, draw.epoch) for draw in worst]))
    for draw, trace in zip(worst, found, strict=True):
        assert trace is not None
        dataset.set_epoch(draw.epoch)
        sample, _ = dataset.sample(draw.photo)
        assert (trace.network == sample.image).all()
        assert (trace.steps[-1].bbox_xyxy == sample.bbox_xyxy[0]).all()
        if draw.kind == "lost":
            assert draw.words == f"drawn again {sample.redraws} x"
        before, after = pair(trace, ["car"])
        assert before.size == trace.steps[0].image.size
        assert isinstance(after, Image.Image)


def test_a_draw_whose_every_try_lost_the_target_is_called_so(voc):
    table = BoxTable.of(read_split(voc, "train"), 64)
    config = AugmentConfig(rotation_degrees=180, zoom=4, shear_degrees=30, min_visible=1)
    tally = tally_of(table, config, 9, 50)
    assert tally.numbers("target").gave_up > 0
    assert worst_draws(tally, 1)[0].words == "lost in every try, so nothing was moved"


def test_a_file_name_that_a_spreadsheet_would_calculate_stays_text(voc, tmp_path):
    for folder, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".xml")):
        path = tmp_path / "set" / folder / f"=1+1{suffix}"
        path.parent.mkdir(parents=True)
        path.write_bytes((voc / folder / f"000000{suffix}").read_bytes())
    main(AuditConfig(tmp_path / "r", data=(str(tmp_path / "set"),), epochs=1, image_size=64,
                     cache_dir=str(tmp_path), progress=False))  # fmt: skip
    _, row = csv.reader((tmp_path / "r" / "photos.csv").open())
    assert row[0] == "'=1+1.jpg"


def test_a_photo_that_cannot_be_read_is_no_tile_and_does_not_stop_the_audit(voc, tmp_path):
    split = read_split(voc, "train")
    table = BoxTable.of(split, 64)
    names = table.names.copy()
    names[0] = "gone.jpg"
    broken = BoxTable(**{**vars(table), "names": names})
    first, second = traces(broken, AugmentConfig(), 0, [(0, 0), (1, 0)])
    assert first is None
    assert second is not None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"data": ("nowhere",)}, "nowhere"),
        ({"split": "tset"}, "has no split 'tset'"),
        ({"augment": Path("missing.json")}, "cannot read the augmentation settings missing.json"),
        ({"epochs": 0}, "--epochs must be from 1 to 1,000, not 0"),
        ({"max_lost": 2.0}, "--max-lost must be from 0 to 1"),
        ({"min_iou": float("nan")}, "--min-iou must be from 0 to 1, not nan"),
        ({"image_size": -1}, "--image-size must be from 32"),
        ({"seed": -1}, "--seed must be from 0"),
    ],
)
def test_bad_input_is_one_sentence(changed, says, voc, tmp_path):
    config = AuditConfig(**{"out": tmp_path / "r", "data": (str(voc),), "progress": False,
                            "cache_dir": str(tmp_path), **changed})  # fmt: skip
    with pytest.raises(UserError) as error:
        main(config)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"rotation": 3}', '{"zoom": 99}', '{"zoom": "2"}'])
def test_bad_settings_are_named_with_their_file(text, voc, tmp_path):
    (tmp_path / "bad.json").write_text(text)
    config = AuditConfig(tmp_path / "r", data=(str(voc),), augment=tmp_path / "bad.json")
    with pytest.raises(UserError, match=r"bad\.json"):
        main(config)


def test_an_out_that_cannot_be_written_is_said_before_anything_is_counted(voc, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        main(AuditConfig(tmp_path / "file" / "r", data=(str(voc),), progress=False))
