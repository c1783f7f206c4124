"""What the tabs show, without a browser."""

import dataclasses
import random
import re

import numpy as np
import pytest
from PIL import Image

from demo.backend import Backend, in_words
from demo.photos import PhotoChoice, looked_at
from demo.views import augment, confusion, dataset, detect, training
from demo.views.augment import AugmentState, parse_boxes, scene_of, surprise, write_boxes
from demo.views.confusion import TrainingState
from demo.views.curves import Curve, line_chart, value_ticks
from demo.views.dataset import DatasetState
from demo.views.detect import DetectState
from model.augment import AugmentConfig
from model.augment.transforms import IMAGENET_MEAN, IMAGENET_STD, unnormalised
from model.checkpoint import CheckpointInfo
from model.data.samples import PhotoLibrary
from model.data.voc import find_voc_root
from model.errors import UserError
from model.per_photo import COMMAND, PerPhoto, read_per_photo

VOC, CAT, DOGS = PhotoChoice("000004"), PhotoChoice("cat"), PhotoChoice("dogs")


@pytest.fixture(scope="module")
def backend(toy_voc) -> Backend:
    return Backend(PhotoLibrary(find_voc_root(toy_voc)))


@pytest.mark.parametrize("seed", range(50))
def test_surprises_are_valid_settings(seed):
    settings = surprise(random.Random(seed))
    assert 0 <= settings.pop("seed") < 10_000
    assert AugmentConfig(**settings) != AugmentConfig()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (AugmentState(), "choose a photo first"),
        (AugmentState(PhotoChoice("nope")), "there is no sample"),
        (AugmentState(VOC, boxes="1, 2, 3"), "is no box"),
        (AugmentState(VOC, boxes="9, 9, 3, 3"), "no area"),
        (AugmentState(VOC, seed=None), "seed must be a whole number"),
        (AugmentState(VOC, seed=float("nan")), "seed must be a whole number"),
        (AugmentState(VOC, count=0), "from 1 to 16"),
        (AugmentState(VOC, hue="x"), "must be"),
        (AugmentState(VOC, checkpoint="../x"), "there is no checkpoint"),
    ],
)
def test_augment_says_what_is_wrong(backend, state, words):
    with pytest.raises(UserError, match=words):
        augment.show_pair(backend, state)


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("1, 2, 30, 40", [("", (1, 2, 30, 40))]),
        ("cat 1 2 30 40.5; dog 5,6,7,8;", [("cat", (1, 2, 30, 40.5)), ("dog", (5, 6, 7, 8))]),
    ],
)
def test_boxes_as_people_type_them(text, boxes):
    read = parse_boxes(text)
    assert [(box["class_name"], box["bbox_xyxy"]) for box in read] == boxes
    assert parse_boxes(write_boxes(read)) == read


@pytest.mark.parametrize(
    "text", ["", ";", "1,2,3", "a b c d", "1 2 3 inf", "mug 1 2 3 4", "1;" * 9]
)
def test_what_is_no_box_is_refused(text):
    with pytest.raises(UserError):
        parse_boxes(text)


def test_a_box_too_thin_is_refused_in_pixels_of_the_photo(backend, tmp_path):
    large = tmp_path / "large.jpg"
    Image.new("RGB", (4000, 3000)).save(large)

    def scene(width: float) -> augment.Scene:
        boxes = f"100, 100, {100 + width}, 900"
        return scene_of(backend, AugmentState(PhotoChoice(upload=str(large)), boxes=boxes))

    with pytest.raises(UserError, match="too thin: on this photo of 4000 x 3000 pixels") as refused:
        scene(3)
    least = int(re.search(r"at least (\d+) pixels wide", str(refused.value))[1])
    with pytest.raises(UserError, match="too thin"):
        scene(least - 1)
    assert scene(least).boxes[0]["bbox_xyxy"] == (100, 100, 100 + least, 900)


def test_the_largest_box_is_the_target_and_the_others_follow(backend):
    state = AugmentState(CAT, boxes="dog 10, 10, 60, 60; cat 100, 20, 380, 290", flip_probability=1)
    scene = scene_of(backend, state)
    assert [box["class_name"] for box in scene.boxes] == ["cat", "dog"]
    flipped = augment.variants_of(backend, state, scene)[0].step("flip")
    width = scene.loaded.image.width
    x1, y1, x2, y2 = scene.working_boxes[1]
    assert flipped.others[0].tolist() == pytest.approx([width - x2, y1, width - x1, y2], abs=0.01)
    assert augment.show_pair(backend, state).after.count('rect class="line object"') == 1


