"""An augmented copy of a data set is what the readers read back, and equal to the plan."""

import csv
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_voc
from PIL import Image

from model.augment import AugmentConfig, Pipeline, photo_seed, working_side
from model.commands.export_augmented import ExportAugmentedConfig, main
from model.data.dataset import Dataset, DatasetPhoto, read_split
from model.data.photo_headers import PhotoHeader
from model.data.records import ImageAnnotation
from model.errors import UserError
from model.loading import augmented_copy
from model.loading.augmented_copy import ExportPlan, export, export_steps, picture_names
from model.loading.dataset import DetectionDataset

CONFIG = AugmentConfig(rotation_degrees=20, zoom=1.4)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Dataset:
    return Dataset(make_voc(tmp_path_factory.mktemp("voc") / "VOC2007", 5, 2), progress=False)


@pytest.fixture
def plan(source) -> ExportPlan:
    return ExportPlan(CONFIG, "train", source.class_names, "coco", "photo", 2, 3, 64)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("labels", ["coco", "yolo", "voc"])
def test_readers_find_the_boxes_of_the_plan(source, plan, tmp_path, labels):
    photos = source.of_split("train")
    assert export(photos, replace(plan, labels=labels), tmp_path / "out", False) == []
    read = Dataset(tmp_path / "out", progress=False)
    assert read.formats == labels
    found = {Path(p.path).name: p.image for p in read.of_split("train")}
    assert len(found) == 2 * len(photos)
    pipeline = Pipeline(CONFIG, 64)
    n_boxes = 0
    for photo in photos:
        name, image = Path(photo.path).name, photo.image
        side = working_side(64)
        shrunk = Image.open(photo.path)
        shrunk.thumbnail((side, side))
        things = sorted(image.objects, key=lambda o: -o.area)
        for number in (1, 2):
            copy = found[f"{Path(name).stem}_v{number:03d}.jpg"]
            scale = torch.tensor([shrunk.width / image.width, shrunk.height / image.height])
            boxes = torch.tensor([o.bbox_xyxy for o in things]) * scale.repeat(2)
            drawn = pipeline.picture(
                Image.open(photo.path), shrunk.size, boxes, photo_seed(3, number - 1, name)
            )
            assert (copy.width, copy.height) == drawn.image.size
            kept = (drawn.visible >= 0.3).tolist()
            expected = [
                (thing.class_name, box)
                for thing, box, keep in zip(things, drawn.bbox_xyxy.tolist(), kept, strict=True)
                if keep
            ]
            assert [o.class_name for o in copy.objects] == [name for name, _ in expected]
            for thing, (_, box) in zip(copy.objects, expected, strict=True):
                assert thing.bbox_xyxy == pytest.approx(box, abs=0.51 if labels == "voc" else 0.02)
                n_boxes += 1
    assert n_boxes > 2 * len(photos)


