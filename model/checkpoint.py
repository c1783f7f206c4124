"""Checkpoints: half-precision safetensors whose header says everything needed to use them."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from model.augment import IMAGENET_MEAN, IMAGENET_STD
from model.detector import LargestObjectDetector
from model.errors import UserError
from model.files import replacing
from model.voc import VOC_CLASSES

CHECKPOINT_FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
DEFAULT_CHECKPOINT = CHECKPOINT_FOLDER / "largest-object-resnet34.safetensors"
FORMAT = "largest-object-detector/1"


@dataclass
class CheckpointInfo:
    """What travels beside the weights.

    Attributes:
        class_names: position = class id.
        image_size: side of the square canvas in pixels.
        head: ``grid`` or ``flatten``.
        mean, std: normalisation of RGB in 0..1.
        config: all training settings.
        metrics: scores of these weights and the split they were measured on.
        history: one dict an epoch.
        versions: of the libraries it was trained with.
    """

    class_names: tuple[str, ...] = VOC_CLASSES
    image_size: int = 224
    head: str = "decoupled"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


def save_checkpoint(path: str | Path, model: LargestObjectDetector, info: CheckpointInfo) -> None:
    """Write weights (float16) and ``info`` into one file, atomically. Nothing is pickled."""
    tensors = {
        name: (t.half() if t.is_floating_point() else t).contiguous().cpu()
        for name, t in model.state_dict().items()
    }
    metadata = {"format": FORMAT, "info": json.dumps(info.__dict__)}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata)


def read_info(path: str | Path) -> CheckpointInfo:
    """Read only what travels beside the weights (fast).

    Raises:
        UserError: if the file is missing, broken, truncated, or not one of ours.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"checkpoint {path} does not exist. {_what_there_is()}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, struct.error) as error:
        raise UserError(
            f"{path} is broken or is no safetensors file ({error}). Download or train it again."
        ) from None
    return info_from_metadata(path, metadata)


def info_from_metadata(path: Path, metadata: Mapping[str, str]) -> CheckpointInfo:
    """What travels beside the weights, out of the text fields of a file (``path`` for messages).

    Raises:
        UserError: if the file is not one of ours, or its description cannot be used.
    """
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"{path} is not a checkpoint of this program"
            f" (its format is {metadata.get('format', 'not given')!r}, not {FORMAT!r})."
        )
    try:
        values = json.loads(metadata["info"])
        for name in ("class_names", "mean", "std"):
            values[name] = tuple(values[name])
        return CheckpointInfo(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: its description cannot be read ({error}).") from None


def load_checkpoint(
    path: str | Path = DEFAULT_CHECKPOINT,
) -> tuple[LargestObjectDetector, CheckpointInfo]:
    """The detector in float32 and ``eval()`` mode, and its :class:`CheckpointInfo`.

    Raises:
        UserError: as :func:`read_info`, and if the weights do not fit the network described.
    """
    info = read_info(path)
    model = LargestObjectDetector(info.class_names, info.image_size, info.head)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    tensors = {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"{path} holds the weights of another network than it says ({first})."
        ) from None
    return model.eval(), info


def library_versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    import platform

    import PIL
    import torchvision

    return {
        "python": platform.python_version(), "torch": torch.__version__,
        "torchvision": torchvision.__version__, "pillow": PIL.__version__,
    }  # fmt: skip


def _what_there_is() -> str:
    names = sorted(p.name for p in CHECKPOINT_FOLDER.glob("*.safetensors"))
    return f"In {CHECKPOINT_FOLDER} there is: {', '.join(names) or 'none'}."
