"""model/inspect/code.py: the code to download does what the pipeline does."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from model.augment import AugmentConfig, Pipeline
from model.augment.presets import PRESETS
from model.inspect.code import to_code

BOXES = torch.tensor([[30.0, 20, 110, 80], [5, 5, 40, 30]])
NORMALISATIONS = pytest.mark.parametrize(
    "normalisation",
    [{}, {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 1.0)}],
    ids=["imagenet", "own"],
)
OFF = {name: value for name, value in vars(AugmentConfig.none()).items() if name != "min_visible"}


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (100, 140, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def run(code: str) -> dict:
    namespace: dict = {}
    exec(compile(code, "augment.py", "exec"), namespace)
    return namespace


@NORMALISATIONS
@pytest.mark.parametrize("flip", [0, 1])
def test_where_nothing_is_left_to_chance_both_agree_pixel_by_pixel(photo, flip, normalisation):
    config = AugmentConfig(**OFF | {"flip_probability": flip})
    sample = Pipeline(config, 64, **normalisation)(photo, BOXES)
    image, boxes = run(to_code(config, 64, **normalisation))["augment"](photo, BOXES, 0)
    torch.testing.assert_close(image.as_subclass(torch.Tensor), sample.image)
    torch.testing.assert_close(boxes.as_subclass(torch.Tensor), sample.bbox_xyxy)


@pytest.mark.parametrize(
    "setting",
    [
        {"flip_probability": 0.3}, {"rotation_degrees": 30}, {"zoom": 2.0},
        {"rotation_degrees": 30, "box_rule": "hull"}, {"shear_degrees": 15, "box_rule": "hull"},
        {"perspective": 0.3, "box_rule": "hull"},
    ],
    ids=str,
)  # fmt: skip
def test_boxes_are_spread_alike(photo, setting):
    """200 draws of each: means and spreads of corners are a few of their standard errors apart."""
    middle = torch.tensor([[50.0, 35, 80, 60]])  # never lost, so training draws nothing again
    config = AugmentConfig(**OFF | {"min_visible": 0} | setting)
    pipeline, augment = Pipeline(config, 64), run(to_code(config, 64))["augment"]
    ours = torch.cat([pipeline(photo, middle, seed).bbox_xyxy for seed in range(200)])
    theirs = torch.cat([
        augment(photo, middle, seed)[1].as_subclass(torch.Tensor) for seed in range(200)
    ])  # fmt: skip
    spread = ours.std(dim=0)
    assert ((ours.mean(dim=0) - theirs.mean(dim=0)).abs() < 0.35 * spread + 0.5).all()
    assert ((ours.std(dim=0) - theirs.std(dim=0)).abs() < 0.25 * spread + 0.5).all()


@pytest.mark.parametrize(
    "setting",
    [
        {"brightness": 0.5}, {"contrast": 0.5}, {"saturation": 0.8}, {"hue": 0.2},
        {"grey_probability": 0.5}, {"blur": 2}, {"noise": 0.3}, {"jpeg_loss": 80}, {"erase": 0.4},
    ],
    ids=str,
)  # fmt: skip
def test_pixels_are_changed_alike(photo, setting):
    """How far pixels are from the unchanged ones, on average over 200 draws."""
    config = AugmentConfig(**OFF | setting)
    plain = Pipeline(AugmentConfig.none(), 64)(photo, BOXES).image
    pipeline, augment = Pipeline(config, 64), run(to_code(config, 64))["augment"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*RandomErasing.*")  # that it leaves boxes alone
        theirs = [augment(photo, BOXES, seed)[0].as_subclass(torch.Tensor) for seed in range(200)]
    ours = [pipeline(photo, BOXES, seed).image for seed in range(200)]
    change, other = (np.mean([(i - plain).abs().mean() for i in x]) for x in (ours, theirs))
    assert change > 0.02
    assert other == pytest.approx(change, rel=0.2)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_code_stands_alone(photo, preset):
    code = to_code(preset.config, 64)
    assert len(code.splitlines()) < 75
    assert max(map(len, code.splitlines())) <= 100
    assert "import model" not in code
    assert "from model" not in code
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*RandomErasing.*")
        image, boxes = run(code)["augment"](photo, BOXES.long(), 3)  # boxes may be whole numbers
    assert image.shape == (3, 64, 64)
    assert boxes.dtype == image.dtype == torch.float32
