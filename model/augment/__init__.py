"""What happens to a photo and its boxes before the network sees them."""

from model.augment.config import AugmentConfig
from model.augment.pipeline import (
    Pipeline,
    Plan,
    Sample,
    Step,
    Trace,
    describe,
    photo_seed,
)
from model.augment.transforms import IMAGENET_MEAN, IMAGENET_STD, MEAN_COLOUR
from model.canvas import working_side

__all__ = [
    "IMAGENET_MEAN", "IMAGENET_STD", "MEAN_COLOUR", "AugmentConfig", "Pipeline", "Plan", "Sample",
    "Step", "Trace", "describe", "photo_seed", "working_side",
]  # fmt: skip
