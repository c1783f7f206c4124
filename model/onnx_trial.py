"""Load an ONNX file and run it once, as a separate program with limited memory.

A file of a few bytes can need gigabytes, or crash the process that runs it. The program prints one
line of JSON: the metadata of the file and the shape of each output for two photos of noise; or
``problem``. It imports no other module of ours, so that it starts fast.

    python -I onnx_trial.py FILE INPUT OUTPUT ...
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

PHOTOS = 2
MAX_SIDE = 2048  # pixels
BASE_BYTES = 1536 * 2**20  # of address space: onnxruntime, numpy, and a pass
COPIES = 6  # how often the file may be in memory: read, parsed, optimised, packed for the CPU


def try_out(path: Path, name: str, outputs: Sequence[str]) -> dict[str, Any]:
    """``metadata`` of the file, ``side`` of its input in pixels, and ``shapes`` by output.

    Raises:
        ValueError: if its only input is not ``name`` of ``(N, 3, S, S)``, or an output holds other
            values than finite float32 numbers.
        Exception: whatever onnxruntime raises.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the threads of 64 cores would exceed the memory limit
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = {value.name: value.shape for value in session.get_inputs()}
    shape = inputs.get(name, [])
    is_fixed = [isinstance(size, int) for size in shape] == [False, True, True, True]
    if list(inputs) != [name] or not is_fixed or shape[1] != 3 or not 0 < shape[2] <= MAX_SIDE:
        raise ValueError(
            f"its inputs are {inputs}, not {name} for any number of photos of a known size"
        )
    photos = np.random.default_rng(0).standard_normal((PHOTOS, *shape[1:]), np.float32)
    results: list[Any] = list(session.run(list(outputs), {name: photos}))
    for output, values in zip(outputs, results, strict=True):
        if values.dtype != np.float32 or not np.isfinite(values).all():
            raise ValueError(f"{output} is not made of finite float32 numbers")
    metadata = session.get_modelmeta().custom_metadata_map
    shapes = {output: list(v.shape) for output, v in zip(outputs, results, strict=True)}
    return {"metadata": metadata, "side": shape[2], "shapes": shapes}


def limit_memory(n_bytes: int) -> None:
    """Limit the address space of this process; does nothing on Windows, which has no such limit."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))


def main(path: str, name: str, *outputs: str) -> None:
    """Print the result of :func:`try_out`, or the problem."""
    limit_memory(BASE_BYTES + COPIES * Path(path).stat().st_size)
    try:
        result = try_out(Path(path), name, outputs)
    except Exception as error:  # onnxruntime's exceptions have no common class
        result = {"problem": " ".join(str(error).split())[:200] or type(error).__name__}
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
