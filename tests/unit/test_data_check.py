"""Own data as a whole: the folder, its splits, the check, and what was remembered."""

import os
import shutil
import time

import pandas as pd
import pytest
from commands import run_here
from conftest import assert_clear_error, make_voc, run_command, write_voc_xml
from own_data import damage, make_coco, make_yolo, photo
from PIL import Image

from model.data import cache_folder, remembered
from model.data.check import check
from model.data.dataset import Dataset, photos_by_split
from model.data.formats.listing import content_of
from model.data.names import FileIndex, origin_of, parts_of, share_of
from model.errors import UserError


def kinds(data, **options) -> list[str]:
    return [b.kind for b in check(Dataset(data, **options)).blemishes]


def flat(root, names):
    for number, name in enumerate(names):
        photo(root / f"{name}.jpg", shade=number)
        shutil.move(write_voc_xml(root, name, (120, 80), [("cat", 1, 1, 60, 60)]), root)
    return root


@pytest.mark.slow
def test_what_a_check_prints_and_writes(tmp_path):
    root = make_voc(tmp_path / "own", 8, 4)
    write_voc_xml(root, "000001", (90, 120), [])
    write_voc_xml(root, "000002", (100, 100), [("car", 0, 0, 50, 50), ("car", 200, 9, 220, 20)])
    (root / "JPEGImages/000003.jpg").unlink()
    (root / "JPEGImages/000004.jpg").write_bytes(b"no photo")
    (root / "Annotations/000005.xml").write_text("<oops")
    out = tmp_path / "blemishes.csv"
    command = ("-m", "model.dataset", "check", "--data", root, "--no-progress")
    result = run_command(*command, "--out", out)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(out)
    assert sorted(table.kind) == [
        "annotation unreadable", "box at the edge", "object without area", "photo missing",
        "photo unreadable",
    ]  # fmt: skip
    assert "Traceback" not in result.stderr
    assert all(kind in result.stdout for kind in table.kind)
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line}
    assert rows["train"][:2] == ["5", "1"]  # photos, and backgrounds among them
    assert run_here(*command, "--strict").returncode == 1


def test_a_set_without_objects_cannot_be_trained_on(tmp_path):
    root = make_voc(tmp_path / "own", 2, 1)
    for path in (root / "Annotations").iterdir():
        path.write_text("<annotation/>")
    assert "nothing to learn" in kinds(root)
    assert not check(Dataset(root)).can_train


def test_boxes_that_fit_no_photo_stop_check_and_training(tmp_path):
    root = make_voc(tmp_path / "own", 12, 4)
    for path in (root / "Annotations").iterdir():
        write_voc_xml(root, path.stem, (120, 80), [("cat", 500, 500, 900, 800)])
    assert "boxes do not fit" in kinds(root)
    with pytest.raises(UserError, match=r"most boxes do not lie in their photos.* 100 % of 16"):
        Dataset(root).split("train")


def test_strict_refuses_photos_that_only_decoding_shows_to_be_damaged(tmp_path, monkeypatch):
    root = make_voc(tmp_path / "own", 4, 3)
    command = ("-m", "model.dataset", "check", "--data", root, "--no-progress")
    assert run_here(*command, "--strict").returncode == 0
    for number in (1, 5):
        damage(root / f"JPEGImages/{number:06d}.jpg")
    monkeypatch.setattr("model.data.check.FEW_PHOTOS", 3)  # as if there were too many to decode
    result = run_here(*command)
    assert result.returncode == 0
    assert "photo unreadable" not in result.stdout
    result = run_here(*command, "--strict")
    assert result.returncode == 1
    assert "2 x photo unreadable (left out)" in result.stdout
    assert all(f"{n:06d}.jpg" in result.stdout for n in (1, 5))
    assert run_here(*command, "--decode", "yes").returncode == 0


