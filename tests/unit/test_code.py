"""model/inspect/code.py: the code to take away does what the pipeline does."""

import numpy as np
import pytest
import torch
from PIL import Image

from model.augment import AugmentConfig, Pipeline
from model.inspect.code import to_code

BOXES = torch.tensor([[30.0, 20, 110, 80], [5, 5, 40, 30]])


@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(),
        AugmentConfig.none(),
        AugmentConfig(box_rule="hull", zoom=1, rotation_degrees=20, hue=0.1),
        AugmentConfig(box_rule="hull", zoom=1.5),
        AugmentConfig(box_rule="ellipse", zoom=1, flip_probability=1),
    ],
)
@pytest.mark.parametrize(
    "normalisation",
    [{}, {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 1.0)}],
    ids=["imagenet", "own"],
)
def test_code_and_pipeline_agree_pixel_by_pixel(config, normalisation):
    noise = np.random.default_rng(0).integers(0, 255, (100, 140, 3), dtype=np.uint8)
    photo = Image.fromarray(noise)
    code = to_code(config, 64, **normalisation)
    assert len(code.splitlines()) < 60
    assert max(map(len, code.splitlines())) <= 100
    assert "import model" not in code
    assert "from model" not in code
    namespace: dict = {}
    exec(compile(code, "augment.py", "exec"), namespace)
    compared = 0
    for seed in range(6):
        sample = Pipeline(config, 64, **normalisation)(photo, BOXES, seed)
        if sample.redraws:
            continue  # the code says that it does not draw again
        image, boxes = namespace["augment"](photo, BOXES, seed)
        assert torch.equal(image.as_subclass(torch.Tensor), sample.image)
        assert torch.allclose(boxes.as_subclass(torch.Tensor), sample.bbox_xyxy, atol=1e-3)
        compared += 1
    assert compared >= 3


def test_boxes_may_be_whole_numbers():
    namespace: dict = {}
    exec(compile(to_code(AugmentConfig(), 64), "augment.py", "exec"), namespace)
    image, boxes = namespace["augment"](Image.new("RGB", (140, 100)), BOXES.long(), 3)
    assert boxes.dtype == image.dtype == torch.float32
