"""The augmentation as a short stand-alone ``transforms.v2`` script, to take away.

The script needs torch and torchvision only. With the same seed it draws and returns what
:class:`model.augment.Pipeline` does (a test runs both), but for one thing it says itself: a box
that gets lost is not drawn again.
"""

from collections.abc import Sequence

from model.augment import IMAGENET_MEAN, IMAGENET_STD, MEAN_COLOUR, AugmentConfig

_ELLIPSE_ROTATION = """\
class Rotation(v2.RandomRotation):  # a box becomes the hull of its turned inscribed ellipse
    def transform(self, x, params):
        if not isinstance(x, tv_tensors.BoundingBoxes):
            return super().transform(x, params)
        (height, width), angle = x.canvas_size, math.radians(params["angle"])
        cos, sin = math.cos(angle), math.sin(angle)
        x1, y1, x2, y2 = x.as_subclass(torch.Tensor).unbind(-1)
        dx, dy, w, h = (x1 + x2 - width) / 2, (y1 + y2 - height) / 2, (x2 - x1) / 2, (y2 - y1) / 2
        cx, cy = width / 2 + dx * cos + dy * sin, height / 2 - dx * sin + dy * cos
        w, h = torch.hypot(w * cos, h * sin), torch.hypot(w * sin, h * cos)
        return tv_tensors.wrap(torch.stack([cx - w, cy - h, cx + w, cy + h], dim=-1), like=x)


"""

_ZOOM = """\
class Zoom(v2.Transform):  # a random window, up to {zoom} times smaller or larger than the photo
    def make_params(self, flat_inputs):
        height, width = v2.functional.get_size(flat_inputs[0])
        share = torch.empty(2).uniform_(-math.log({zoom}), math.log({zoom})).exp().tolist()
        w, h = max(1, round(width * share[0])), max(1, round(height * share[1]))
        x, y = torch.rand(2).tolist()
        return dict(left=round(x * (width - w)), top=round(y * (height - h)), w=w, h=h)

    def transform(self, x, params):
        left, top, w, h = params.values()
        if isinstance(x, tv_tensors.BoundingBoxes):
            moved = x.as_subclass(torch.Tensor) - torch.tensor([left, top, left, top])
            return tv_tensors.wrap(moved, like=x, canvas_size=(h, w))
        window = Image.new("RGB", (w, h), {fill})
        window.paste(x, (-left, -top))
        return window


"""

_AUGMENT = '''

def augment(image, boxes, seed):
    """RGB photo, (N, 4) xyxy boxes in its pixels -> (3, S, S) float32, boxes on the canvas."""
    # Training draws again while less than {share} of the largest object stays in the picture.
    torch.manual_seed(seed)
    size = (image.height, image.width)
    return transforms(image, tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size))
'''


def to_code(
    config: AugmentConfig,
    image_size: int,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> str:
    """Python source with ``transforms`` (a ``v2.Compose``) and ``augment(image, boxes, seed)``.

    Args:
        config: what to draw from.
        image_size: side of the square canvas in pixels.
        mean, std: of the checkpoint, for RGB in 0..1.
    """
    ellipse, zooms = config.box_rule == "ellipse", config.zoom > 1
    imports = [
        *(["import math", ""] if ellipse or zooms else []),
        "import torch",
        *(["from PIL import Image"] if zooms else []),
        "from torchvision import tv_tensors",
        "from torchvision.transforms import v2",
    ]
    helpers = _ELLIPSE_ROTATION if ellipse else ""
    if zooms:
        helpers += _ZOOM.format(zoom=config.zoom, fill=MEAN_COLOUR)
    steps = "".join(f"    {step},\n" for step in _steps(config, image_size, mean, std))
    compose = f"transforms = v2.Compose([\n{steps}])\n"
    tail = _AUGMENT.format(share=f"{config.min_visible:.0%}")
    gap = "\n\n" if helpers else "\n"
    return "\n".join(imports) + "\n" + gap + helpers + compose + tail


def _steps(
    config: AugmentConfig, image_size: int, mean: Sequence[float], std: Sequence[float]
) -> list[str]:
    rotation = "Rotation" if config.box_rule == "ellipse" else "v2.RandomRotation"
    clamp = "v2.ClampBoundingBoxes()"
    jitter = f"{config.brightness}, {config.contrast}, {config.saturation}, {config.hue}"
    return [
        f"v2.RandomHorizontalFlip({config.flip_probability})",
        f'{rotation}({config.rotation_degrees}, interpolation="bilinear", fill={MEAN_COLOUR})',
        clamp,
        *(["Zoom()", clamp] if config.zoom > 1 else []),
        f"v2.ColorJitter({jitter})",
        f"v2.Resize(({image_size}, {image_size}), antialias=True)",
        "v2.ToImage()",
        "v2.ToDtype(torch.float32, scale=True)",
        f"v2.Normalize({list(mean)}, {list(std)})",
    ]
