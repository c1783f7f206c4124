"""One pass of the network, computed in different ways."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from model.commands.export import export_onnx
from model.inference import Detector
from model.network.detector import LargestObjectDetector
from model.network.inference_copy import inference_copy
from model.onnx_network import load_onnx
from model.precision import autocast
from model.predictions import BatchPrediction, predict_batch
from speed.measure import Row, medians

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BATCHES = (1, 8)
BF16_IN_USE = "bf16, weights stored in it"
FLOAT32_IN_USE = "float32, batch norm folded"
Pass = Callable[[Tensor], BatchPrediction]


def rows(
    model: LargestObjectDetector, detector: Detector, folder: Path | None, repeats: int
) -> list[Row]:
    """Rows for all ways relative to the one that ``detector`` uses, at batch 1 and 8.

    Args:
        model: the network of the checkpoint.
        detector: made from it, on the CPU.
        folder: for ONNX files; ``None`` to leave them out.
        repeats: of every pass.
    """
    ways = pytorch_ways(model, detector)
    if folder:
        ways |= onnx_ways(model, detector, folder)
    notes = {name: difference(ways, name, example_batch(detector)) for name in ways}
    result = []
    for n in BATCHES:
        images = random_batch(detector, n)
        tasks = {name: lambda way=way, x=images: way(x) for name, way in ways.items()}
        seconds = medians(tasks, repeats)
        in_use = seconds[BF16_IN_USE if detector.bf16 else FLOAT32_IN_USE]
        for name, value in seconds.items():
            note = notes[name] if n == 1 else f"{1000 * value / n:.0f} ms a photo"
            if n == 1:
                note = f"{1000 * value:.0f} ms; {note}"
            result.append(
                Row(f"pass at batch {n}, {name} / in use", f"{value / in_use:.2f}", "", note)
            )
    return result


def pytorch_ways(model: LargestObjectDetector, detector: Detector) -> dict[str, Pass]:
    """Name -> function that computes a pass; bf16 only if the CPU supports it natively."""
    plain = model.eval().to(memory_format=torch.channels_last)
    ways = {
        "float32": in_pytorch(detector, plain, False),
        FLOAT32_IN_USE: in_pytorch(detector, inference_copy(model, False), False),
    }
    if detector.bf16:
        ways["bf16"] = in_pytorch(detector, plain, True)
        ways[BF16_IN_USE] = in_pytorch(detector, detector.model, True)
    return ways


def onnx_ways(model: LargestObjectDetector, detector: Detector, folder: Path) -> dict[str, Pass]:
    """The same for ONNX files, which are written to ``folder`` in half a minute.

    Only this needs the packages of the extra ``export``.
    """
    from speed.int8 import write_int8

    plain, int8 = folder / "float32.onnx", folder / "int8.onnx"
    export_onnx(model, detector.info, plain)
    write_int8(plain, int8, example_batch(detector))
    files = {"onnxruntime float32": plain, "onnxruntime int8": int8}
    return {name: load_onnx(path)[0].forward for name, path in files.items()}


def in_pytorch(detector: Detector, model: nn.Module, bf16: bool) -> Pass:
    """A pass as in :meth:`Detector.predict_loaded`."""

    def run(images: Tensor) -> BatchPrediction:
        with autocast(detector.device, bf16):
            return predict_batch(model, images)

    return run


def example_batch(detector: Detector) -> Tensor:
    """The example photos, float32 ``(N, 3, S, S)``."""
    files = sorted(EXAMPLES.glob("*.jpg"))
    return torch.stack([detector.preprocess(detector.load(file).image) for file in files])


def random_batch(detector: Detector, n: int) -> Tensor:
    """Noise ``(n, 3, S, S)``, with the memory layout of the detector's inputs."""
    size = detector.info.image_size
    return torch.randn(n, 3, size, size).contiguous(memory_format=torch.channels_last)


def difference(ways: dict[str, Pass], name: str, photos: Tensor) -> str:
    """Difference between the predictions of a way and of float32, in words."""
    expected, actual = ways["float32"](photos), ways[name](photos)
    pixels = (actual.bbox_xyxy - expected.bbox_xyxy).abs().max().item()
    same = (actual.probabilities.argmax(1) == expected.probabilities.argmax(1)).sum().item()
    side = photos.shape[-1]
    return f"{same} of {len(photos)} classes as in float32, boxes within {pixels:.2f} of {side} px"
