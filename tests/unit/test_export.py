"""An exported detector answers as the one it was made from."""

import json
import os
import random
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from PIL import Image, ImageDraw
from torchvision.models.resnet import BasicBlock, ResNet

from model import Detector, load_detector
from model.boxes import paired_iou
from model.checkpoint import DEFAULT_CHECKPOINT, CheckpointInfo, load_checkpoint
from model.commands.export import ExportConfig, export_onnx, main, store_in_float16
from model.errors import UserError
from model.inspect.explanation import explain
from model.network.detector import LargestObjectDetector
from model.score import Calibration

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[export]'")
for package in ("onnxscript", "onnxruntime"):
    if find_spec(package) is None:  # importing them takes seconds, in every process of the tests
        reason = f"{package} is not installed: pip install -e '.[export]'"
        pytest.skip(reason, allow_module_level=True)

pytestmark = pytest.mark.slow  # the whole network is exported

# Spread over the data set; each costs two passes. ONNX_TEST_PHOTOS=200 asks for more.
N_VOC_PHOTOS = int(os.environ.get("ONNX_TEST_PHOTOS", "30"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """The shipped checkpoint as an ONNX file; exporting takes seconds, so it is done once."""
    out = tmp_path_factory.mktemp("onnx") / "detector.onnx"
    main(ExportConfig(out=out))
    return out


@pytest.fixture(scope="module")
def pair(exported) -> tuple[Detector, Detector]:
    return in_float32(*load_checkpoint(DEFAULT_CHECKPOINT)), load_detector(exported)


def in_float32(model: LargestObjectDetector, info: CheckpointInfo) -> Detector:
    """What the file computes in, also on a processor where PyTorch would use bf16."""
    return Detector(model, info, "cpu", bf16=False)


def made_photos(count: int) -> list[Image.Image]:
    """Photos of all shapes with some coloured things on them."""
    draws, photos = random.Random(0), []
    for _ in range(count):
        width, height = draws.randint(60, 500), draws.randint(60, 500)
        photo = Image.new("RGB", (width, height), tuple(draws.choices(range(256), k=3)))
        for _ in range(3):
            left, right = sorted(draws.sample(range(width), 2))
            top, bottom = sorted(draws.sample(range(height), 2))
            colour = tuple(draws.choices(range(256), k=3))
            ImageDraw.Draw(photo).ellipse((left, top, right, bottom), fill=colour)
        photos.append(photo)
    return photos


def assert_same_answers(pair: tuple[Detector, Detector], photos: Sequence) -> None:
    """Same classes, boxes within half a pixel of the photo, all shares within a thousandth."""
    for start in range(0, len(photos), 20):
        batch = photos[start : start + 20]
        answers = zip(*(detector.predict_batch(batch) for detector in pair), strict=True)
        for expected, found in answers:
            assert found.class_name == expected.class_name
            assert found.bbox_xyxy == pytest.approx(expected.bbox_xyxy, abs=0.5)
            assert found.score == pytest.approx(expected.score, abs=1e-3)
            assert found.looks == expected.looks
            assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-3)
            assert found.sure == expected.sure
            assert found.attention == pytest.approx(expected.attention, abs=1e-3)


@pytest.mark.parametrize("count", [1, 5])
def test_it_answers_as_the_checkpoint_does(pair, count):
    examples = [REPOSITORY / "examples" / name for name in ("cat.jpg", "astronaut.jpg")]
    assert_same_answers(pair, [*examples, *made_photos(count)])
    assert [pair[1].predict(path).class_name for path in examples] == ["cat", "person"]
    mirrored = [detector.predict(examples[0], flip=True).bbox_xyxy for detector in pair]
    assert mirrored[1] == pytest.approx(mirrored[0], abs=0.5)


def test_the_pyramid_head_is_exported_with_all_it_knows(tmp_path, monkeypatch):
    # One block a stage: how deep the network is does not matter to the head.
    monkeypatch.setattr(
        "model.network.backbone.resnet34", lambda weights: ResNet(BasicBlock, [1, 1, 1, 1])
    )
    torch.manual_seed(0)
    model = LargestObjectDetector(("ant", "bee", "cow"), 64).eval()
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):  # as if it had been trained: nothing is equal
            norm.running_mean.normal_(std=0.1)
    calibration = Calibration((0.5, 0.1, 0.2, 0.3), 0.1, 0.6)
    info = CheckpointInfo(model.class_names, 64, calibration=calibration)
    export_onnx(model, info, tmp_path / "pyramid.onnx")
    exported = load_detector(tmp_path / "pyramid.onnx")
    assert exported.threshold == 0.6
    assert_same_answers((in_float32(model, info), exported), made_photos(5))


