"""The network of an ONNX file, run by onnxruntime, in the place of the PyTorch one."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model.checkpoint import CheckpointInfo, info_from_metadata
from model.errors import UserError
from model.predictions import BatchPrediction

INPUT = "images"
OUTPUTS = BatchPrediction._fields


class OnnxNetwork(nn.Module):
    """Predicts as :class:`model.network.detector.LargestObjectDetector` does in ``eval()`` mode.

    Args:
        session: an ``onnxruntime.InferenceSession`` with the input and outputs named above.
        info: what travels beside the network in its file.
    """

    def __init__(self, session: Any, info: CheckpointInfo) -> None:
        super().__init__()
        self.session = session
        self.class_names, self.image_size = info.class_names, info.image_size
        self.head_name = info.head

    def forward(self, images: Tensor) -> BatchPrediction:
        """``(N, 3, S, S)`` float32, normalised -> the prediction, float32."""
        given = {INPUT: np.ascontiguousarray(images.float().cpu().numpy())}
        probabilities, bbox_xyxy, evidence, attention = (
            torch.from_numpy(values) for values in self.session.run(list(OUTPUTS), given)
        )
        has_cells = attention.shape[-1] > 1
        return BatchPrediction(probabilities, bbox_xyxy, evidence, attention if has_cells else None)


def load_onnx(path: Path) -> tuple[OnnxNetwork, CheckpointInfo]:
    """The network in an ONNX file, and what travels beside it.

    Raises:
        UserError: if onnxruntime is not installed, or the file is missing, broken, or not one that
            ``python -m model.export`` wrote.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            f"{path} needs onnxruntime: pip install onnxruntime, or take a .safetensors checkpoint."
        ) from None
    if not path.is_file():
        raise UserError(f"{path} does not exist. Write it with: python -m model.export.")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no class of their own to catch
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} is broken or is no ONNX file ({reason}). Export it again."
        ) from None
    info = info_from_metadata(path, session.get_modelmeta().custom_metadata_map)
    _check_shapes(path, session, info)
    return OnnxNetwork(session, info), info


def _check_shapes(path: Path, session: Any, info: CheckpointInfo) -> None:
    side, classes = info.image_size, len(info.class_names)
    expected = {INPUT: [3, side, side], "probabilities": [classes], "bbox_xyxy": [4]}
    found = {v.name: v.shape[1:] for v in [*session.get_inputs(), *session.get_outputs()]}
    for name, shape in expected.items():
        if found.get(name) != shape:
            raise UserError(
                f"{path} holds another network than it says ({name} should be {shape} for each"
                f" image, not {found.get(name)}). Export it again."
            )
