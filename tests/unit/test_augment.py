import dataclasses
import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model.augment import IMAGENET_MEAN, IMAGENET_STD, AugmentConfig, Pipeline
from model.errors import UserError

BBOX = torch.tensor([[60.0, 40, 140, 100]])
ONLY = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}


def step(trace, name):
    return next(step for step in trace.steps if step.name == name)


def photo(width=200, height=150, bbox=(60, 40, 140, 100)) -> Image.Image:
    """White rectangle on black: where it is after a transform can be read off the pixels."""
    image = Image.new("RGB", (width, height))
    image.paste((255, 255, 255), bbox)
    return image


def extent_of_white(image: Image.Image) -> list[float]:
    white = np.asarray(image.convert("L")) > 200  # the fill colour of the corners is darker
    ys, xs = np.nonzero(white)
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


BAD_SETTINGS = [
    ({"flip_probability": 1.5}, "flip_probability must be a number from 0 to 1"),
    ({"rotation_degrees": -1}, "rotation_degrees"),
    ({"rotation_degrees": math.nan}, "rotation_degrees"),
    ({"hue": 0.6}, "from 0 to 0.5"),
    ({"brightness": "much"}, "'much'"),
    ({"contrast": None}, "contrast"),
    ({"saturation": True}, "saturation"),
    ({"zoom": 0.5}, "zoom must be a number from 1 to 4"),
    ({"box_rule": "tight"}, "hull, ellipse"),
    ({"sharpness": 1}, "unknown augmentation setting 'sharpness'"),
]


@pytest.mark.parametrize(("values", "says"), BAD_SETTINGS)
def test_bad_settings_name_the_field_and_the_range(values, says):
    with pytest.raises(UserError, match=says):
        AugmentConfig.from_json(json.dumps(values))


@pytest.mark.parametrize(("text", "says"), [("{", "not JSON"), ("[1]", "must be a JSON object")])
def test_bad_json(text, says):
    with pytest.raises(UserError, match=says):
        AugmentConfig.from_json(text)


def test_json_round_trip_and_files(tmp_path):
    config = AugmentConfig(rotation_degrees=12.5, box_rule="ellipse", hue=0.1)
    assert AugmentConfig.from_json(config.to_json()) == config
    (tmp_path / "augment.json").write_text(config.to_json())
    assert AugmentConfig.from_file(tmp_path / "augment.json") == config
    assert AugmentConfig.from_json("{}") == AugmentConfig()
    with pytest.raises(UserError, match="cannot read"):
        AugmentConfig.from_file(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"hue": 3}')
    with pytest.raises(UserError, match=r"bad\.json: hue"):
        AugmentConfig.from_file(tmp_path / "bad.json")


def test_every_setting_explains_itself():
    for item in dataclasses.fields(AugmentConfig):
        assert item.metadata["help"]
        assert "choices" in item.metadata or item.metadata["low"] < item.metadata["high"]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**62),
    degrees=st.floats(0, 45),
    zoom=st.floats(1, 2),
    flip=st.sampled_from([0, 1]),
)
def test_the_box_follows_the_pixels(seed, degrees, zoom, flip):
    config = AugmentConfig(
        flip_probability=flip,
        rotation_degrees=degrees,
        box_rule="hull",
        zoom=zoom,
        min_visible=0.2,
        **ONLY,
    )
    for step in Pipeline(config, 224).trace(photo(), BBOX, seed).steps[:-1]:
        found = torch.tensor(extent_of_white(step.image), dtype=torch.float32)
        # One pixel of interpolation, more where the canvas enlarges the picture.
        tolerance = 2.5 if step.name != "resize" else 5.5
        off = found - step.bbox_xyxy
        # A turned box whose corner is cut off may end before the hull of it does, never after.
        beyond = torch.cat([-off[:2], off[2:]])
        assert (off.abs() if step.visible > 0.999 else beyond).max() <= tolerance, step


def test_a_turned_box_needs_all_four_corners():
    config = AugmentConfig(flip_probability=0, rotation_degrees=30, zoom=1, box_rule="hull", **ONLY)
    for seed in range(20):
        rotation = step(Pipeline(config).trace(photo(), BBOX, seed), "rotation")
        if abs(rotation.params["angle"]) > 10:
            width = float(rotation.bbox_xyxy[2] - rotation.bbox_xyxy[0])
            height = float(rotation.bbox_xyxy[3] - rotation.bbox_xyxy[1])
            angle = math.radians(abs(rotation.params["angle"]))
            assert width == pytest.approx(80 * math.cos(angle) + 60 * math.sin(angle), abs=0.01)
            assert height == pytest.approx(80 * math.sin(angle) + 60 * math.cos(angle), abs=0.01)
            return
    pytest.fail("no seed drew a large angle")


