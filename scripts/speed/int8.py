"""Write an ONNX file with convolutions in int8."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from model.onnx_network import INPUT


class Photos(CalibrationDataReader):
    """The photos whose activations set the scales of int8 values."""

    def __init__(self, images: Tensor) -> None:
        self.batches: Iterator[Tensor] = iter(images.split(1))

    def get_next(self) -> Any:  # declared as dict, but None marks the end
        """One photo; ``None`` after the last."""
        batch = next(self.batches, None)
        return None if batch is None else {INPUT: batch.contiguous().numpy()}


def write_int8(plain: Path, out: Path, images: Tensor) -> None:
    """Quantize the network in a file, with a scale for each channel of a convolution.

    Args:
        plain: from :func:`model.commands.export.export_onnx`.
        out: the file to write.
        images: ``(N, 3, S, S)`` float32, normalised.
    """
    prepared = out.with_suffix(".prepared.onnx")
    quant_pre_process(plain, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared, out, Photos(images), quant_format=QuantFormat.QDQ, per_channel=True,
        op_types_to_quantize=["Conv"],
    )  # fmt: skip
    # Quantizing loses the description, which the detector needs.
    model = onnx.load(out)
    del model.metadata_props[:]
    model.metadata_props.extend(onnx.load(plain).metadata_props)
    onnx.save(model, out)
