"""What happens to a photo and its boxes before the network sees them."""

from model.augment.config import AugmentConfig
from model.augment.normalisation import IMAGENET_MEAN, IMAGENET_STD, MEAN_COLOUR
from model.augment.pipeline import Picture, Pipeline, Sample
from model.augment.plan import Plan, Plans, make_plans
from model.augment.streams import photo_seed
from model.augment.trace import Trace, TracedStep
from model.canvas import working_side

__all__ = [
    "IMAGENET_MEAN", "IMAGENET_STD", "MEAN_COLOUR", "AugmentConfig", "Picture", "Pipeline", "Plan",
    "Plans", "Sample", "Trace", "TracedStep", "make_plans", "photo_seed", "working_side",
]  # fmt: skip