def test_flip_mirrors_exactly():
    config = AugmentConfig(flip_probability=1, rotation_degrees=0, zoom=1, **ONLY)
    flip = Pipeline(config).trace(photo(), torch.tensor([[60.25, 40, 140.5, 100]])).steps[1]
    assert flip.bbox_xyxy.tolist() == [59.5, 40, 139.75, 100]  # fractions survive


def test_no_augmentation_is_resize_and_normalisation():
    sample = Pipeline(AugmentConfig.none(), 64)(photo(), BBOX, seed=3)
    expected = photo().resize((64, 64), Image.Resampling.BILINEAR)
    values = torch.tensor(np.asarray(expected) / 255.0).permute(2, 0, 1).float()
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    torch.testing.assert_close(sample.image, (values - mean) / std)
    torch.testing.assert_close(
        sample.bbox_xyxy, BBOX * torch.tensor([64 / 200, 64 / 150, 64 / 200, 64 / 150])
    )
    assert sample.image.dtype == sample.bbox_xyxy.dtype == torch.float32


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**62))
def test_training_and_trace_are_one_implementation(seed):
    pipeline = Pipeline(AugmentConfig(rotation_degrees=20, hue=0.1), 96)
    sample, trace = pipeline(photo(), BBOX, seed), pipeline.trace(photo(), BBOX, seed)
    assert torch.equal(sample.image, trace.network)
    assert torch.equal(sample.bbox_xyxy[0], trace.steps[-1].bbox_xyxy)
    assert float(sample.visible[0]) == trace.steps[-1].visible
    assert torch.equal(pipeline.normalise(trace.steps[-1].image), sample.image)


def test_same_seed_same_answer_whatever_the_global_state_or_threads():
    pipeline = Pipeline(AugmentConfig(rotation_degrees=20), 64)
    torch.manual_seed(1)
    expected = {seed: pipeline(photo(), BBOX, seed).image for seed in range(16)}
    torch.manual_seed(2)
    state = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda seed: pipeline(photo(), BBOX, seed).image, range(16)))
    assert all(torch.equal(expected[seed], image) for seed, image in enumerate(again))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(expected[0], expected[1])


def test_trace_names_and_drawn_parameters():
    config = AugmentConfig(rotation_degrees=10, brightness=0.3)
    trace = Pipeline(config, 64).trace(photo(), BBOX, 5).steps
    assert [step.name for step in trace] == [
        "original", "flip", "rotation", "zoom", "jitter", "resize", "network",
    ]  # fmt: skip
    json.dumps([step.params for step in trace])  # plain numbers
    assert abs(trace[2].params["angle"]) <= 10
    assert 0.7 <= trace[4].params["brightness_factor"] <= 1.3


def test_hull_ellipse_iou_is_that_of_the_drawn_angle():
    config = AugmentConfig(rotation_degrees=180, zoom=1, min_visible=0)
    square = torch.tensor([[70.0, 50, 120, 100]])
    for seed in range(10):
        trace = Pipeline(config).trace(photo(), square, seed).steps
        angle = math.radians(trace[2].params["angle"])
        side = abs(math.cos(angle)) + abs(math.sin(angle))
        assert trace[1].hull_ellipse_iou == 1
        assert (
            trace[2].hull_ellipse_iou
            == trace[-1].hull_ellipse_iou
            == pytest.approx(1 / side**2, rel=1e-3)
        )


def test_visible_share_of_a_cut_box():
    config = AugmentConfig(flip_probability=0, rotation_degrees=0, zoom=2, min_visible=0, **ONLY)
    whole = torch.tensor([[0.0, 0, 200, 150]])
    for seed in range(10):
        zoom = step(Pipeline(config).trace(photo(), whole, seed), "zoom")
        share = min(zoom.params["width"] / 200, 1) * min(zoom.params["height"] / 150, 1)
        assert zoom.visible == pytest.approx(share, rel=1e-4)


def test_zoom_is_as_likely_in_as_out():
    """Crops alone enlarge every object, and the network learns boxes that are too large."""
    pipeline = Pipeline(AugmentConfig(rotation_degrees=0, zoom=1.5, min_visible=0, **ONLY))
    sizes = []
    for seed in range(400):
        middle = torch.tensor([[450.0, 450, 550, 550]])  # never lost, so nothing is drawn again
        params = pipeline.plan((1000, 1000), middle, seed).params["zoom"]
        sizes.append([math.log(params["width"] / 1000), math.log(params["height"] / 1000)])
    sizes = np.array(sizes)
    assert abs(sizes.mean()) < 0.03
    assert sizes.max() == pytest.approx(math.log(1.5), abs=0.01)
    assert sizes.min() == pytest.approx(-math.log(1.5), abs=0.01)


