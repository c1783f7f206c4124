"""The augmentation as a stand-alone ``transforms.v2`` script, to take away.

The script needs torch and torchvision only. With the same seed it draws and returns what
:class:`model.augment.Pipeline` does (a test runs both), but for one thing it says itself: a box
that gets lost is not drawn again.
"""

import inspect

from model import boxes
from model.augment import IMAGENET_MEAN, IMAGENET_STD, MEAN_COLOUR, AugmentConfig, transforms


def to_code(config: AugmentConfig, image_size: int) -> str:
    """Python source with ``transforms`` (a ``v2.Compose``) and ``augment(image, boxes, seed)``."""
    plain_rotation = config.box_rule == "hull"
    steps = [f"v2.RandomHorizontalFlip({config.flip_probability})"]
    degrees, fill = config.rotation_degrees, list(MEAN_COLOUR)
    if plain_rotation:
        steps.append(f'v2.RandomRotation({degrees}, interpolation="bilinear", fill={fill})')
    else:
        steps.append(f'RandomRotation({degrees}, "ellipse")  # boxes: hull of the turned ellipse')
    steps.append("v2.ClampBoundingBoxes()")
    if config.zoom > 1:
        steps += [f"RandomZoom({config.zoom})", "v2.ClampBoundingBoxes()"]
    jitter = f"{config.brightness}, {config.contrast}, {config.saturation}, {config.hue}"
    steps += [
        f"v2.ColorJitter({jitter})",
        f"v2.Resize(({image_size}, {image_size}), antialias=True)",
        "v2.ToImage()",
        "v2.ToDtype(torch.float32, scale=True)",
        f"v2.Normalize({list(IMAGENET_MEAN)}, {list(IMAGENET_STD)})",
    ]
    lines = "\n".join(f"    {_comma(step)}" for step in steps)
    return "\n".join([*_head(config), *_helpers(config), f"transforms = v2.Compose([\n{lines}\n])",
                      _tail(config)])  # fmt: skip


def _comma(step: str) -> str:
    code, mark, comment = step.partition("  # ")
    return f"{code},{mark}{comment}"


def _head(config: AugmentConfig) -> list[str]:
    imports = [
        "import torch",
        "from PIL import Image",
        "from torch import Tensor",
        "from torchvision import tv_tensors",
        "from torchvision.transforms import v2",
    ]
    if config.zoom > 1 or config.box_rule == "ellipse":
        imports = ["import math", "from typing import Any", "", *imports]
    return [*imports, ""]


def _helpers(config: AugmentConfig) -> list[str]:
    parts: list[str] = []
    if config.zoom > 1 or config.box_rule == "ellipse":
        parts.append(f"MEAN_COLOUR = {MEAN_COLOUR}\n\n")
    if config.box_rule == "ellipse":
        parts += [inspect.getsource(boxes.rotate_boxes) + "\n"]
        parts += [inspect.getsource(transforms.RandomRotation) + "\n"]
    if config.zoom > 1:
        parts += [inspect.getsource(transforms._canvas_size) + "\n"]
        parts += [inspect.getsource(transforms.RandomZoom) + "\n"]
    return parts


def _tail(config: AugmentConfig) -> str:
    share = f"{config.min_visible:.0%}"
    return f'''

def augment(image: Image.Image, boxes: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """RGB photo and (N, 4) xyxy boxes in its pixels -> (3, S, S) float32 and boxes on the canvas.

    Training draws again while less than {share} of the largest object stays in the picture.
    """
    torch.manual_seed(seed)
    size = (image.height, image.width)
    boxes = tv_tensors.BoundingBoxes(boxes.float(), format="XYXY", canvas_size=size)
    return transforms(image, boxes)
'''
