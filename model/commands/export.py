"""Write a checkpoint as an ONNX file, which runs without PyTorch's network code.

    python -m model.export --format onnx --checkpoint CHECKPOINT --out detector.onnx

``load_detector("detector.onnx")`` then gives the same detector, run by onnxruntime. The input is
``images``, float32 ``(N, 3, S, S)``, normalised; the outputs are ``probabilities`` ``(N, C)``,
``bbox_xyxy`` ``(N, 4)`` in pixels of the canvas, and ``evidence`` ``(N, F)`` and ``attention``
``(N, rows, columns)``, see :class:`model.predictions.BatchPrediction`. Class names, S, mean,
deviation and calibration are in the file's metadata. Weights are stored in float16, as in the
checkpoint, and cast to float32 when the file is loaded; everything is computed in float32.
"""

import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from model.checkpoint import DEFAULT_CHECKPOINT, FORMAT, CheckpointInfo, load_checkpoint
from model.commands import run
from model.errors import UserError
from model.files import atomic_write
from model.network.detector import LargestObjectDetector
from model.onnx_network import INPUT, OUTPUTS
from model.predictions import BatchPrediction

if TYPE_CHECKING:
    import onnx_ir

OPSET = 18
MIN_HALVED = 1024  # numbers: smaller tensors are not worth it


class Predicting(nn.Module):
    """The network with :class:`model.predictions.BatchPrediction` as output.

    Heads without cells have no attention; a map of zeros is exported for it.
    """

    def __init__(self, model: LargestObjectDetector) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``(N, 3, S, S)`` -> the tensors of :class:`model.predictions.BatchPrediction`."""
        predicted = BatchPrediction.of(self.model(images))
        attention = predicted.attention
        if attention is None:
            attention = images.new_zeros(len(images), 1, 1)
        return predicted.probabilities, predicted.bbox_xyxy, predicted.evidence, attention


@dataclass
class ExportConfig:
    """Write a checkpoint as an ONNX file."""

    format: Literal["onnx"] = "onnx"  # of the file to write
    checkpoint: Path = DEFAULT_CHECKPOINT  # what to export
    out: Path = Path("detector.onnx")  # where to write it
    weights: Literal["float16", "float32"] = "float16"  # how weights are stored
    debug: bool = False  # tracebacks instead of one-line errors


def export_onnx(
    model: LargestObjectDetector, info: CheckpointInfo, out: Path, weights: str = "float16"
) -> None:
    """Write network and description into one file, for batches of any size.

    Args:
        model: not changed.
        info: stored in the file's metadata.
        weights: ``"float16"`` or ``"float32"``, as which they are stored.

    Raises:
        UserError: if the packages for it are not installed, or the file cannot be written.
    """
    try:
        import onnxscript  # noqa: F401 - PyTorch's exporter needs it and says so less clearly
    except ImportError:
        raise UserError("exporting needs two packages: pip install onnx onnxscript.") from None
    # With an example of one image the exporter would make the batch size a constant.
    example = torch.zeros(2, 3, info.image_size, info.image_size)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Predicting(model.eval()), (example,), dynamo=True, opset_version=OPSET, verbose=False,
            input_names=[INPUT], output_names=list(OUTPUTS),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )  # fmt: skip
    assert program is not None  # only the old exporter returns nothing
    shape = program.model.graph.inputs[0].shape
    if shape is None or isinstance(shape[0], int):
        raise RuntimeError("something in the network makes the number of images a constant")
    if weights == "float16":
        store_in_float16(program.model.graph)
    description = {"format": FORMAT, "info": json.dumps(asdict(info))}
    program.model.metadata_props.update(description)
    with atomic_write(out) as temporary:
        program.save(temporary, external_data=False)


def store_in_float16(graph: "onnx_ir.Graph") -> None:
    """Store the weights of a graph in float16, each followed by a cast to float32.

    Weights beyond the range of float16 are not changed. onnxruntime computes the casts once, when
    it loads the file.
    """
    import onnx_ir

    for value in list(graph.initializers.values()):
        tensor = value.const_value
        if tensor is None or tensor.dtype != onnx_ir.DataType.FLOAT or tensor.size < MIN_HALVED:
            continue
        halved = tensor.numpy().astype(np.float16)
        if not np.isfinite(halved).all():
            continue
        name = f"{value.name}_float16"
        float16 = onnx_ir.TensorType(onnx_ir.DataType.FLOAT16)
        tensor = onnx_ir.tensor(halved, name=name)
        half = onnx_ir.Value(name=name, type=float16, shape=value.shape, const_value=tensor)
        cast = onnx_ir.node("Cast", [half], {"to": onnx_ir.DataType.FLOAT.value})
        single = cast.outputs[0]
        single.type, single.shape = value.type, value.shape
        for user, index in tuple(value.uses()):
            user.replace_input_with(index, single)
        graph.initializers.pop(str(value.name))
        graph.register_initializer(half)
        graph.insert_before(graph[0], cast)


def main(config: ExportConfig) -> None:
    """Load the checkpoint and export it."""
    if config.out.suffix != ".onnx":
        raise UserError(
            f"--out must end in .onnx, not {config.out.name!r}: load_detector needs it."
        )
    export_onnx(*load_checkpoint(config.checkpoint), config.out, config.weights)
    print(f"wrote {config.out}: {config.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    run(main, ExportConfig, __doc__)