def test_it_answers_as_the_checkpoint_does_on_photos_of_voc(pair, real_voc):
    files = sorted((real_voc / "JPEGImages").glob("*.jpg"))
    photos = files[:: len(files) // N_VOC_PHOTOS][:N_VOC_PHOTOS]
    assert len(photos) == N_VOC_PHOTOS
    distances = []
    for start in range(0, len(photos), 20):
        batch = photos[start : start + 20]
        answers = zip(*(detector.predict_batch(batch) for detector in pair), strict=True)
        for expected, found in answers:
            assert (found.class_name, found.looks) == (expected.class_name, expected.looks)
            assert found.score == pytest.approx(expected.score, abs=0.01)
            boxes = torch.tensor([found.bbox_xyxy, expected.bbox_xyxy])
            assert paired_iou(boxes[:1], boxes[1:]) > 0.97
            distances.append((boxes[0] - boxes[1]).abs().max())
    # A second look, whose window is cut out around the first box, makes more of a difference.
    assert np.quantile(distances, 0.95) < 0.5  # pixels of the photo


def test_all_that_travels_beside_the_weights_is_kept(pair):
    original, exported = pair
    assert exported.info == original.info
    assert exported.class_names == original.class_names


def test_weights_take_half_the_room_and_are_those_of_the_checkpoint(exported):
    assert exported.stat().st_size < 1.05 * DEFAULT_CHECKPOINT.stat().st_size
    weights = {w.name: w for w in onnx.load(exported).graph.initializer}
    halves = [w for w in weights.values() if w.data_type == onnx.TensorProto.FLOAT16]
    large = [w for w in weights.values() if np.prod(w.dims) >= 1024]
    assert len(halves) > 40
    assert all(w.data_type != onnx.TensorProto.FLOAT for w in large)
    onnx.checker.check_model(exported, full_check=True)


def test_weights_beyond_float16_and_small_ones_stay_float32():
    import onnx_ir
    import onnxruntime

    sides = {"huge": (1e6, 2048), "plain": (0.1, 2048), "small": (0.1, 4)}
    x, weights = onnx.helper.make_tensor_value_info("x", 1, [1]), []
    nodes, outputs = [], []
    for name, (number, count) in sides.items():
        weights.append(onnx.numpy_helper.from_array(np.full(count, number, np.float32), name))
        nodes.append(onnx.helper.make_node("Mul", ["x", name], [f"{name}_out"]))
        outputs.append(onnx.helper.make_tensor_value_info(f"{name}_out", 1, [count]))
    graph = onnx.helper.make_graph(nodes, "g", [x], outputs, weights)
    opset = [onnx.helper.make_opsetid("", 18)]
    model = onnx_ir.from_proto(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9))
    store_in_float16(model.graph)
    proto = onnx_ir.to_proto(model)
    assert {w.name for w in proto.graph.initializer} == {"huge", "plain_float16", "small"}
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    found = session.run(None, {"x": np.array([2.0], np.float32)})
    for values, (number, count) in zip(found, sides.values(), strict=True):
        assert values == pytest.approx(np.full(count, 2 * number), rel=1e-3)


def test_in_int8_it_is_the_same_detector(pair, exported, tmp_path, monkeypatch):
    """As scripts/benchmark.py makes it; with two photos to scale by instead of ten."""
    monkeypatch.syspath_prepend(REPOSITORY / "scripts")
    from speed.int8 import write_int8
    from speed.passes import difference

    plain, _ = pair
    files = [REPOSITORY / "examples" / name for name in ("astronaut.jpg", "cat.jpg")]
    photos = torch.stack([plain.preprocess(plain.load(file).image) for file in files])
    write_int8(exported, tmp_path / "int8.onnx", photos)
    assert (tmp_path / "int8.onnx").stat().st_size < 0.8 * exported.stat().st_size
    int8 = load_detector(tmp_path / "int8.onnx")
    assert int8.info == plain.info
    ways = {"float32": pair[1].model.forward, "int8": int8.model.forward}
    assert re.match("2 of 2 classes as in float32, boxes within", difference(ways, "int8", photos))


def test_heat_maps_are_refused_in_words(pair):
    photo = pair[1].load(REPOSITORY / "examples" / "cat.jpg")
    with pytest.raises(UserError, match="no gradients"):
        explain(pair[1], photo)


def test_without_onnxruntime_it_says_what_to_install(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="pip install onnxruntime"):
        load_detector(exported)


def test_without_the_exporters_packages_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match="pip install onnx onnxscript"):
        main(ExportConfig(out=tmp_path / "x.onnx"))
    with pytest.raises(UserError, match=r"end in \.onnx"):
        main(ExportConfig(out=tmp_path / "x.bin"))
    assert list(tmp_path.iterdir()) == []


def changed(exported: Path, out: Path, **metadata: str | None) -> Path:
    """A copy of the file whose metadata is different; ``None`` removes an entry."""
    model = onnx.load(exported)
    kept = {entry.key: entry.value for entry in model.metadata_props} | metadata
    onnx.helper.set_model_props(model, {k: v for k, v in kept.items() if v is not None})
    onnx.save(model, out)
    return out


def test_files_that_are_not_ours_are_refused_in_words(exported, tmp_path):
    broken = tmp_path / "broken.onnx"
    shutil.copyfile(DEFAULT_CHECKPOINT, broken)
    with pytest.raises(UserError, match="broken or is no ONNX file"):
        load_detector(broken)
    with pytest.raises(UserError, match="does not exist"):
        load_detector(tmp_path / "gone.onnx")
    with pytest.raises(UserError, match="not a checkpoint of this program"):
        load_detector(changed(exported, tmp_path / "foreign.onnx", format=None))
    described = asdict(load_detector().info) | {"image_size": 128}
    with pytest.raises(UserError, match="another network than it says"):
        load_detector(changed(exported, tmp_path / "other.onnx", info=json.dumps(described)))
