"""Largest-object detection: everything about boxes, images and the network.

>>> from model import load_detector
>>> detection = load_detector().predict("photo.jpg")

This package holds modules that all others use (errors, boxes, classes, files, ...) and those that
predict (checkpoint, predictions, score, inference). Its subpackages may import only those before
them: ``network``; ``data`` and ``augment``, which do not import each other; ``loading``;
``evaluation`` and ``inspect``; ``training``; ``commands``. A test checks that order.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.augment import AugmentConfig, Pipeline
    from model.classes import VOC_CLASSES
    from model.data.dataset import read_split
    from model.data.images import load_image
    from model.draw import draw_box
    from model.errors import UserError
    from model.inference import Detection, Detector, load_detector
    from model.inspect.compose_trace import trace_compose
    from model.loading.dataset import LargestObjectDataset

__all__ = [
    "VOC_CLASSES", "AugmentConfig", "Detection", "Detector", "LargestObjectDataset", "Pipeline",
    "UserError", "draw_box", "load_detector", "load_image", "read_split", "trace_compose",
]  # fmt: skip

# `python -m model.predict` runs model/commands/predict.py.
__path__ = [*__path__, str(Path(__file__).with_name("commands"))]

_HOME = {
    "Detection": "model.inference",
    "Detector": "model.inference",
    "load_detector": "model.inference",
    "UserError": "model.errors",
    "VOC_CLASSES": "model.classes",
    "AugmentConfig": "model.augment",
    "Pipeline": "model.augment",
    "LargestObjectDataset": "model.loading.dataset",
    "draw_box": "model.draw",
    "load_image": "model.data.images",
    "read_split": "model.data.dataset",
    "trace_compose": "model.inspect.compose_trace",
}


def __dir__() -> list[str]:
    return __all__  # what completion offers after `from model import`


def __getattr__(name: str) -> Any:
    # Imported on first use: `python -m model.dataset` then starts without loading PyTorch, and
    # `python -m model.predict` is not imported a second time under another name.
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