def test_zooming_out_fills_with_the_mean_colour():
    config = AugmentConfig(flip_probability=0, rotation_degrees=0, zoom=3, min_visible=0, **ONLY)
    for seed in range(30):
        zoom = step(Pipeline(config).trace(photo(), BBOX, seed), "zoom")
        if zoom.params["left"] < -2:
            assert zoom.image.getpixel((0, zoom.image.height // 2)) == (124, 116, 104)
            return
    pytest.fail("no seed zoomed out")


def test_a_lost_box_is_drawn_again_and_counted():
    corner = torch.tensor([[0.0, 0, 20, 15]])
    config = AugmentConfig(rotation_degrees=40, zoom=1, min_visible=0.9, **ONLY)
    samples = [Pipeline(config)(photo(), corner, seed) for seed in range(30)]
    assert any(sample.redraws > 0 and not sample.gave_up for sample in samples)
    assert all(sample.gave_up or sample.visible[0] >= 0.9 - 1e-6 for sample in samples)


def test_a_hopeless_box_falls_back_to_no_geometry():
    whole = torch.tensor([[0.0, 0, 200, 150]])
    # A hull of the whole picture always leaves it, however small the angle.
    config = AugmentConfig(
        flip_probability=1, rotation_degrees=180, zoom=1, min_visible=1, box_rule="hull", **ONLY
    )
    sample = Pipeline(config, 100)(photo(), whole, seed=0)
    assert sample.gave_up
    assert sample.redraws == 10
    assert sample.bbox_xyxy.tolist() == [[0, 0, 100, 100]]
    kept = Pipeline(AugmentConfig.none(), 100)(photo(), whole)
    assert torch.equal(sample.image, kept.image)


def test_other_boxes_follow_too_and_may_vanish():
    boxes = torch.tensor([[60.0, 40, 140, 100], [0, 0, 3, 3]])
    config = AugmentConfig(
        flip_probability=0, rotation_degrees=0, zoom=1.6, min_visible=0.99, **ONLY
    )
    samples = [Pipeline(config)(photo(), boxes, seed) for seed in range(20)]
    assert all(sample.visible[0] >= 0.99 or sample.gave_up for sample in samples)
    assert any(sample.visible[1] == 0 for sample in samples)
    assert any(sample.visible[1] == 1 for sample in samples)


@pytest.mark.parametrize("shape", [(0, 4), (4,), (1, 5)])
def test_boxes_of_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"\(N >= 1, 4\)"):
        Pipeline(AugmentConfig())(photo(), torch.zeros(shape))


def test_replaying_what_was_drawn_gives_the_same_trace():
    pipeline = Pipeline(AugmentConfig(rotation_degrees=20, hue=0.1), 96)
    for seed in range(5):
        drawn = pipeline.plan((200, 150), BBOX, seed).params
        plan = pipeline.chosen_plan((200, 150), drawn)
        again = pipeline.trace(photo(), BBOX, plan=plan)
        assert torch.equal(pipeline(photo(), BBOX, plan=plan).image, again.network)
        expected = pipeline.trace(photo(), BBOX, seed)
        assert torch.equal(again.network, expected.network)
        for a, b in zip(again.steps, expected.steps, strict=True):
            assert torch.equal(a.bbox_xyxy, b.bbox_xyxy)
            assert (a.name, a.params, a.visible) == (b.name, b.params, b.visible)


def test_steps_that_are_not_chosen_do_nothing():
    pipeline = Pipeline(AugmentConfig(), 96)
    idle = pipeline.chosen_plan((200, 150), {})
    steps = pipeline.trace(photo(), BBOX, plan=idle).steps
    assert all(np.array_equal(step.image, photo()) for step in steps[:-2])
    for use in (pipeline, pipeline.trace):
        with pytest.raises(ValueError, match=r"\(N >= 1, 4\)"):
            use(photo(), torch.zeros(4), plan=idle)


def test_a_plan_that_loses_its_target_is_not_kept():
    pipeline = Pipeline(AugmentConfig(min_visible=0.5), 96)
    left = {"left": -140, "top": 0, "width": 60, "height": 150}
    for chosen, is_kept in (({"zoom": left}, False), ({}, True)):
        plan = pipeline.chosen_plan((200, 150), chosen)
        assert pipeline.keeps(plan, BBOX) == is_kept
