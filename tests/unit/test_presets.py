"""model/presets.py: named settings."""

import numpy as np
import pytest
import torch
from PIL import Image

from model.augment import AugmentConfig
from model.augment.presets import PRESETS
from model.inspect.variants import advice, make_variants
from train import TrainConfig

BOX = (30.0, 20.0, 110.0, 80.0)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (100, 140, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def by_name(name: str) -> AugmentConfig:
    return next(preset.config for preset in PRESETS if preset.name == name)


def test_names_and_explanations():
    assert [preset.name for preset in PRESETS] == ["none", "mild", "training", "too much"]
    for preset in PRESETS:
        assert preset.help
        assert "\n" not in preset.help


def test_training_is_what_train_py_uses():
    assert by_name("training") == TrainConfig().augment


def test_none_leaves_the_photo_alone_and_mild_the_size_of_the_box(photo):
    for variant in make_variants(photo, BOX, by_name("none"), 64, count=3):
        assert np.array_equal(variant.picture.image, photo)
    for variant in make_variants(photo, BOX, by_name("mild"), 64, count=8):
        x1, y1, x2, y2 = variant.picture.bbox_xyxy.tolist()
        assert torch.allclose(torch.tensor([x2 - x1, y2 - y1]), torch.tensor([80.0, 60.0]))
        assert variant.canvas.visible == 1


def test_only_too_much_earns_a_warning_whatever_is_drawn(photo):
    for preset in PRESETS:
        said = advice(preset.config, make_variants(photo, BOX, preset.config, 64, count=8))
        if preset.name in ("none", "mild"):
            assert said == []
        if preset.name == "too much":
            assert len(said) >= 3
