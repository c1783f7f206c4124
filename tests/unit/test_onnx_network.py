"""model/onnx_network.py: files that describe themselves rightly and compute something else."""

import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from model import UserError, load_detector
from model.checkpoint import FORMAT, CheckpointInfo
from model.data.images import load_fitted
from model.onnx_network import INPUT, OUTPUTS
from model.onnx_trial import try_out

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[export]'")
onnxruntime = pytest.importorskip(
    "onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime"
)

SIDE = 64
THREADS = Path("/proc/self/task")
SHAPES = {"probabilities": (2,), "bbox_xyxy": (4,), "evidence": (4,), "attention": (2, 2)}


def write(
    path: Path,
    shapes: dict[str, tuple[int, ...]] = SHAPES,
    extra: tuple = (),
    value: float = 0.5,
    batch: int | str = "batch",
) -> Path:
    """A network whose outputs are constants of these shapes for each photo."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    nodes, constants, outputs = [helper.make_node("Shape", [INPUT], ["n"], end=1)], [], []
    for name, shape in shapes.items():
        constants.append(numpy_helper.from_array(np.array(shape, np.int64), f"{name}_shape"))
        constants.append(numpy_helper.from_array(np.float32(value), f"{name}_value"))
        nodes.append(helper.make_node("Concat", ["n", f"{name}_shape"], [f"{name}_all"], axis=0))
        nodes.append(helper.make_node("Expand", [f"{name}_value", f"{name}_all"], [name]))
        outputs.append(helper.make_tensor_value_info(name, 1, None))
    image = helper.make_tensor_value_info(INPUT, 1, [batch, 3, SIDE, SIDE])
    graph = helper.make_graph([*nodes, *extra], "network", [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    info = json.dumps(asdict(CheckpointInfo(("ant", "bee"), SIDE)))
    helper.set_model_props(model, {"format": FORMAT, "info": info})
    onnx.save(model, path)
    return path


def test_one_that_fits_is_used(tmp_path):
    path = write(tmp_path / "fits.onnx")
    photo = np.zeros((30, 40, 3), np.uint8)
    assert load_detector(path).predict(photo).attention.shape == (2, 2)


@pytest.mark.skipif(not THREADS.is_dir(), reason="no other system tells a program's threads so")
def test_its_trial_starts_no_threads(tmp_path, monkeypatch):
    """With one for each of 64 cores, a sound file would need more memory than a trial may have."""
    running = []

    class Session(onnxruntime.InferenceSession):
        def run(self, *arguments):
            running.append(len(list(THREADS.iterdir())))
            return super().run(*arguments)

    path = write(tmp_path / "fits.onnx")
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    before = len(list(THREADS.iterdir()))
    try_out(path, INPUT, OUTPUTS)
    assert running == [before]


@pytest.mark.parametrize(
    ("name", "shape"),
    [("probabilities", (3,)), ("bbox_xyxy", (5,)), ("evidence", (3,)), ("evidence", (4, 1)),
     ("attention", (4,)), ("attention", (2, 2, 2)), ("attention", (0, 2))],
)  # fmt: skip
def test_outputs_of_another_shape(tmp_path, name, shape):
    path = write(tmp_path / "other.onnx", SHAPES | {name: shape})
    with pytest.raises(UserError, match=f"another network than it says \\({name} should be"):
        load_detector(path)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_network_for_a_fixed_number_of_photos(tmp_path, batch):
    with pytest.raises(UserError, match="not images for any number of photos of a known size"):
        load_detector(write(tmp_path / "fixed.onnx", batch=batch))


def constant_node(name: str, array: np.ndarray) -> onnx.NodeProto:
    return onnx.helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(array))


def write_other_evidence(path: Path, value: str, rows: str, *nodes: onnx.NodeProto) -> Path:
    """Its evidence is the tensor ``value``, so many times as the tensor ``rows`` says."""
    four = constant_node("four", np.array([4], np.int64))
    shape = onnx.helper.make_node("Concat", [rows, "four"], ["all"], axis=0)
    fill = onnx.helper.make_node("Expand", [value, "all"], ["evidence"])
    others = {name: SHAPES[name] for name in SHAPES if name != "evidence"}
    model = onnx.load(write(path, others, (*nodes, four, shape, fill)))
    model.graph.output.append(onnx.helper.make_tensor_value_info("evidence", 1, None))
    onnx.save(model, path)
    return path


def test_a_network_that_fails_at_some_photos(tmp_path):
    """It has an answer for two photos, as many as the trial has, and none for three."""
    table = constant_node("table", np.ones((3, 4), np.float32))
    row = onnx.helper.make_node("Gather", ["table", "n"], ["row"], axis=0)
    path = write_other_evidence(tmp_path / "some.onnx", "row", "n", table, row)
    detector, photo = load_detector(path), load_fitted(np.zeros((30, 40, 3), np.uint8), None)
    assert len(detector.predict_loaded([photo] * 2)) == 2
    with pytest.raises(UserError, match=r"some\.onnx fails at these photos .*Export it again"):
        detector.predict_loaded([photo] * 3)


def test_a_network_that_answers_for_one_photo_only(tmp_path):
    """Of three or more; its trial has two."""
    two = constant_node("two", np.array([2], np.int64))
    least = onnx.helper.make_node("Min", ["n", "two"], ["some"])
    path = write_other_evidence(tmp_path / "some.onnx", "probabilities_value", "some", two, least)
    detector, photo = load_detector(path), load_fitted(np.zeros((30, 40, 3), np.uint8), None)
    with pytest.raises(UserError, match="does not answer for each photo"):
        detector.predict_loaded([photo] * 3)


@pytest.mark.parametrize("missing", OUTPUTS)
def test_a_missing_output(tmp_path, missing):
    shapes = {name: shape for name, shape in SHAPES.items() if name != missing}
    with pytest.raises(UserError, match=r"broken or is no ONNX file of this program.*" + missing):
        load_detector(write(tmp_path / "missing.onnx", shapes))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_outputs_that_are_no_numbers(tmp_path, value):
    with pytest.raises(UserError, match="not made of finite"):
        load_detector(write(tmp_path / "nan.onnx", value=value))


def test_a_node_that_fails_when_it_runs(tmp_path):
    bad = onnx.helper.make_node("Reshape", [INPUT, "evidence_shape"], ["unused"])
    graph = onnx.helper.make_node("Identity", ["unused"], ["evidence"])
    shapes = {name: shape for name, shape in SHAPES.items() if name != "evidence"}
    with pytest.raises(UserError, match="Export it again"):
        load_detector(write(tmp_path / "fails.onnx", {**shapes, "evidence": (7,)}, (bad, graph)))


def test_a_constant_of_gigabytes_is_not_allocated(tmp_path):
    """600 bytes that ask for 8 GB; the trial ends, this process goes on."""
    huge = onnx.helper.make_node(
        "ConstantOfShape", ["huge_shape"], ["huge"],
        value=onnx.numpy_helper.from_array(np.array([1], np.float32)),
    )  # fmt: skip
    shape = onnx.helper.make_node(
        "Constant", [], ["huge_shape"],
        value=onnx.numpy_helper.from_array(np.array([2, 1024, 1024, 1024], np.int64)),
    )  # fmt: skip
    total = onnx.helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0)
    use = onnx.helper.make_node("Add", ["sum", "evidence_value"], ["evidence_all"])
    shapes = {name: shape for name, shape in SHAPES.items() if name != "evidence"}
    path = write(tmp_path / "huge.onnx", {**shapes, "evidence": (4,)}, (shape, huge, total, use))
    began = time.monotonic()
    with pytest.raises(UserError, match="Export it again"):
        load_detector(path)
    assert time.monotonic() - began < 60
