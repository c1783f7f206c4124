"""Downloads of the Augment tab: settings, code, variants with their boxes, an animation."""

from demo.server.downloads import as_download
from demo.views.augment.scene import EDITOR_SIDE, Scene
from demo.views.augment.state import AugmentState
from demo.views.augment.variants import draw_variants
from model.augment import AugmentConfig, Pipeline
from model.inference import Detector
from model.inspect.animation import box_animation, swinging_step
from model.inspect.code import to_code
from model.inspect.variants_zip import in_full_size, on_canvas, pack_variants

CANVAS, PHOTO = "canvas", "photo"  # the pictures of the ZIP
FULL_SIDE = 2048  # pixels of the longer side of the photo for pictures of its own shape
ZIP_PICTURES = [
    ("canvas: square, squashed, as the network sees it", CANVAS),
    (f"photo: its own shape, up to {FULL_SIDE:,} pixels a side", PHOTO),
]


def code_of(config: AugmentConfig, detector: Detector) -> str:
    """The pipeline as a stand-alone script, with the normalisation of the checkpoint."""
    info = detector.info
    return to_code(config, info.image_size, info.mean, info.std)


def json_download(state: AugmentState) -> str:
    """``augment.json`` for ``train.py --augment``."""
    return as_download("augment.json", state.config.to_json() + "\n")


def code_download(config: AugmentConfig, detector: Detector) -> str:
    """See :func:`code_of`."""
    return as_download("augment.py", code_of(config, detector))


def zip_download(scene: Scene, pictures: str = CANVAS) -> str:
    """The variants as ``pictures``, and all their boxes as CSV, YOLO, COCO and VOC annotations."""
    variants, config = draw_variants(scene), scene.state.config
    if pictures == PHOTO:
        info, photo = scene.inspection.detector.info, scene.inspection.photo.load(FULL_SIDE).image
        pipeline = Pipeline(config, info.image_size, info.mean, info.std)
        moved, kind = in_full_size(variants, photo, pipeline), "jpg"
    else:
        moved, kind = on_canvas(variants), "png"
    packed = pack_variants(variants, moved, scene.objects, config, kind)
    return as_download(f"{scene.inspection.photo.path.stem}_variants.zip", packed)


def animation_download(scene: Scene) -> str:
    """The photo and its boxes while one step moves them to and fro, as an animated WebP."""
    shown = scene.inspection.photo.load(EDITOR_SIDE).image
    (target, *others), config = scene.boxes_on(shown.size), scene.state.config
    packed = box_animation(shown, target, config, others)
    name = f"{scene.inspection.photo.path.stem}_{swinging_step(config).name}.webp"
    return as_download(name, packed)
