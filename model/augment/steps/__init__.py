"""The steps of the augmentation: each file knows all there is to know about one.

To add one, write its file, add it here, and write its test. Settings, flags, sliders, addresses,
captions, limits, advice, presets and code follow from what it says about itself.
"""

from model.augment.steps.base import GROUPS, GeometricStep, PixelStep, Setting, Step
from model.augment.steps.blur import Blur
from model.augment.steps.erase import Erase
from model.augment.steps.flip import Flip
from model.augment.steps.grey import Grey
from model.augment.steps.jitter import Jitter
from model.augment.steps.jpeg import Jpeg
from model.augment.steps.noise import Noise
from model.augment.steps.perspective import Perspective
from model.augment.steps.rotation import Rotation
from model.augment.steps.shear import Shear
from model.augment.steps.zoom import Zoom

__all__ = ["GROUPS", "STEPS", "GeometricStep", "PixelStep", "Setting", "Step"]

STEPS: tuple[Step, ...] = (
    Flip(), Rotation(), Shear(), Perspective(), Zoom(),
    Jitter(), Grey(),
    Blur(), Noise(), Jpeg(), Erase(),
)  # fmt: skip
"""In the order in which they are done; those of a group stand together."""
