"""What the tabs show, without a browser."""

import dataclasses
import random
import re

import numpy as np
import pytest
from PIL import Image

from demo.backend import Backend, in_words
from demo.photos import PhotoChoice, looked_at
from demo.views import augment, dataset, detect, training
from demo.views.augment import AugmentState, parse_boxes, scene_of, surprise, write_boxes
from demo.views.dataset import DatasetState
from demo.views.detect import DetectState
from model.augment import AugmentConfig
from model.augment.transforms import IMAGENET_MEAN, IMAGENET_STD, unnormalised
from model.data.samples import PhotoLibrary
from model.data.voc import find_voc_root
from model.errors import UserError

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
    losses, shares, result, card = training.show(backend, backend.checkpoint)
    assert set(losses.columns) == {"epoch", "value", "curve"}
    assert len(losses) > 4
    assert len(shares) > 2
    assert "joint" in result
    assert card.startswith("# Model card")
    assert 'role="alert"' in training.show(backend, "nope")[2]


def test_unforeseen_failures_become_a_sentence_and_a_log_entry(caplog):
    text = in_words(RuntimeError("secret /etc/path"))
    assert "unexpected" in text
    assert "secret" not in text
    assert "secret" in caplog.text
    assert in_words(UserError("words.jpg is empty.")) == "words.jpg is empty."