@pytest.mark.parametrize("labels", ["coco", "yolo", "voc"])
def test_all_formats_at_once_say_the_same_boxes(source, plan, tmp_path, labels):
    photos = source.of_split("train")
    export(photos, plan, tmp_path / "one", False)
    export(photos, replace(plan, labels="all"), tmp_path / "all", False)
    assert (tmp_path / "all" / "augment.json").read_text() == CONFIG.to_json() + "\n"
    expected = {Path(p.path).name: p.image for p in Dataset(tmp_path / "one").photos}
    found = {Path(p.path).name: p.image for p in Dataset(tmp_path / "all", labels).photos}
    assert found.keys() == expected.keys()
    for name, image in expected.items():
        assert [o.class_name for o in found[name].objects] == [o.class_name for o in image.objects]
        for thing, other in zip(found[name].objects, image.objects, strict=True):
            assert thing.bbox_xyxy == pytest.approx(other.bbox_xyxy, abs=0.51)
    with (tmp_path / "all" / "boxes.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == sum(len(image.objects) for image in expected.values())


def test_the_steps_tell_how_far_it_is(source, plan, tmp_path):
    photos = source.of_split("train")
    Path(photos[1].path).rename(tmp_path / "away")
    try:
        told = [(p.pictures, p.n_bytes, len(p.problems)) for p in
                export_steps(photos, plan, tmp_path / "out")]  # fmt: skip
    finally:
        (tmp_path / "away").rename(photos[1].path)
    assert [pictures for pictures, *_ in told] == sorted(pictures for pictures, *_ in told)
    assert told[-1][0] == 2 * len(photos)
    written = (tmp_path / "out" / "train").glob("*.jpg")
    assert told[-1][1:] == (sum(file.stat().st_size for file in written), 1)


def test_the_canvas_is_what_training_sees(source, plan, tmp_path):
    export(source.of_split("train"), replace(plan, pictures="canvas"), tmp_path / "out", False)
    split = read_split(source.folders[0], "train")
    dataset = DetectionDataset(split, 64, CONFIG, seed=3, progress=False)
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        for i, name in enumerate(split.frame.file_name):
            path = tmp_path / "out" / "train" / f"{Path(name).stem}_v{epoch + 1:03d}.png"
            expected, _ = dataset[i]
            written = dataset.pipeline.normalise(Image.open(path))
            np.testing.assert_array_equal(written.numpy(), expected.numpy())


def test_what_was_stopped_goes_on_and_ends_alike(source, plan, tmp_path, monkeypatch):
    photos = source.of_split("train")
    export(photos, plan, tmp_path / "whole", False)
    real, count = augmented_copy._write_picture, iter(range(100))

    def stopped(path, picture, plan):
        if next(count) == 3:
            raise KeyboardInterrupt
        real(path, picture, plan)

    monkeypatch.setattr(augmented_copy, "_write_picture", stopped)
    with pytest.raises(KeyboardInterrupt):
        export(photos, plan, tmp_path / "out", False)
    before = contents(tmp_path / "out")
    assert sum(name.endswith(".jpg") for name in before) == 3
    with (tmp_path / "out" / "pictures.jsonl").open("a") as records:
        records.write('{"file_name": "torn')  # as a crash leaves it
    written = []
    monkeypatch.setattr(
        augmented_copy, "_write_picture", lambda *a: (written.append(a[0].name), real(*a))
    )
    export(photos, plan, tmp_path / "out", False)
    assert len(written) == 2 * len(photos) - 3
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_zip_holds_the_same_and_no_folder_is_left(source, plan, tmp_path):
    photos = source.of_split("val")
    export(photos, plan, tmp_path / "folder", False)
    export(photos, plan, tmp_path / "out.zip", False)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert {n: archive.read(n) for n in archive.namelist()} == contents(tmp_path / "folder")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "out.zip"]
    with pytest.raises(UserError, match="is there already"):
        export(photos, plan, tmp_path / "out.zip", False)


def test_nothing_that_is_there_is_lost(source, plan, tmp_path):
    photos = source.of_split("val")
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        export(photos, plan, tmp_path, False)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}
    export(photos, plan, tmp_path / "out", False)
    before = contents(tmp_path / "out")
    with pytest.raises(UserError, match="other settings"):
        export(photos, replace(plan, seed=4), tmp_path / "out", False)
    assert contents(tmp_path / "out") == before


def test_a_photo_that_cannot_be_read_is_left_out_and_said(tmp_path, plan):
    root = make_voc(tmp_path / "VOC2007", 3, 1)
    photos = Dataset(root, progress=False).of_split("train")
    Path(photos[1].path).write_bytes(Path(photos[1].path).read_bytes()[:300])
    problems = export(photos, plan, tmp_path / "out", False)
    assert len(problems) == 1
    assert "000001" in problems[0]
    assert len(Dataset(tmp_path / "out", progress=False).photos) == 4


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    root = make_voc(tmp_path / "VOC2007", 3, 1)
    config = ExportAugmentedConfig(
        tmp_path / "out", data=(str(root),), split="trainval", progress=False
    )
    assert main(config) == 0
    assert "4 pictures, boxes as coco" in capsys.readouterr().out
    assert len(Dataset(tmp_path / "out", progress=False).of_split("train")) == 4
    for bad in ({"variants": 0}, {"image_size": 1}, {"split": "night"}, {"data": ("nowhere",)}):
        with pytest.raises(UserError):
            main(replace(config, **bad))


def named(name: str) -> DatasetPhoto:
    return DatasetPhoto("", ImageAnnotation(name, 1, 1, ()), (), PhotoHeader(1, 1))


def test_names_that_break_lines_or_file_systems_are_replaced():
    names = picture_names([named("a\nb.jpg"), named("a\x1b:b.jpg"), named('é "<x>".jpg')])
    assert names == ["a_b", "a__b", "é __x__"]


def test_long_names_of_folders_are_shortened():
    names = picture_names([named(f"{'ä' * 100}/{'b' * 120}/{c}.jpg") for c in "xyx"])
    assert len(set(names)) == 3
    assert all(len(f"{name}_v001.png".encode()) <= 255 for name in names)
