"""Cropped to, or padded to, a random window smaller or larger than the photo."""

import math
from collections.abc import Iterator

import numpy as np

from model.augment.geometry import identities
from model.augment.normalisation import MEAN_COLOUR
from model.augment.steps.base import Box, Chosen, Code, Config, GeometricStep, Params, Setting
from model.augment.streams import either_way

_HELPER = """\
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


class Zoom(GeometricStep):
    """``left, top, width, height`` of the window in pixels of the photo.

    Width and height are drawn independently, so objects change size *and* shape. Smaller and larger
    are equally likely: crops alone would enlarge every object.
    """

    name, title, draws = "zoom", "zoom", 4
    settings = (
        Setting(
            "zoom", "Zoom", "width and height each zoomed by up to this factor, in or out; 1 = off",
            low=1, high=4, default=1.8, off=1, mild=1, strong=3, surprise_range=(1.1, 2),
        ),
    )  # fmt: skip

    def draw(self, config: Config, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        shares = np.exp(math.log(config.zoom) * either_way(uniform[:, :2]))
        window = np.maximum(1, np.rint(sizes * shares)).astype(int)
        corner = np.rint(uniform[:, 2:] * (sizes - window)).astype(int)
        return {
            "left": corner[:, 0], "top": corner[:, 1],
            "width": window[:, 0], "height": window[:, 1],
        }  # fmt: skip

    def matrices(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        move = identities(len(sizes))
        move[:, 0, 2], move[:, 1, 2] = -params["left"], -params["top"]
        return move

    def sizes_after(self, params: Params, sizes: np.ndarray) -> np.ndarray:
        return np.stack([params["width"], params["height"]], axis=1).astype(np.float64)

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        if params == self.idle(size):
            return
        across, down = size[0] / params["width"], size[1] / params["height"]
        width, height = f"{across:.2g}", f"{down:.2g}"
        alike = width == height or abs(across / down - 1) < 0.03
        yield f"zoom {width}" if alike else f"zoom {width} x {height}"

    def limits(self, config: Config, size: tuple[int, int], box: Box) -> Iterator[Chosen]:
        for share, word in ((1 / config.zoom, "in"), (config.zoom, "out")):
            yield Chosen("zoom", f"zoomed {word} {config.zoom:g}x", _best_window(size, box, share))

    def code(self, config: Config) -> Code:
        helper = _HELPER.format(zoom=config.zoom, fill=MEAN_COLOUR)
        return Code("Zoom()", helper, ("import math", "from PIL import Image"))


def _best_window(size: tuple[int, int], box: Box, share: float) -> Params:
    """The window of ``share`` of the photo's sides, centred on a box as far as it fits."""
    width, height = (max(1, round(side * share)) for side in size)
    x1, y1, x2, y2 = box
    left = _within(round((x1 + x2 - width) / 2), size[0] - width)
    top = _within(round((y1 + y2 - height) / 2), size[1] - height)
    return {"left": left, "top": top, "width": width, "height": height}


def _within(start: int, room: int) -> int:
    """``start`` clamped to the range from 0 to ``room``, which may be negative."""
    return min(max(start, min(0, room)), max(0, room))