def test_a_set_of_damaged_photos_cannot_be_trained_on(tmp_path):
    root = make_voc(tmp_path / "own", 3, 2)
    (root / "ImageSets/Main/trainval.txt").unlink()
    for number in range(3):
        damage(root / f"JPEGImages/{number:06d}.jpg")
    report = check(Dataset(root))
    assert [b.kind for b in report.blemishes].count("photo unreadable") == 3
    assert not report.can_train


@pytest.mark.parametrize(
    ("names", "says"), [(["cat"], "1 class: cat"), (["cat", "dog"], "2 classes: cat, dog")]
)
def test_one_is_singular(tmp_path, names, says):
    root = make_voc(tmp_path / "own", len(names), 1, names)
    assert f"VOC, {says}\n" in check(Dataset(root)).summary().replace("voc,", "VOC,")
    out = tmp_path / "one.csv"
    result = run_here("-m", "model.dataset", "csv", "--data", root, "--split", "val", "--out", out)
    assert f"wrote {out}: 1 photo, {says.partition(':')[0]}." in result.stdout


def test_photos_that_are_there_twice(tmp_path):
    root = make_voc(tmp_path / "own", 3, 3)
    shutil.copy(root / "JPEGImages/000000.jpg", root / "JPEGImages/000003.jpg")
    (root / "ImageSets/Main/val.txt").write_text("000002\n000003\n000003\n000004\n000005\n")
    found = kinds(root)
    assert found.count("identical across splits") == 1
    assert found.count("in two splits") == 1
    assert found.count("name listed twice") == 1


def test_a_photo_saved_again_is_found_in_the_other_split(tmp_path):
    root = make_yolo(tmp_path, dict.fromkeys("abc", "0 .5 .5 .5 .5"))
    assert kinds(root) == []
    with Image.open(root / "images/train/a.jpg") as first:
        first.resize((90, 60)).save(root / "images/val/c.jpg", quality=60)
    assert kinds(root) == ["alike across splits"]


def test_classes_spelt_twice_and_not_expected(tmp_path):
    root = make_voc(tmp_path / "own", 4, 2, classes=("Cat", "cat", "dog"))
    assert "class spelt twice" in kinds(root)
    assert "class not expected" in kinds(root, class_names=("Cat", "cat"))
    assert not check(Dataset(root, class_names=("Cat",))).can_train


def test_a_split_by_name_is_always_the_same_and_keeps_copies_together(tmp_path):
    names = [f"IMG_{i:03}_jpg.rf.{hash_}" for i in range(20) for hash_ in ("0a1b", "ff00")]
    first = {p.image.file_name: p.splits for p in Dataset(flat(tmp_path / "first", names)).photos}
    assert set(first.values()) == {("train",), ("val",)}
    of_origin: dict[str, tuple[str, ...]] = {}
    for name, splits in first.items():
        assert of_origin.setdefault(origin_of(name), splits) == splits
    more = Dataset(flat(tmp_path / "more", [*names, "new", "newer"]))
    assert first.items() <= {p.image.file_name: p.splits for p in more.photos}.items()


def test_the_same_photo_under_many_names_is_in_one_part_only(tmp_path):
    """As sets taken from videos, or collected by several people, have it."""
    root = flat(tmp_path, [str(number) for number in range(60)])
    for first in range(0, 30, 3):
        for other in (first + 1, first + 2):
            shutil.copy(root / f"{first}.jpg", root / f"{other}.jpg")
    dataset = Dataset(root)
    splits = {p.image.file_name: p.splits for p in dataset.photos}
    assert all(splits[f"{number}.jpg"] == splits[f"{number // 3 * 3}.jpg"] for number in range(30))
    assert not [b for b in check(dataset).blemishes if b.kind.endswith("across splits")]
    # Whatever has no copy is where its name puts it, and what was trained on is not held out.
    held_out = {name for name in splits if share_of(name) < 0.2}
    assert {name for name, found in splits.items() if found == ("val",)} <= held_out
    assert all(splits[f"{n}.jpg"] == ("val",) for n in range(30, 60) if f"{n}.jpg" in held_out)
    assert run_here("-m", "model.dataset", "split", "--data", root).returncode == 0
    assert {p.image.file_name: p.splits for p in Dataset(root).photos} == splits


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_photos_are_split_too(tmp_path, count):
    splits = photos_by_split(Dataset(flat(tmp_path, [f"p{i}" for i in range(count)])))
    assert splits["train"]
    assert ("val" in splits) == (count > 1)


