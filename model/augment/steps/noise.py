"""Gaussian noise, as in a photo taken in the dark."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from model.augment.steps.base import Box, Chosen, Code, Config, Params, PixelStep, Setting
from model.words import percent

_HELPER = """\
class Noise(v2.Transform):  # grain of a random strength, the same for all of the picture
    def transform(self, x, params):
        if isinstance(x, tv_tensors.BoundingBoxes):
            return x
        grain = torch.randn(x.shape) * (255 * {most} * torch.rand(()))
        return tv_tensors.wrap((x + grain).clamp(0, 255).round().to(torch.uint8), like=x)
"""


class Noise(PixelStep):
    """``strength``: standard deviation, as a share of white; ``pattern``: seed of the grain."""

    name, title, group, draws = "noise", "noise", "quality", 2
    settings = (
        Setting(
            "noise", "Noise", "grain of up to this strength, as a share of white",
            low=0, high=0.5, default=0, off=0, mild=0, strong=0.2, surprise_range=(0.02, 0.15),
            too_much=0.2,
            warning="Noise this strong drowns textures and small objects, as no camera does today.",
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        pattern = (uniform[:, 1] * 2**32).astype(np.int64)
        return {"strength": config.noise * uniform[:, 0], "pattern": pattern}

    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        # One grain per canvas pixel, at whatever size the photo is.
        width, height = (max(1, round(n / s)) for n, s in zip(photo.size, scale, strict=True))
        generator = np.random.Generator(np.random.SFC64(params["pattern"]))
        grain = generator.standard_normal((height, width, 3), dtype=np.float32)
        rows = np.arange(photo.height) * height // photo.height
        columns = np.arange(photo.width) * width // photo.width
        if (width, height) != photo.size:
            grain = grain[rows][:, columns]
        noisy = np.asarray(photo) + grain * np.float32(255 * params["strength"])
        return Image.fromarray(np.rint(noisy).clip(0, 255).astype(np.uint8))

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        if strength := round(100 * params["strength"]):
            yield f"noise {strength} %"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        params = {"strength": float(config.noise), "pattern": 0}
        yield Chosen("noise", f"noise {percent(config.noise, 0)}", params)

    def code(self, config: Config) -> Code:
        return Code("Noise()", _HELPER.format(most=config.noise))
