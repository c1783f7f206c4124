"""Without colour, or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from model.augment.steps.base import Chosen, Code, Params, PixelStep, Setting

if TYPE_CHECKING:
    from model.augment.config import AugmentConfig


class Grey(PixelStep):
    """``grey``: whether the photo loses its colours."""

    name, title, group, draws = "grey", "grey", "colour", 1
    settings = (
        Setting(
            "grey_probability", "Grey", "chance that the photo loses its colours",
            low=0, high=1, default=0, off=0, mild=0, strong=0.3, lively=(0.1, 0.5),
        ),
    )  # fmt: skip

    def draw(self, config: AugmentConfig, uniform: np.ndarray, sizes: np.ndarray) -> Params:
        """See :class:`Step`."""
        return {"grey": uniform[:, 0] < config.grey_probability}

    def idle(self, size: tuple[int, int]) -> Params:
        """See :class:`Step`."""
        return {"grey": False}

    def apply(self, photo: Image.Image, params: Params, scale: tuple[float, float]) -> Image.Image:
        """See :class:`PixelStep`."""
        return photo.convert("L").convert("RGB") if params["grey"] else photo

    def words(self, params: Params, size: tuple[int, int]) -> Iterator[str]:
        """See :class:`Step`."""
        if params["grey"]:
            yield "grey"

    def limits(
        self, config: AugmentConfig, size: tuple[int, int], box: tuple[float, ...]
    ) -> Iterator[Chosen]:
        """See :class:`Step`."""
        yield Chosen("grey_probability", "grey", {"grey": True})

    def code(self, config: AugmentConfig) -> Code:
        """See :class:`Step`."""
        return Code(f"v2.RandomGrayscale({config.grey_probability})")