def test_lists_are_written_and_read(tmp_path):
    data = make_yolo(tmp_path / "data", dict.fromkeys("abcd", "0 .5 .5 .5 .5"))
    command = ("-m", "model.dataset", "split", "--data", data, "--no-progress")
    assert run_here(*command, "--val", "0").returncode == 0
    assert Dataset(data).splits == ["train", "trainval"]
    assert len(Dataset(data).split("train").frame) == 4
    assert_clear_error(run_here(*command), "--force")


def test_several_folders_are_one_set(tmp_path):
    first = make_voc(tmp_path / "first", 4, 2)
    second = make_yolo(tmp_path / "second", {"a": "0 .5 .5 .5 .5", "b": "1 .5 .5 .5 .5"})
    split = Dataset([first, second]).split("train")
    assert split.image_folder == tmp_path
    assert len(split.frame) == 5
    assert all((tmp_path / name).is_file() for name in split.frame.file_name)
    assert {"car", "cat", "dog"} <= set(split.class_names)


def test_the_same_photo_in_two_folders_is_reported_and_in_one_part_only(tmp_path):
    first = flat(tmp_path / "first", [str(number) for number in range(30)])
    second = flat(tmp_path / "second", [f"own {number}" for number in range(30)])
    for number in range(30):
        shutil.copy(first / f"{number}.jpg", second / f"own {number}.jpg")
    dataset = Dataset([first, second])
    found = check(dataset).blemishes
    assert [b.kind for b in found].count("identical photos") == 30
    assert [b.kind for b in found if b.kind.endswith("across splits")] == []
    assert [b.where for b in found if b.kind == "split of our own"] == ["first", "second"]
    assert set(photos_by_split(dataset)) == {"train", "val"}


@pytest.mark.parametrize("inner", ["", "sub"])
def test_a_photo_of_two_folders_given_counts_once(tmp_path, inner):
    flat(tmp_path, ["a", "b"])
    flat(tmp_path / "sub", ["c"])
    found = [photo.image.file_name for photo in Dataset([tmp_path, tmp_path / inner]).photos]
    assert sorted(found) == ["a.jpg", "b.jpg", "sub/c.jpg"]


def test_a_copy_follows_a_photo_whose_part_was_chosen_elsewhere(tmp_path):
    names = [str(number) for number in range(12)]
    first = make_yolo(tmp_path / "first", dict.fromkeys(names, "0 .5 .5 .5 .5"))
    second = flat(tmp_path / "second", [f"own {name}" for name in names])
    for path in first.rglob("*.jpg"):
        shutil.copy(path, second / f"own {path.name}")
    splits = {p.image.file_name: p.splits for p in Dataset([first, second]).photos}
    held_out = sorted(name for name, found in splits.items() if found == ("val",))
    assert held_out == ["first/images/val/11.jpg", "second/own 11.jpg"]


def test_names_that_are_no_text_are_printed_and_written(tmp_path):
    """Linux takes any bytes, and a terminal obeys some characters."""
    odd = "b\udcff\x1b[31m\n"
    root = flat(tmp_path / "set", ["a"])
    (root / "a.jpg").rename(root / f"{odd}.jpg")
    xml = (root / "a.xml").rename(root / f"{odd}.xml")
    right = xml.read_text()
    xml.write_text("<oops")
    out = tmp_path / "out.csv"
    done = run_here("-m", "model.dataset", "check", "--data", root, "--out", out)
    assert "  b\\udcff\\x1b[31m\\n.xml: not readable XML" in done.stdout
    assert odd in out.read_text("utf-8", "surrogateescape")
    xml.write_text(right)
    assert_clear_error(run_here("-m", "model.dataset", "split", "--data", root), "is no text")


