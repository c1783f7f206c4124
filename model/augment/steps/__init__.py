"""The steps of the augmentation, one file each.

To add a step, write its file, add it to :data:`STEPS`, and write its test. Settings, flags,
sliders, addresses, captions, limits, advice, presets and code follow from its class.
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
"""In the order in which they run, grouped as in :data:`GROUPS`."""
