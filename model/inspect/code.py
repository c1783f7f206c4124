"""The augmentation as a short stand-alone ``transforms.v2`` script, to download.

The script needs only torch and torchvision. It draws from the same ranges as
:class:`model.augment.Pipeline` (a test compares thousands of boxes of both), but with PyTorch's
random numbers. Unlike training it does not draw again if the target is lost; a comment says so.
"""

from collections.abc import Iterator, Sequence

from model.augment import IMAGENET_MEAN, IMAGENET_STD, AugmentConfig
from model.augment.steps import GeometricStep
from model.data.annotations import MIN_VISIBLE_TO_LABEL
from model.words import percent

_AUGMENT = '''

def augment(image, boxes, seed):
    """RGB photo, (N, 4) xyxy boxes in its pixels -> (3, S, S) float32, boxes on the canvas."""
    # Training draws again while less than {share} of the largest object stays in the picture,
    # and leaves out others of which less than {label} stays.
    torch.manual_seed(seed)
    kind = {{"format": "XYXY", "canvas_size": (image.height, image.width)}}
    return transforms(image, tv_tensors.BoundingBoxes(boxes.float(), **kind))
'''


def to_code(
    config: AugmentConfig,
    image_size: int,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> str:
    """Python source with ``transforms`` (a ``v2.Compose``) and ``augment(image, boxes, seed)``.

    Args:
        image_size: side of the square canvas in pixels.
        mean, std: of the checkpoint, for RGB in 0..1.
    """
    parts = [step.code(config) for step in config.steps if step.is_on(config)]
    needed = {line for part in parts for line in part.imports}
    library = sorted(line for line in needed if line.startswith("import "))
    imports = [*library, ""] if library else []
    imports += ["import torch", *sorted(needed - set(library))]
    imports += ["from torchvision import tv_tensors", "from torchvision.transforms import v2"]
    helpers = "".join(f"\n\n{part.helper}" for part in parts if part.helper)
    lines = "".join(f"    {line},\n" for line in _lines(config, image_size, mean, std))
    head = "\n".join(imports) + "\n"
    gap = "\n\n" if helpers else "\n"
    compose = f"{gap}transforms = v2.Compose([\n{lines}])\n"
    share, label = percent(config.min_visible, 0), percent(MIN_VISIBLE_TO_LABEL, 0)
    return head + helpers + compose + _AUGMENT.format(share=share, label=label)


def _lines(
    config: AugmentConfig, image_size: int, mean: Sequence[float], std: Sequence[float]
) -> Iterator[str]:
    steps = [step for step in config.steps if step.is_on(config)]
    for step in steps:
        if isinstance(step, GeometricStep):
            yield step.code(config).line
            yield "v2.ClampBoundingBoxes()"
    yield f"v2.Resize(({image_size}, {image_size}), antialias=True)"
    yield "v2.ToImage()"
    yield from (s.code(config).line for s in steps if not isinstance(s, GeometricStep))
    yield "v2.ToDtype(torch.float32, scale=True)"
    yield f"v2.Normalize({list(mean)}, {list(std)})"