def test_a_folder_without_photos_is_said_to_have_none(tmp_path):
    (tmp_path / "a.xml").write_text("<annotation><object/></annotation>")
    with pytest.raises(UserError, match="There is no photo in it"):
        Dataset(tmp_path)


def test_a_set_without_photos_has_no_split_to_look_at(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [cat]\n")
    with pytest.raises(UserError, match=r"holds no annotated photos\. To see why"):
        _ = Dataset(tmp_path).first_split


def test_a_folder_of_several_sets_is_refused(tmp_path):
    make_voc(tmp_path / "first", 2, 1)
    make_voc(tmp_path / "second", 2, 1)
    with pytest.raises(UserError, match=r"2 data sets: first, second"):
        Dataset(tmp_path)
    make_yolo(tmp_path / "first", {"a": "0 .5 .5 .5 .5"})
    with pytest.raises(UserError, match=r"voc and yolo.*--format"):
        Dataset(tmp_path / "first")
    assert Dataset(tmp_path / "first", format="yolo").formats == "yolo"


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    root = make_voc(tmp_path / "own", 3, 1)
    secret = tmp_path / "secret"
    photo(secret / "000001.jpg")
    (root / "JPEGImages/000001.jpg").unlink()
    (root / "JPEGImages/000001.jpg").symlink_to(secret / "000001.jpg")
    (root / "more").symlink_to(secret)
    (root / "endless").symlink_to(root)
    (root / "itself").symlink_to("itself")
    (root / "nothing").symlink_to("nowhere")
    (root / "JPEGImages/000002.jpg").rename(root / "JPEGImages/real.jpg")
    (root / "JPEGImages/000002.jpg").symlink_to("real.jpg")
    found = kinds(root)
    assert found.count("link not followed") == 3
    assert found.count("photo missing") == 1
    assert "000002.jpg" in Dataset(root).split("train").frame.file_name.tolist()


def not_allowed(path, *_, **__):
    raise PermissionError(13, "Permission denied", str(path))


def test_a_folder_that_may_not_be_read_costs_itself(tmp_path, monkeypatch):
    root = make_voc(tmp_path / "own", 3, 1)
    (root / "secret").mkdir()
    scan = os.scandir
    monkeypatch.setattr(
        os, "scandir", lambda path: (not_allowed if str(path).endswith("secret") else scan)(path)
    )
    found = check(Dataset(root))
    (blemish,) = [b for b in found.blemishes if b.kind == "not read"]
    assert (blemish.where, blemish.effect) == ("secret", "left out")
    assert "Permission denied" in blemish.detail
    assert found.can_train
    monkeypatch.setattr(os, "scandir", not_allowed)
    with pytest.raises(UserError, match=r"own cannot be read: Permission denied; allow it"):
        Dataset(root)


@pytest.mark.parametrize(
    ("name", "text", "module"),
    [
        ("ImageSets/Main/test.txt", "000001\n", "listing.content_of"),
        ("docker-compose.yaml", "names: [a]\n", "yolo.open"),
        ("notes.json", "{}", "coco.open"),
        ("instances_more.json", '{"images": []}', "listing.content_of"),
    ],
)
def test_a_file_that_may_not_be_read_costs_itself(tmp_path, monkeypatch, name, text, module):
    root = make_voc(tmp_path / "own", 3, 1)
    if name.startswith("instances"):
        root = make_coco(
            tmp_path / "coco", [{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}]
        )
    (root / name).write_text(text)
    original = content_of if module.endswith("content_of") else open
    monkeypatch.setattr(
        f"model.data.formats.{module}",
        lambda path, *a: (not_allowed if str(path).endswith(name) else original)(path, *a),
        raising=False,
    )
    found = check(Dataset(root))
    (blemish,) = [b for b in found.blemishes if b.kind == "not read"]
    assert blemish.where == name
    assert found.can_train


def test_folders_too_deep_are_said_and_links_among_themselves_end(tmp_path):
    root = make_voc(tmp_path / "own", 3, 1)
    deep = root.joinpath(*"abcdefghijklm")
    photo(deep / "n/deep.jpg")
    for one in "123456789":
        for other in "123456789":
            (root / one).mkdir(exist_ok=True)
            if one != other:
                (root / one / f"to{other}").symlink_to(root / other)
    started = time.monotonic()
    blemishes = [b for b in Dataset(root).blemishes if b.kind == "not read"]
    assert time.monotonic() - started < 10
    too_deep = [b for b in blemishes if b.where == "a/b/c/d/e/f/g/h/i/j/k/l/m"]
    assert [b.detail for b in too_deep] == ["more than 12 folders deep; move it up"]
    assert "1/to2/to3" in [b.where for b in blemishes]


def test_what_was_read_is_remembered_until_a_file_changes(tmp_path, monkeypatch):
    root, cache = make_voc(tmp_path / "own", 4, 2), tmp_path / "cache"
    before = Dataset(root, cache_dir=cache).split("train").frame
    read: list[str] = []
    monkeypatch.setattr(remembered, "_read", lambda f, paths: read.extend(paths) or map(f, paths))
    pd.testing.assert_frame_equal(Dataset(root, cache_dir=cache).split("train").frame, before)
    assert read == []
    write_voc_xml(root, "000001", (90, 120), [("yak", 1, 1, 50, 50)])
    assert "yak" in Dataset(root, cache_dir=cache).split("train").frame.class_name.tolist()
    assert [os.path.basename(path) for path in read] == ["000001.xml"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b"\xff"])
