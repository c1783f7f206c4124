"""The network of an ONNX file, run by onnxruntime, as a replacement for the PyTorch one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model import onnx_trial
from model.checkpoint import CheckpointInfo, info_from_metadata
from model.errors import UserError
from model.predictions import BatchPrediction
from model.score import EVIDENCE

INPUT = "images"
OUTPUTS = BatchPrediction._fields
TRIAL_S = 60  # time limit of a trial in seconds
CURE = "Export it again."


class OnnxNetwork(nn.Module):
    """Same predictions as :class:`model.network.detector.LargestObjectDetector` in ``eval()`` mode.

    Args:
        path: of the file, for messages.
        session: an ``onnxruntime.InferenceSession`` with the input and outputs named above.
        info: the description stored in the file.
    """

    def __init__(self, path: Path, session: Any, info: CheckpointInfo) -> None:
        super().__init__()
        self.path, self.session = path, session
        self.class_names, self.image_size = info.class_names, info.image_size
        self.head_name = info.head

    def forward(self, images: Tensor) -> BatchPrediction:
        """``(N, 3, S, S)`` float32, normalised -> the prediction, float32.

        Raises:
            UserError: if onnxruntime fails, or the outputs have another batch size.
        """
        inputs = {INPUT: np.ascontiguousarray(images.float().cpu().numpy())}
        try:
            outputs = list(map(torch.from_numpy, self.session.run(list(OUTPUTS), inputs)))
        except Exception as error:  # onnxruntime's exceptions have no common class
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{self.path} fails at these photos ({reason}). {CURE}") from None
        if any(len(values) != len(images) for values in outputs):
            raise UserError(f"{self.path} does not answer for each photo. {CURE}")
        probabilities, bbox_xyxy, evidence, attention = outputs
        has_cells = attention.shape[-1] > 1
        return BatchPrediction(probabilities, bbox_xyxy, evidence, attention if has_cells else None)


def load_onnx(path: Path) -> tuple[OnnxNetwork, CheckpointInfo]:
    """The network in an ONNX file, and its description.

    It is first tried in a separate process, see :mod:`model.onnx_trial`.

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
    tried = _try_out(path)
    info = info_from_metadata(path, tried["metadata"])
    _check_shapes(path, {INPUT: [3, tried["side"], tried["side"]], **tried["shapes"]}, info)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # log no errors: they are raised too
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return OnnxNetwork(path, session, info), info


def _try_out(path: Path) -> dict[str, Any]:
    """Result of :mod:`model.onnx_trial` for the file."""
    # Without -I Python would import model/inspect instead of its own `inspect`.
    command = [sys.executable, "-I", onnx_trial.__file__, str(path.resolve()), INPUT, *OUTPUTS]
    # Each thread of numpy would take 40 MB of the trial's memory limit.
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    try:
        # The log of onnxruntime is discarded: the JSON on stdout has the reason.
        ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL,
                               env=one_thread, text=True, timeout=TRIAL_S, check=False)  # fmt: skip
        tried = json.loads(ended.stdout) if ended.stdout else {}
    except subprocess.TimeoutExpired:
        tried = {"problem": f"one pass takes longer than {TRIAL_S} seconds"}
    if "shapes" not in tried:
        reason = tried.get("problem", "it ends the program that runs it, or needs too much memory")
        raise UserError(f"{path} is broken or is no ONNX file of this program ({reason}). {CURE}")
    return tried


def _check_shapes(path: Path, shapes: dict[str, list[int]], info: CheckpointInfo) -> None:
    """Check the shapes in a trial: of the input per photo, of the outputs for the whole batch."""
    side, n = info.image_size, onnx_trial.PHOTOS
    attention = shapes["attention"]
    rows, columns = attention[1:] if len(attention) == 3 else (0, 0)
    expected = {
        INPUT: [3, side, side], "probabilities": [n, len(info.class_names)], "bbox_xyxy": [n, 4],
        "evidence": [n, len(EVIDENCE)], "attention": [n, max(1, rows), max(1, columns)],
    }  # fmt: skip
    for name, shape in expected.items():
        if shapes[name] != shape:
            raise UserError(
                f"{path} holds another network than it says ({name} should be {shape}, not"
                f" {shapes[name]}). {CURE}"
            )
