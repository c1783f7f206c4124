"""Checkpoints: half-precision safetensors with everything needed to use them in the header."""

import dataclasses
import json
import platform
import reprlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from model.augment import IMAGENET_MEAN, IMAGENET_STD
from model.checked import is_name, is_number
from model.classes import MAX_CLASSES, VOC_CLASSES
from model.errors import UserError
from model.files import write_file
from model.network.detector import HEADS, LargestObjectDetector
from model.score import EVIDENCE, Calibration
from model.second_look import SecondLook

CHECKPOINT_FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
DEFAULT_CHECKPOINT = CHECKPOINT_FOLDER / "largest-object-resnet34.safetensors"
SHIPPED = "shipped"
FORMAT = "largest-object-detector/1"
MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 64, 2048  # pixels
CURE = "Download or train it again."


@dataclass
class CheckpointInfo:
    """The description stored with the weights; :data:`ALLOWED` lists the valid values.

    Attributes:
        class_names: position = class id.
        image_size: side of the square canvas in pixels.
        head: one of :data:`model.network.detector.HEADS`.
        mean, std: normalisation of RGB in 0..1.
        config: all training settings.
        metrics: metrics of these weights, and the split they were measured on.
        history: one dict per epoch.
        versions: of the libraries used in training.
        calibration: turns evidence into a score; ``None`` if none was fitted.
    """

    class_names: tuple[str, ...] = VOC_CLASSES
    image_size: int = 224
    head: str = "pyramid"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None

    def second_look(self, looks: int | None = None) -> SecondLook | None:
        """Settings of the second look, see :mod:`model.second_look`; ``None`` for no second look.

        Args:
            looks: 1 for no second look, 2 for one, ``None`` for what the checkpoint states.

        Raises:
            UserError: if ``looks`` is anything else.
        """
        if looks not in (None, 1, 2):
            raise UserError(
                f"looks is {looks!r}. Give 1 or 2, or nothing for what the checkpoint says."
            )
        stated = self.calibration.second_look if self.calibration else None
        if looks is None:
            return stated
        return (stated or SecondLook()) if looks == 2 else None


def save_checkpoint(path: str | Path, model: LargestObjectDetector, info: CheckpointInfo) -> None:
    """Write weights (float16) and ``info`` into one file, atomically. Nothing is pickled."""
    tensors = {
        name: (t.half() if t.is_floating_point() else t).contiguous().cpu()
        for name, t in model.state_dict().items()
    }
    metadata = {"format": FORMAT, "info": json.dumps(dataclasses.asdict(info))}
    write_file(path, save(tensors, metadata))  # safetensors' save_file hides the cause of errors


def checkpoint_path(name: str | Path) -> Path:
    """Path of a checkpoint given on a command line; ``"shipped"`` is the shipped one."""
    return DEFAULT_CHECKPOINT if str(name) == SHIPPED else Path(name)


def read_info(path: str | Path) -> CheckpointInfo:
    """Read only the description of a checkpoint, not its weights (fast).

    Unknown values are ignored, so that a checkpoint of a newer program opens as long as its format
    is the same.

    Raises:
        UserError: if the file is missing, broken, truncated, not one of ours, or its description
            has a missing or invalid value.
    """
    path = Path(path)
    if not path.is_file():
        names = sorted(p.name for p in CHECKPOINT_FOLDER.glob("*.safetensors"))
        there = f"In {CHECKPOINT_FOLDER} there is: {', '.join(names) or 'none'}."
        raise UserError(f"checkpoint {path} does not exist. {there}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, struct.error) as error:
        raise UserError(f"{path} is broken or is no safetensors file ({error}). {CURE}") from None
    return info_from_metadata(path, metadata)


def info_from_metadata(path: Path, metadata: Mapping[str, str]) -> CheckpointInfo:
    """The description in the metadata of a file; ``path`` is for messages.

    Raises:
        UserError: if the file is not one of ours, or its description is invalid.
    """
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"{path} is not a checkpoint of this program"
            f" (its format is {metadata.get('format', 'not given')!r}, not {FORMAT!r})."
        )
    try:
        values = json.loads(metadata["info"])
    except (KeyError, ValueError, RecursionError) as error:
        kind = type(error).__name__
        raise UserError(f"{path}: its description cannot be read ({kind}). {CURE}") from None
    if problem := _problem_of(values):
        raise UserError(f"{path}: its description cannot be read: {problem}. {CURE}")
    for name in ("class_names", "mean", "std"):
        values[name] = tuple(values[name])
    if values.get("calibration"):
        values["calibration"] = Calibration.from_dict(values["calibration"])
    names = {f.name for f in fields(CheckpointInfo)}
    return CheckpointInfo(**{name: v for name, v in values.items() if name in names})


def _are_class_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= MAX_CLASSES
        and all(map(is_name, value))
        and len(set(value)) == len(value)
    )


