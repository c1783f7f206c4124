"""Draws of one photo, and what became of its box."""

import math

import numpy as np
import pytest
import torch
from conftest import step_of
from PIL import Image

from model.augment import AugmentConfig, Pipeline, photo_seed
from model.data.dataset import read_split
from model.errors import UserError
from model.inspect.variants import (
    advice,
    checked_box,
    make_variants,
    to_dict,
)
from model.loading.dataset import LargestObjectDataset

BOX = (30.0, 20.0, 110.0, 80.0)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (100, 140, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((), "four numbers"),
        ((1, 2, 3), "four numbers"),
        ((1, 2, "x", 4), "four numbers"),
        ((1, 2, math.nan, 4), "four numbers"),
        ((50, 50, 50, 90), "no area"),
        ((90, 50, 10, 90), "no area"),
        ((500, 500, 600, 600), "no area"),
    ],
)
def test_bad_boxes_are_refused_in_words(photo, box, words):
    with pytest.raises(UserError, match=words):
        make_variants(photo, box, AugmentConfig(), 64)


def test_a_box_too_thin_for_a_smaller_copy_is_refused_in_pixels_of_the_photo():
    least = (8.2, 8.2)
    assert checked_box((10, 10, 20, 20), (4000, 3000), least).tolist() == [10, 10, 20, 20]
    with pytest.raises(UserError, match=r"too thin.*4000 x 3000.*9 pixels wide and 9 high"):
        checked_box((10, 10, 18, 20), (4000, 3000), least)


def test_a_box_of_absurd_numbers_is_refused():
    with pytest.raises(UserError, match="four numbers"):
        checked_box((10**400, 1, 2, 3), (10, 10))


def test_a_box_that_sticks_out_is_clipped():
    assert checked_box((-10, -10, 500, 50), (140, 100)).tolist() == [0, 0, 140, 50]


@pytest.mark.parametrize("count", [-1, 0, 17])
def test_bad_counts_are_refused(photo, count):
    with pytest.raises(UserError, match="1 to 16"):
        make_variants(photo, BOX, AugmentConfig(), 64, count=count)


def test_same_seed_same_pictures_other_seed_others(photo):
    first, again, other = (
        make_variants(photo, BOX, AugmentConfig(), 64, seed, 3) for seed in (1, 1, 2)
    )
    for a, b, c in zip(first, again, other, strict=True):
        pixels = [v.trace.network for v in (a, b, c)]
        assert torch.equal(pixels[0], pixels[1])
        assert not torch.equal(pixels[0], pixels[2])
    assert len({v.seed for v in first}) == 3


def test_variant_k_is_what_training_sees_in_epoch_k(toy_voc):
    config = AugmentConfig(rotation_degrees=15)
    split = read_split(toy_voc, "train")
    dataset = LargestObjectDataset(split, 64, config, seed=5)
    image, boxes, _ = dataset.photo(3)
    name = dataset.files[3].name
    variants = make_variants(image, boxes[0].tolist(), config, 64, 5, 3, name)
    for epoch, variant in enumerate(variants):
        dataset.set_epoch(epoch)
        pixels, (bbox_xyxy, _) = dataset[3]
        assert torch.equal(pixels, variant.trace.network)
        assert torch.equal(bbox_xyxy, variant.canvas.bbox_xyxy)


def test_the_growth_of_a_turned_box_is_that_of_its_corners(photo):
    config = AugmentConfig(rotation_degrees=40, box_rule="hull", zoom=1, min_visible=0)
    for variant in make_variants(photo, BOX, config, 64, 3, 8):
        turned = step_of(variant, "rotation")
        angle = math.radians(abs(turned.params["angle"]))
        grown = (80 * math.cos(angle) + 60 * math.sin(angle)) * (
            80 * math.sin(angle) + 60 * math.cos(angle)
        )
        assert variant.canvas.growth == pytest.approx(grown / (80 * 60) - 1, abs=1e-6)
        assert turned.bbox_xyxy.tolist() == pytest.approx(turned.hull_xyxy)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rotation_degrees": 30, "box_rule": "hull"}, "loose boxes"),
        ({"rotation_degrees": 45, "box_rule": "ellipse"}, "nobody knows the true box"),
        ({"brightness": 0.9}, "black"),
        ({"hue": 0.4}, "hue"),
        ({"zoom": 4, "min_visible": 0.95}, "drawn again"),
        ({"zoom": 4, "min_visible": 0}, "less than half"),
    ],
)
def test_settings_that_hurt_are_named(photo, settings, words):
    config = AugmentConfig(**settings)
    said = advice(config, make_variants(photo, BOX, config, 64, count=16))
    assert any(words in text for text in said), said


def test_no_advice_where_nothing_hurts(photo):
    for config in (AugmentConfig.none(), AugmentConfig(zoom=1.05)):
        assert advice(config, make_variants(photo, (40, 30, 100, 70), config, 64)) == []


def test_a_box_lost_in_every_draw_is_said(photo):
    config = AugmentConfig(rotation_degrees=180, min_visible=1.0)
    said = advice(config, make_variants(photo, (0, 0, 140, 100), config, 64, count=16))
    assert any("in every try" in text for text in said), said


def test_to_dict_names_every_step(photo):
    (variant,) = make_variants(photo, BOX, AugmentConfig(), 64, count=1)
    plain = to_dict(variant)
    names = ["original", "flip", "rotation", "zoom", "jitter", "resize", "network"]
    assert [step["name"] for step in plain["steps"]] == names
    assert plain["steps"][0]["image_size"] == [140, 100]
    assert plain["steps"][-1]["image_size"] == [64, 64]


def test_photo_seed_depends_on_seed_epoch_and_name():
    seeds = {photo_seed(s, e, n) for s in range(5) for e in range(5) for n in ("a.jpg", "b.jpg")}
    assert len(seeds) == 50
    assert max(seeds) < 2**63
    Pipeline(AugmentConfig(), 64)(
        Image.new("RGB", (80, 60)), torch.tensor([[5.0, 5, 60, 50]]), max(seeds)
    )
