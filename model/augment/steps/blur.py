"""Out of focus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from model.augment.steps.base import Chosen, Code, Params, PixelStep, Setting

if TYPE_CHECKING:
    from model.augment.config import AugmentConfig


class Blur(PixelStep):
    """``sigma``: of a Gaussian, in pixels of the network's canvas."""

    name, title, group, draws = "blur", "blur", "quality", 1
    settings = (
        Setting(
            "blur", "Blur", "out of focus by up to so many pixels of what the network sees",
            low=0, high=5, default=0, off=0, mild=0, strong=3, lively=(0.3, 2),
        ),
    )  # fmt: skip

    def draw(self, config: AugmentConfig, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        """See :class:`Step`."""
        return {"sigma": config.blur * uniform[:, 0]}

    def idle(self, size: tuple[int, int]) -> Params:
        """See :class:`Step`."""
        return {"sigma": 0.0}

    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        """See :class:`PixelStep`."""
        across, down = (params["sigma"] * share for share in scale)
        return photo.filter(ImageFilter.GaussianBlur((across, down)))

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        """See :class:`Step`."""
        if sigma := round(params["sigma"], 1):
            yield f"blurred {sigma:g} px"

    def limits(
        self, config: AugmentConfig, size: tuple[int, int], box: tuple[float, ...]
    ) -> Iterator[Chosen]:
        """See :class:`Step`."""
        yield Chosen("blur", f"blurred {config.blur:g} px", {"sigma": float(config.blur)})

    def advice(
        self, config: AugmentConfig, size: tuple[int, int], box: tuple[float, ...]
    ) -> Iterator[str]:
        """See :class:`Step`."""
        if config.blur >= 2.5:
            yield "A blur this strong wipes out small objects: their boxes would be guesses."

    def code(self, config: AugmentConfig) -> Code:
        """See :class:`Step`."""
        # torchvision wants an odd window, and no sigma of 0.
        window = 2 * max(1, round(3 * config.blur)) + 1
        return Code(f"v2.GaussianBlur({window}, (0.01, {max(config.blur, 0.02)}))")
