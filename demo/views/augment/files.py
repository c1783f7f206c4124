"""What the Augment tab gives away: settings, code, variants with their boxes, an animation."""

from demo.backend import Backend
from demo.server.downloads import take_away
from demo.views.augment.scene import EDITOR_SIDE, scene_of
from demo.views.augment.state import AugmentState
from demo.views.augment.variants import draw_variants
from model.inspect.animation import box_animation, swinging_step
from model.inspect.code import to_code
from model.inspect.variants import pack_variants


def code_of(backend: Backend, state: AugmentState) -> str:
    """The pipeline as a stand-alone script, normalised as the checkpoint is."""
    info = backend.detector(state.checkpoint).info
    return to_code(state.config, info.image_size, info.mean, info.std)


def take_json(state: AugmentState) -> str:
    """``augment.json`` for ``train.py --augment``."""
    return take_away("augment.json", state.config.to_json() + "\n")


def take_zip(backend: Backend, state: AugmentState) -> str:
    """The variants, and their boxes as CSV, YOLO, COCO and VOC annotations."""
    scene = scene_of(backend, state)
    variants = draw_variants(backend, state, scene)
    packed = pack_variants(variants, state.config, scene.class_name)
    return take_away(f"{scene.photo.path.stem}_variants.zip", packed)


def take_animation(backend: Backend, state: AugmentState) -> str:
    """The box while the photo is moved, as an animated WebP."""
    scene = scene_of(backend, state)
    shown = backend.load(scene.photo, EDITOR_SIDE).image
    target, *_ = scene.boxes_on(shown.size)
    packed = box_animation(shown, target, state.config)
    name = f"{scene.photo.path.stem}_{swinging_step(state.config).name}.webp"
    return take_away(name, packed)