def test_one_variant_is_as_among_all(backend):
    state = AugmentState(VOC, picked="3", count=4)
    scene = scene_of(backend, state)
    (alone,) = augment.draw_variants(backend, state, scene, 3, 1)
    among = augment.draw_variants(backend, state, scene)[2]
    assert alone.seed == among.seed
    assert alone.picture.image.tobytes() == among.picture.image.tobytes()


def test_what_pair_and_grid_both_need_is_computed_once(backend, monkeypatch):
    drawn, asked = [], []
    make, ask = augment.make_variants, augment.robustness

    def making(*arguments, **options):
        variants = make(*arguments, **options)
        drawn.extend(variant.number for variant in variants)
        return variants

    def asking(file, variants):
        asked.extend(variant.number for variant in variants)
        return ask(file, variants)

    monkeypatch.setattr(augment, "make_variants", making)
    monkeypatch.setattr(augment, "robustness", asking)
    state = AugmentState(VOC, picked="2", count=4, seed=77)
    augment.show_pair(backend, state)
    scene = scene_of(backend, state)
    variants = augment.variants_of(backend, state, scene)
    answers = augment.answers_of(backend, state, scene, variants)
    assert [variant.number for variant in variants] == [1, 2, 3, 4]
    assert sorted(drawn) == sorted(asked) == [1, 2, 3, 4]
    assert [answer.iou for answer in answers] == pytest.approx(
        [answer.iou for answer in ask(backend.checkpoint_file(), variants)], abs=1e-4
    )


def test_variants_do_not_wait_for_the_detector(backend, monkeypatch):
    monkeypatch.setattr(augment, "robustness", lambda file, variants: pytest.fail("was asked"))
    state = AugmentState(VOC, count=3, seed=78)
    scene = scene_of(backend, state)
    variants = augment.variants_of(backend, state, scene)
    assert augment.variants_grid(variants, scene, 1).count("data-key") == 3


def test_the_extremes_are_those_of_the_settings(backend):
    state = dataclasses.replace(AugmentState(VOC), rotation_degrees=30.0, zoom=1.0, brightness=0.0)
    shown = augment.show_extremes(backend, state, scene_of(backend, state))
    assert "+30°" in shown
    assert "-30°" in shown
    assert "darkest" not in shown
    off = dataclasses.replace(state, **vars(AugmentConfig.none()))
    assert "Nothing is switched on" in augment.show_extremes(backend, off, scene_of(backend, off))


def test_the_hull_is_advised_against_and_the_ellipse_not(backend):
    for rule, expected in (("hull", True), ("ellipse", False)):
        state = AugmentState(VOC, rotation_degrees=30.0, box_rule=rule)
        variants = augment.variants_of(backend, state, scene_of(backend, state))
        assert ("learn loose boxes" in augment.show_advice(state, variants)) == expected


