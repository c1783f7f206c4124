"""What the Augment tab gives away: settings, code, variants with their boxes, an animation."""

from demo.server.downloads import as_download
from demo.views.augment.scene import EDITOR_SIDE, Scene
from demo.views.augment.state import AugmentState
from demo.views.augment.variants import draw_variants
from model.augment import AugmentConfig
from model.inference import Detector
from model.inspect.animation import box_animation, swinging_step
from model.inspect.code import to_code
from model.inspect.variants import pack_variants


def code_of(config: AugmentConfig, detector: Detector) -> str:
    """The pipeline as a stand-alone script, normalised as the checkpoint is."""
    info = detector.info
    return to_code(config, info.image_size, info.mean, info.std)


def json_download(state: AugmentState) -> str:
    """``augment.json`` for ``train.py --augment``."""
    return as_download("augment.json", state.config.to_json() + "\n")


def code_download(config: AugmentConfig, detector: Detector) -> str:
    """See :func:`code_of`."""
    return as_download("augment.py", code_of(config, detector))


def zip_download(scene: Scene) -> str:
    """The variants, and their boxes as CSV, YOLO, COCO and VOC annotations."""
    variants = draw_variants(scene)
    packed = pack_variants(variants, scene.state.config, scene.class_name)
    return as_download(f"{scene.opened.photo.path.stem}_variants.zip", packed)


def animation_download(scene: Scene) -> str:
    """The box while the photo is moved, as an animated WebP."""
    shown = scene.opened.photo.load(EDITOR_SIDE).image
    target, config = scene.boxes_on(shown.size)[0], scene.state.config
    packed = box_animation(shown, target, config)
    name = f"{scene.opened.photo.path.stem}_{swinging_step(config).name}.webp"
    return as_download(name, packed)