def test_a_damaged_memory_is_read_anew(tmp_path, content):
    root, cache = make_voc(tmp_path / "own", 4, 2), tmp_path / "cache"
    before = Dataset(root, cache_dir=cache).split("train").frame
    for path in cache.iterdir():
        path.write_bytes(content)
    pd.testing.assert_frame_equal(Dataset(root, cache_dir=cache).split("train").frame, before)


def test_processes_read_the_same(tmp_path, monkeypatch):
    root = make_voc(tmp_path / "own", 6, 3)
    before = Dataset(root, cache_dir=tmp_path / "one").split("train").frame
    for name, value in (("FEW", 2), ("CHUNK", 2), ("_cores", lambda: 3)):
        monkeypatch.setattr(remembered, name, value)
    again = Dataset(root, cache_dir=tmp_path / "many").split("train").frame
    pd.testing.assert_frame_equal(again, before)


def test_old_caches_are_removed_and_nothing_else(tmp_path):
    long_ago = time.time() - (cache_folder.KEPT_DAYS + 1) * 86_400
    for name in ("pixels-a.rgb", "pixels-a.json", "read-b.json", "mine.json", "pixels-new.rgb"):
        (tmp_path / name).touch()
        if "new" not in name:
            os.utime(tmp_path / name, (long_ago, long_ago))
    cache_folder.prune(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.json", "pixels-new.rgb"]


def test_the_disk_needed_is_what_the_cache_takes(tmp_path):
    from model.data.pixel_cache import PixelCache

    dataset = Dataset(make_voc(tmp_path / "own", 4, 2))
    sizes = [p.header.upright_size for p in dataset.photos]
    files = [dataset.image_folder / p.image.file_name for p in dataset.photos]
    cache = PixelCache(files, 77, tmp_path / "cache", progress=False)
    assert cache_folder.pixel_cache_bytes(sizes, 77) == cache.path.stat().st_size


def test_names_of_files():
    assert parts_of("C:\\a\\..\\b c.jpg") == ["a", "b c.jpg"]
    index = FileIndex(["train/a.jpg", "val/a.jpg", "val/A.jpg", "b.v1.PNG"])
    assert index.find("val/a") == "val/a.jpg"
    assert index.find("A", "val") == "val/A.jpg"
    assert index.find("b.v1") == "b.v1.PNG"
    assert index.find("../../etc/passwd") is None
    assert index.find("") is None