def test_a_tensor_becomes_a_picture_by_the_numbers_it_was_normalised_with():
    import torch

    grey = torch.full((3, 2, 2), 0.5)
    for mean, std in ((IMAGENET_MEAN, IMAGENET_STD), ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))):
        normalised = (grey - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
        assert np.asarray(unnormalised(normalised, mean, std)).tolist() == [[[128] * 3] * 2] * 2


@pytest.mark.parametrize("explain", ["off", "class", "box", "nonsense"])
def test_detect_with_and_without_heat(backend, explain):
    html = detect.show(backend, DetectState(CAT, explain=explain))
    assert ('class="heat"' in html) == (explain in ("class", "box"))
    assert ("greyed" in html) == (explain in ("class", "box"))
    assert 'data-role="prediction"' in html


def test_detect_compares_with_the_truth(backend):
    html = detect.show(backend, DetectState(VOC, threshold=0))
    assert 'data-role="truth"' in html
    assert "IoU" in html
    assert "The largest object is" in html


def test_below_the_threshold_it_is_none_of_the_20(backend):
    html = detect.show(backend, DetectState(VOC, threshold=1))
    assert "None of the 20, as far as I can see" in html
    assert 'data-role="guess"' in html
    assert "your request took" in html
    assert "your request took" not in detect.show(backend, DetectState(VOC), timed=False)


def test_what_is_no_photo_leaves_the_one_that_is_there(backend, tmp_path):
    words = tmp_path / "words.jpg"
    words.write_text("no photo")
    offer = PhotoChoice("cat", offered=PhotoChoice(upload=str(words)))
    kept = looked_at(backend, offer)
    assert (kept.sample, kept.upload) == ("cat", None)
    assert "words.jpg is not an image" in kept.note
    assert looked_at(backend, PhotoChoice("cat", offered=DOGS)) == DOGS


@pytest.mark.parametrize(
    ("split", "class_name", "size", "count"),
    [
        ("trainval", "any", "any", 30),
        ("val", "cat", "any", 3),
        ("trainval", "any", "small: below 10 % of the photo", 0),
        ("trainval", "aeroplane", "any", 0),
    ],
)
def test_filters_of_the_data_set(backend, split, class_name, size, count):
    view = dataset.show(backend, DatasetState(split=split, class_name=class_name, size=size))
    assert f"{count} photos" in view.count
    assert view.tiles.count("data-key") == min(count, dataset.PER_PAGE)


def test_the_data_set_tab_says_what_is_wrong(backend):
    with pytest.raises(UserError, match="no split"):
        dataset.show(backend, DatasetState(split="nope"))


def test_without_voc_the_examples_are_browsed():
    view = dataset.show(Backend(PhotoLibrary(None)), DatasetState(split=dataset.EXAMPLES))
    assert view.tiles.count("data-key") == 9  # one of the ten shows none of the classes
    assert "Its row of the CSV" in view.card


def test_training_shows_curves_and_scores(backend):
    view = training.show(backend, backend.checkpoint)
    for title in training.CHARTS:
        assert f'aria-label="{title}, by epoch"' in view.charts
    assert "joint" in view.results
    assert "majority baseline" in view.results
    assert "Score: calibration error (ECE) 0." in view.results
    assert view.matrix.count("<tr>") == 21
    assert view.card.startswith("# Model card")
    with pytest.raises(UserError, match="there is no checkpoint"):
        training.show(backend, "nope")


def test_the_validated_run_is_beside_the_one_of_the_weights():
    own = [{"epoch": 1, "l1_px": 20.0}, {"epoch": 2, "l1_px": 10.0}]
    other = [{"epoch": 1, "l1_px": 30.0}, {"epoch": 2, "l1_px": 25.0, "val_l1_px_224": 26.0}]
    info = CheckpointInfo(history=own, config={"train_split": "trainval", "epochs": 2})
    report = {"history": other, "config": {"train_split": "train", "epochs": 3}}
    runs = training.runs_of(info, report)
    wanted = training.CHARTS[training.L1]
    shown = {c.label: (len(c.points), c.dashed) for c in training.curves(runs, wanted) if c.points}
    assert shown == {
        "in training, run on train": (2, False), "on val, run on train": (1, False),
        "in training, these weights, on trainval": (2, True),
    }  # fmt: skip
    html = training.settings(runs)
    assert "<td>3</td><td>2</td>" in html
    # A run that has its own validation split needs no other.
    alone = training.runs_of(info, {"history": own})
    assert [run.name for run in alone] == [""]
    assert [c.label for c in training.curves(alone, wanted) if c.points] == ["in training"]


def test_a_run_that_went_on_from_another_shows_the_curves_of_both():
    history = [
        {"run": "first", "epoch": 1, "loss": 9.0}, {"run": "first", "epoch": 2, "loss": 8.0},
        {"epoch": 1, "loss": 5.0},
    ]  # fmt: skip
    run = training.RunShown("run on train", {"out": "second"}, history)
    (curve,) = training.curves([run], {"loss": "training loss"})
    assert curve.points == [(1, 9.0), (2, 8.0), (3, 5.0)]
    words = 'run on train, epochs 1 to 2: run "first"; 3: run "second".'
    assert words in training.stages([run]).unescape()
    assert training.stages([training.RunShown("", {}, history[:2])]) == ""
    odd = [{"epoch": 1}, {"run": ["<b>"], "loss": 2.0}]
    assert "&lt;b&gt;" in training.stages([training.RunShown("", {}, odd)])


def test_settings_that_were_not_given_are_no_flags():
    config = {"epochs": 3, "mosaics": 0.0, "start_from": ""}
    report = {"checkpoint": "last.safetensors", "split": "val", "config": config}
    first = training.commands(report).splitlines()[0]
    assert first.endswith("--epochs 3 --mosaics 0.0")
    html = training.settings([training.RunShown("", config, [])])
    assert "start from" not in html
    assert "<td>0.0</td>" in html


def test_a_chart_names_its_curves_and_whole_epochs():
    html = line_chart("L1 <px>", [
        Curve("in training", [(1, 30.0), (2, 20.5), (3, 12.25)]), Curve("on val", [(3, 16.9)]),
        Curve("nothing", []),
    ])  # fmt: skip
    assert "L1 &lt;px&gt;, by epoch" in html
    assert "in training: 12.2 after epoch 3" in html
    assert "on val: 16.9 after epoch 3" in html
    assert "nothing" not in html
    assert re.findall(r'text-anchor="middle">([^<]+)<', html) == ["1", "2", "3", "epoch"]
    assert line_chart("empty", []) == ""


@pytest.mark.parametrize(
    "values", [[0.0], [5.0, 5.0], [0.11, 0.97], [-3.0, 4e5], [1e-7, 2e-7], [164.2, 49.8]]
)
def test_the_ticks_of_a_chart_enclose_its_values(values):
    ticks = value_ticks(values)
    assert ticks[0] <= min(values)
    assert ticks[-1] >= max(values)
    assert 2 <= len(ticks) <= 7


def test_a_history_that_makes_no_sense_is_not_drawn():
    odd = [{"epoch": 1, "loss": float("nan")}, {"epoch": 2, "loss": "x"}, {"epoch": 3}]
    (curve,) = training.curves([training.RunShown("", {}, odd)], {"loss": "loss"})
    assert curve.points == []


@pytest.fixture(scope="module")
def with_photos(toy_voc, toy_per_photo) -> Backend:
    library = PhotoLibrary(find_voc_root(toy_voc))
    return Backend(library, per_photo=read_per_photo(toy_per_photo))


@pytest.mark.parametrize(
    ("cell", "count", "first"),
    [
        ("sheep/cat", "1 photo", "000020"),
        ("sheep/", "4 photos", "000020"),
        ("/cat", "4 photos", "000020"),
        ("car/car", "3 photos", ""),
    ],
)
def test_a_cell_opens_the_photos_behind_it_worst_first(with_photos, cell, count, first):
    view = confusion.show_behind(with_photos, TrainingState(cell=cell))
    assert re.search(rf": {count}\b", view.heading)
    assert view.tiles.count("data-key") == int(count.split()[0])
    assert first in view.picked
    assert view.card.count('class="heat"') == 2
    assert view.card.count('data-role="truth"') == 3
    # The CSV was made up, so the checkpoint does not predict what it says.
    assert "written with other weights" in view.card


@pytest.mark.parametrize("cell", ["", "/", "unicorn/cat", "sheep", "<b>/cat"])
def test_what_is_no_cell_opens_nothing(with_photos, cell):
    view = confusion.show_behind(with_photos, TrainingState(cell=cell))
    assert "Press a number" in view.heading
    assert not view.tiles


def test_cells_count_as_many_photos_as_they_open(with_photos):
    html = confusion.show_matrix(with_photos, None)
    assert 'aria-label="sheep taken for cat: 1 photo"' in html
    counted = sum(int(n) for n in re.findall(r"taken for \w+: (\d+) photos?", html))
    assert counted == 10
    assert "10 photos of photos.csv" in html


def test_a_photo_that_is_gone_is_said_and_the_others_are_shown(with_photos, toy_per_photo):
    table = read_per_photo(toy_per_photo).table
    table.loc[table.file_name == "000020.jpg", "file_name"] = "../000099.jpg"
    photos = dataclasses.replace(with_photos, per_photo=PerPhoto("x.csv", table))
    view = confusion.show_behind(photos, TrainingState(cell="sheep/", picked="000023"))
    assert "there is no sample" in view.tiles
    assert view.tiles.count("data-key") == 4
    assert "Photo 000023" in view.card


def test_without_csv_or_voc_a_sentence_says_how_to_get_them(backend, toy_per_photo):
    photos = read_per_photo(toy_per_photo)
    report = {"class_names": ["cat", "dog"], "confusion": [[3, 1], [0, 2]], "split": "val"}
    for without in (backend, Backend(PhotoLibrary(None), per_photo=photos)):
        html = confusion.show_matrix(without, report)
        assert COMMAND in html
        assert "<button" not in html
        assert "6 photos of val" in html
        assert not confusion.show_behind(without, TrainingState(cell="cat/dog")).tiles
    assert "voc download" in html
    assert COMMAND in confusion.show_matrix(backend, None)


def test_unforeseen_failures_become_a_sentence_and_a_log_entry(caplog):
    text = in_words(RuntimeError("secret /etc/path"))
    assert "unexpected" in text
    assert "secret" not in text
    assert "secret" in caplog.text
    assert in_words(UserError("words.jpg is empty.")) == "words.jpg is empty."
