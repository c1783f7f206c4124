"""The random steps, built on ``torchvision.transforms.v2``, with parameters that can be recorded.

``make_params`` draws, ``transform`` applies: torchvision's own public hooks.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from model.boxes import rotate_boxes

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MEAN_COLOUR = tuple(round(255 * m) for m in IMAGENET_MEAN)  # fills corners: zero once normalised


class RandomHorizontalFlip(v2.RandomHorizontalFlip):
    """torchvision's, with the coin toss moved into ``make_params`` so that it can be recorded."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """``flipped``: whether this photo is mirrored."""
        return {"flipped": bool(torch.rand(1) < self.p)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Mirror image or boxes if ``flipped``."""
        return super().transform(inpt, {}) if params["flipped"] else inpt


class RandomRotation(v2.RandomRotation):
    """torchvision's for pixels; boxes by our rule and unclipped, so that the loss can be seen."""

    def __init__(self, degrees: float, box_rule: str) -> None:
        super().__init__((-degrees, degrees), interpolation="bilinear", fill=list(MEAN_COLOUR))
        self.box_rule = box_rule

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Turn an image or boxes by ``angle`` degrees counter-clockwise."""
        if params["angle"] == 0:
            return inpt
        if isinstance(inpt, tv_tensors.BoundingBoxes):
            plain = inpt.as_subclass(Tensor)
            rotated = rotate_boxes(plain, params["angle"], inpt.canvas_size, self.box_rule)
            return tv_tensors.wrap(rotated, like=inpt)
        return super().transform(inpt, params)


class RandomZoom(v2.Transform):
    """See the photo through a random window, up to ``zoom`` times smaller or larger than it.

    Width and height are drawn apart, so objects change size *and* shape. Smaller and larger are
    equally likely: with crops alone every object the network learns from has been enlarged.
    """

    def __init__(self, zoom: float) -> None:
        super().__init__()
        self.zoom = zoom

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """``left, top, width, height`` of the window in pixels of the photo."""
        height, width = _canvas_size(flat_inputs)
        limit = math.log(self.zoom)
        share = torch.empty(2).uniform_(-limit, limit).exp().tolist()
        place = torch.rand(2).tolist()
        window_w, window_h = max(1, round(width * share[0])), max(1, round(height * share[1]))
        left, top = round(place[0] * (width - window_w)), round(place[1] * (height - window_h))
        return {"left": left, "top": top, "width": window_w, "height": window_h}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """What a PIL image shows in the window, or boxes in its pixels (unclipped)."""
        left, top, width, height = (params[k] for k in ("left", "top", "width", "height"))
        if isinstance(inpt, tv_tensors.BoundingBoxes):
            moved = inpt.as_subclass(Tensor) - torch.tensor([left, top, left, top])
            return tv_tensors.wrap(moved, like=inpt, canvas_size=(height, width))
        window = Image.new("RGB", (width, height), MEAN_COLOUR)
        window.paste(inpt, (-left, -top))
        return window


def _canvas_size(flat_inputs: list[Any]) -> tuple[int, int]:
    for item in flat_inputs:
        if isinstance(item, tv_tensors.BoundingBoxes):
            return item.canvas_size
    height, width = v2.functional.get_size(flat_inputs[0])
    return height, width


def unnormalised(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Image.Image:
    """What the network gets as a picture again.

    Args:
        image: float32 ``(3, H, W)``, normalised.
        mean, std: it was normalised with, for RGB in 0..1.
    """
    centre, spread = (torch.tensor(v).view(3, 1, 1) for v in (mean, std))
    pixels = ((image.cpu() * spread + centre).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())