def _is_image_size(value: Any) -> bool:
    whole = is_number(value) and isinstance(value, int)
    return whole and MIN_IMAGE_SIZE <= value <= MAX_IMAGE_SIZE and value % 32 == 0


def _are_three_numbers(value: Any, above: float = -1e6) -> bool:
    is_list = isinstance(value, list) and len(value) == 3
    return is_list and all(is_number(v, below=1e6) and v > above for v in value)


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_calibration(value: Any) -> bool:
    try:
        return value is None or (_is_dict(value) and bool(Calibration.from_dict(value)))
    except (TypeError, KeyError, ValueError):
        return False


ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "class_names": (_are_class_names, f"a list of 1 to {MAX_CLASSES} different names"),
    "image_size": (_is_image_size, f"a multiple of 32 from {MIN_IMAGE_SIZE} to {MAX_IMAGE_SIZE}"),
    "head": (lambda v: isinstance(v, str) and v in HEADS, f"one of {', '.join(HEADS)}"),
    "mean": (_are_three_numbers, "three finite numbers"),
    "std": (lambda v: _are_three_numbers(v, above=0.0), "three finite numbers above 0"),
    "config": (_is_dict, "a dictionary"),
    "metrics": (_is_dict, "a dictionary"),
    "history": (lambda v: isinstance(v, list) and all(map(_is_dict, v)), "a list of dictionaries"),
    "versions": (_is_dict, "a dictionary"),
    "calibration": (
        _is_calibration,
        f"{len(EVIDENCE)} weights, a bias, a threshold, a temperature and a second look",
    ),
}
"""Field of :class:`CheckpointInfo` -> check of its value, and what is allowed in words."""
REQUIRED = ("class_names", "image_size", "head", "mean", "std")


def _problem_of(values: Any) -> str | None:
    """The first problem of a description in words; ``None`` if it is valid."""
    if not isinstance(values, dict):
        return f"it is {reprlib.repr(values)}, not a dictionary"
    for name, (is_allowed, allowed) in ALLOWED.items():
        if name in values and not is_allowed(values[name]):
            return f"{name} is {reprlib.repr(values[name])}, not {allowed}"
        if name not in values and name in REQUIRED:
            return f"{name} is missing"
    return None


def load_checkpoint(
    path: str | Path = DEFAULT_CHECKPOINT,
) -> tuple[LargestObjectDetector, CheckpointInfo]:
    """The detector in float32 and ``eval()`` mode, and its :class:`CheckpointInfo`.

    Raises:
        UserError: as :func:`read_info`, and if the weights do not fit the network described, or
            are not all finite numbers.
    """
    info = read_info(path)
    with torch.device("meta"):  # allocates no memory, whatever sizes the description states
        model = LargestObjectDetector(info.class_names, info.image_size, info.head)
    model.load_state_dict(_read_weights(Path(path), model), assign=True)
    return model.eval(), info


def load_trained_weights(model: LargestObjectDetector, path: str | Path) -> None:
    """Load the weights of a checkpoint into a new detector, to train it further.

    If the classes differ, the layers that predict them keep their initial weights.

    Raises:
        UserError: as :func:`load_checkpoint`, and if the checkpoint has another network.
    """
    trained, info = load_checkpoint(path)
    same_size = info.image_size == model.image_size or info.head == "pyramid"  # fits any canvas
    if info.head != model.head_name or not same_size:
        raise UserError(
            f"{path} has a {info.head} head for {info.image_size} px, not a {model.head_name} head"
            f" for {model.image_size} px. Give --head and --image-size as they were."
        )
    tensors = trained.state_dict()
    if info.class_names != model.class_names:
        new = tuple(f"head.{layer}." for layer in model.head.class_layers)
        tensors |= {name: t for name, t in model.state_dict().items() if name.startswith(new)}
    model.load_state_dict(tensors)


def _read_weights(path: Path, network: LargestObjectDetector) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, floating-point ones as float32; they must fit ``network``."""
    expected = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    with safe_open(path, framework="pt") as file:
        given = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        if misfits := [n for n in {**expected, **given} if expected.get(n) != given.get(n)]:
            raise UserError(
                f"{path} holds the weights of another network than it says (first misfit:"
                f" {misfits[0]}). {CURE}"
            )
        tensors = {name: file.get_tensor(name) for name in given}
    tensors = {n: t.float() if t.is_floating_point() else t for n, t in tensors.items()}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise UserError(f"{path}: weights in {name} are not finite numbers. {CURE}")
    return tensors


def library_versions() -> dict[str, str]:
    """Versions, including builds, of Python and the libraries that results depend on."""
    import PIL
    import torchvision

    modules = {"torch": torch, "torchvision": torchvision, "pillow": PIL}
    versions = {name: module.__version__ for name, module in modules.items()}
    return {"python": platform.python_version(), **versions}
