"""model/augment/steps/: every step by itself, and that nobody else knows one by its name."""

import ast
import dataclasses
import inspect
import json
import random

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, step_of
from PIL import Image

from demo.tabs.augment import groups_of, setting_control
from demo.views.augment.state import AugmentState, in_addresses, surprise
from model.augment import AugmentConfig, Pipeline, make_plans, photo_seed
from model.augment.config import settings_of
from model.augment.geometry import move_boxes, visible_share
from model.augment.plan import MAX_DRAWS
from model.augment.presets import presets
from model.augment.steps import GROUPS, STEPS, GeometricStep, PixelStep
from model.augment.steps.base import Chosen, Code, Setting
from model.augment.streams import uniforms
from model.data.samples import PhotoLibrary
from model.inspect.captions import caption, sentence
from model.inspect.code import to_code
from model.inspect.variants import advice, extremes, make_variants, to_dict

SETTINGS = [(step, setting) for step in STEPS for setting in step.settings]
BOX = torch.tensor([[60.0, 40, 140, 100]])
NONE = vars(AugmentConfig.none()) | {"min_visible": 0}
STEP_IDS = [step.name for step in STEPS]


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 255, (150, 200, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def strong(*settings: Setting) -> AugmentConfig:
    return AugmentConfig(**NONE | {setting.name: setting.strong for setting in settings})


def test_names_are_unique_and_groups_stand_together():
    assert len({step.name for step in STEPS}) == len(STEPS)
    assert len({setting.name for _, setting in SETTINGS}) == len(SETTINGS)
    places = [GROUPS.index(step.group) for step in STEPS]
    assert places == sorted(places)


@pytest.mark.parametrize(("step", "setting"), SETTINGS, ids=lambda x: x.name)
def test_settings_make_sense(step, setting):
    assert setting.low < setting.high
    for value in (
        setting.default,
        setting.off,
        setting.mild,
        setting.strong,
        *setting.surprise_range,
    ):
        assert setting.low <= value <= setting.high
    assert setting.strong != setting.off
    assert setting.label
    assert setting.help
    assert step.is_on(strong(setting))
    assert not step.is_on(AugmentConfig.none())


@pytest.mark.parametrize("step", STEPS, ids=STEP_IDS)
def test_a_step_that_is_idle_changes_and_says_nothing(step, photo):
    params = step.idle(photo.size)
    json.dumps(params)
    assert [*step.words(params, photo.size), *step.spoken(params, photo.size)] == []
    if isinstance(step, GeometricStep):
        assert np.allclose(step.matrix(params, photo.size), np.eye(3))
    else:
        assert np.array_equal(step.apply(photo, params, (1, 1)), photo)
        assert not step.hidden(params, np.array([[0, 0, 1, 1]])).any()
    pipeline = Pipeline(strong(*step.settings), 64)
    plan = pipeline.chosen_plan(photo.size, {step.name: params})
    idle = pipeline.trace(photo, BOX, plan=plan)
    none = Pipeline(AugmentConfig.none(), 64)(photo, BOX)
    assert torch.equal(idle.network, none.image)
    assert caption(idle) == "unchanged"


@pytest.mark.parametrize("step", STEPS, ids=STEP_IDS)
def test_every_limit_changes_the_picture_and_is_said(step, photo):
    config = strong(*step.settings)
    plain = Pipeline(AugmentConfig.none(), 64)(photo, BOX).image
    row = extremes(config, photo, BOX[0].tolist(), 64)
    assert {extreme.setting for extreme in row} == {setting.name for setting in step.settings}
    assert len({extreme.caption for extreme in row}) == len(row)
    for extreme in row:
        assert not torch.equal(extreme.trace.network, plain)
        assert caption(extreme.trace) != "unchanged"
        assert sentence(extreme)


@pytest.mark.parametrize("step", STEPS, ids=STEP_IDS)
def test_what_is_drawn_stays_within_the_limits(step, photo):
    """No number that is drawn goes beyond what the row of limits shows."""
    config = strong(*step.settings)
    size = np.repeat(np.array([[200.0, 150]]), 500, axis=0)
    drawn = step.draw(config, np.random.default_rng(0).random((500, step.draws)), size)
    limits = [chosen.params for chosen in step.limits(config, (200, 150), tuple(BOX[0].tolist()))]
    for name, values in drawn.items():
        numbers = np.asarray(values, float)
        if name in ("pattern", "patches", "left", "top"):
            continue  # where and which, which no limit stands for
        shown = [
            np.min([limit[name] for limit in limits]),
            np.max([limit[name] for limit in limits]),
        ]
        idle = np.asarray(step.idle((200, 150))[name], float)
        assert numbers.min() >= min(shown[0], idle.min()) - 1e-9
        assert numbers.max() <= max(shown[1], idle.max()) + 1e-9


def drawn_by(config: AugmentConfig, seed: int = 5, size=(200, 150)) -> dict:
    return Pipeline(config, 64).plan(size, BOX, seed).params


EVERYTHING = {setting.name: setting.strong for _, setting in SETTINGS} | {"min_visible": 0}


@pytest.mark.parametrize("changed", SETTINGS, ids=lambda pair: pair[1].name)
def test_changing_one_setting_changes_no_other_steps_draw(changed):
    """For every pair, at other values and at off."""
    step, setting = changed
    before = drawn_by(AugmentConfig(**EVERYTHING))
    half = (setting.strong + setting.off) / 2
    for value in (setting.off, half):
        after = drawn_by(AugmentConfig(**EVERYTHING | {setting.name: value}))
        for other in STEPS:
            if other is not step:
                assert after[other.name] == before[other.name], (setting.name, other.name)
        for sibling in step.settings:  # of one step, as brightness and hue are
            if sibling is not setting and f"{sibling.name}_factor" in before[step.name]:
                name = f"{sibling.name}_factor"
                assert after.get(step.name, before[step.name])[name] == before[step.name][name]


@pytest.mark.parametrize("seed", range(5))
def test_twice_the_strength_is_twice_the_change(seed):
    def of(strength: float) -> dict:
        return drawn_by(
            AugmentConfig(**NONE | {
                "rotation_degrees": 10 * strength, "shear_degrees": 5 * strength,
                "perspective": 0.1 * strength, "brightness": 0.2 * strength, "hue": 0.1 * strength,
                "blur": strength, "noise": 0.1 * strength, "jpeg_loss": 20 * strength,
            }), seed,
        )  # fmt: skip

    one, two = of(1), of(2)
    assert two["rotation"]["angle"] == pytest.approx(2 * one["rotation"]["angle"])
    assert two["shear"]["lean"] == pytest.approx(2 * one["shear"]["lean"])
    assert np.allclose(two["perspective"]["corners"], 2 * np.array(one["perspective"]["corners"]))
    bright = [drawn["jitter"]["brightness_factor"] - 1 for drawn in (one, two)]
    assert bright[1] == pytest.approx(2 * bright[0])
    assert two["jitter"]["hue_factor"] == pytest.approx(2 * one["jitter"]["hue_factor"])
    assert two["blur"]["sigma"] == pytest.approx(2 * one["blur"]["sigma"])
    assert two["noise"]["pattern"] == one["noise"]["pattern"]
    assert 100 - two["jpeg"]["quality"] == pytest.approx(2 * (100 - one["jpeg"]["quality"]), abs=1)


def test_streams_are_uniform_and_unlike_each_other():
    seeds = np.array([photo_seed(3, epoch, f"{n}.jpg") for epoch in range(20) for n in range(100)],
                     np.uint64)  # fmt: skip
    streams = [uniforms(seeds, step.name, 4, draw).ravel() for step in STEPS for draw in range(2)]
    for numbers in streams:
        assert 0 <= numbers.min() < 0.01
        assert 0.99 < numbers.max() < 1
        assert numbers.mean() == pytest.approx(0.5, abs=0.02)
        assert np.histogram(numbers, 10, (0, 1))[0].std() < 60
    together = np.corrcoef(streams)
    assert np.abs(together - np.eye(len(streams))).max() < 0.06


def test_many_photos_at_once_are_as_one_by_one():
    config = AugmentConfig(**EVERYTHING | {"min_visible": 0.7})
    rng = np.random.default_rng(0)
    sizes = rng.integers(80, 360, (60, 2)).astype(float)
    corner = rng.random((60, 2)) * sizes * 0.6
    targets = np.concatenate([corner, corner + sizes * 0.3], axis=1)
    seeds = [photo_seed(1, 0, f"{n}.jpg") for n in range(60)]
    plans = make_plans(config, sizes, targets, seeds)
    assert 0 < plans.redraws.astype(bool).sum() < 60
    for index in range(60):
        size = int(sizes[index, 0]), int(sizes[index, 1])
        box = torch.tensor(targets[index : index + 1])
        alone = Pipeline(config, 64).plan(size, box, seeds[index])
        one = plans.one(index)
        assert alone.params == one.params
        assert np.array_equal(alone.matrices, one.matrices)
        assert (alone.redraws, alone.gave_up) == (one.redraws, one.gave_up)
        assert plans.gave_up[index] == (plans.redraws[index] == MAX_DRAWS)
        moved = move_boxes(targets[index], one.matrices[-1], config.box_rule)
        assert plans.gave_up[index] or visible_share(moved, one.sizes[-1]) >= 0.7 - 1e-6


def test_a_lost_box_is_drawn_again_in_place_and_keeps_its_colours():
    """Colours are not drawn again: they would not be those of a run that loses no box."""
    config = AugmentConfig(rotation_degrees=40, zoom=1, min_visible=0.9, hue=0.3)
    corner = torch.tensor([[0.0, 0, 20, 15]])
    again = 0
    for seed in range(30):
        plan = Pipeline(config).plan((200, 150), corner, seed)
        calm = Pipeline(dataclasses.replace(config, min_visible=0)).plan((200, 150), corner, seed)
        again += plan.redraws > 0
        assert plan.params["jitter"] == calm.params["jitter"]
    assert again > 3


def test_erased_patches_lower_what_is_visible_and_leave_the_box(photo):
    pipeline = Pipeline(AugmentConfig(**NONE | {"erase": 0.3}), 64)
    half = [[0.3, 0.0, 0.5, 1.0], [0.3, 0.0, 0.4, 0.5], [0.0, 0.0, 0.0, 0.0]]  # one in the other
    plan = pipeline.chosen_plan(photo.size, {"erase": {"patches": half}})
    trace = pipeline.trace(photo, BOX, plan=plan)
    for step in trace.steps[-3:]:
        assert step.visible == pytest.approx(0.5, abs=1e-6)  # the box is .3 to .7 wide
    assert trace.steps[-3].bbox_xyxy.tolist() == BOX[0].tolist()
    seen = [pipeline(photo, BOX, seed) for seed in range(20)]
    assert len({float(sample.visible[0]) for sample in seen}) > 5
    assert all(torch.equal(s.bbox_xyxy, seen[0].bbox_xyxy) and not s.redraws for s in seen)


@pytest.mark.parametrize(
    "step", [s for s in STEPS if isinstance(s, PixelStep)], ids=lambda s: s.name
)
def test_pictures_before_the_canvas_show_what_the_canvas_will(step, photo):
    """The same change at another size: squeezed, they are alike."""
    smooth = photo.resize((20, 15)).resize((200, 150), Image.Resampling.BICUBIC)
    trace = Pipeline(strong(*step.settings), 64).trace(smooth, BOX, seed=3)
    larger, canvas = trace.steps[-3].image, trace.steps[-1].image
    assert larger.size == (200, 150)
    squeezed = np.asarray(larger.resize((64, 64), Image.Resampling.BOX), float)
    # Averaging takes some of the grain away; the rest is far nearer than the unchanged picture.
    assert np.abs(squeezed - np.asarray(canvas, float)).mean() < 15


# A step of someone's own.


class Tint(PixelStep):
    name, title, group, draws = "tint", "tint", "colour", 1
    settings = (
        Setting(
            "tint_strength", "Tint", "made redder by up to so many levels",
            low=0, high=90, default=0, off=0, mild=3, strong=80, surprise_range=(10, 40),
        ),
    )  # fmt: skip

    def draw(self, config, uniform, sizes):
        return {"red": config.tint_strength * uniform[:, 0]}

    def idle(self, size):
        return {"red": 0.0}

    def apply(self, photo, params, scale):
        red, green, blue = photo.split()
        return Image.merge("RGB", (red.point(lambda v: v + round(params["red"])), green, blue))

    def words(self, params, size):
        if params["red"]:
            yield f"redder by {params['red']:.0f}"

    def limits(self, config, size, box):
        yield Chosen("tint_strength", "reddest", {"red": float(config.tint_strength)})

    def advice(self, config, size, box):
        if config.tint_strength > 70:
            yield "Everything would look like Mars."

    def code(self, config):
        return Code("Tint()", "class Tint(v2.Transform):\n    pass\n")


class TintedConfig(settings_of((*STEPS, Tint())), AugmentConfig):
    pass


@dataclasses.dataclass(frozen=True)
class TintedState(in_addresses(TintedConfig), AugmentState):
    pass


def test_a_new_step_is_everywhere_by_itself(photo):
    config = TintedConfig(**NONE | {"tint_strength": 80})
    assert TintedConfig.from_json(config.to_json()) == config
    assert json.loads(config.to_json())["tint_strength"] == 80
    with pytest.raises(Exception, match="tint_strength must be a number from 0 to 90"):
        TintedConfig(tint_strength=91)
    variants = make_variants(photo, BOX[0].tolist(), config, 64, seed=3, count=2)
    red = step_of(variants[0], "tint").params["red"]
    assert caption(variants[0].trace) == f"redder by {red:.0f}"
    assert sentence(variants[0]).startswith(f"Redder by {red:.0f}: ")
    assert [s["name"] for s in to_dict(variants[0])["steps"]] == [
        "original", "tint", "resize", "network",
    ]  # fmt: skip
    sample = Pipeline(config, 64)(photo, BOX, variants[0].seed)
    assert torch.equal(sample.image, variants[0].trace.network)
    assert [e.caption for e in extremes(config, photo, BOX[0].tolist(), 64)] == ["reddest"]
    assert advice(config, variants) == ["Everything would look like Mars."]
    code = to_code(config, 64)
    assert "class Tint" in code
    assert "    Tint(),\n" in code
    assert [p.config.tint_strength for p in presets(TintedConfig)] == [0, 3, 0, 80]
    assert "tint_strength" in surprise(random.Random(0), TintedConfig)


def test_a_new_step_is_on_the_page_by_itself():
    colour = groups_of(TintedConfig())[1]
    assert colour.folded == ["grey_probability", "tint_strength"]
    assert colour.line == "Colour: grey, tint"
    assert groups_of(TintedConfig(tint_strength=5))[1].shown[-1] == "tint_strength"
    field = next(f for f in dataclasses.fields(TintedConfig) if f.name == "tint_strength")
    slider = setting_control(field, 7)
    assert (slider.minimum, slider.maximum, slider.value) == (0, 90, 7)
    assert (slider.label, slider.elem_id) == ("Tint", "augment-tint_strength")
    defaults = TintedState()
    asked = defaults.from_query({"tint_strength": "33"}, PhotoLibrary(None))
    assert asked.config.tint_strength == 33
    assert "tint_strength=33" in asked.to_query(defaults)
    assert defaults.from_query({"tint_strength": "91"}, PhotoLibrary(None)) == defaults


def names_in(path) -> set[str]:
    """What a module calls by name: attributes, keywords, variables and whole texts."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        found.update(
            v for f in ("attr", "arg", "id") if isinstance(v := getattr(node, f, None), str)
        )
    return found


def test_nobody_else_knows_a_step_or_a_setting_by_its_name():
    known = {setting.name for _, setting in SETTINGS} | {step.name for step in STEPS}
    steps_own = REPOSITORY / "model" / "augment" / "steps"
    knowing = {}
    for path in (p for folder in ("model", "demo") for p in (REPOSITORY / folder).rglob("*.py")):
        if steps_own not in path.parents and (named := names_in(path) & known):
            knowing[path.relative_to(REPOSITORY).as_posix()] = named
    # Prediction has a --flip of its own, drawn boxes have a hue; the rest are Pillow's and
    # matplotlib's words.
    prediction = (
        "model/commands/evaluate.py", "model/commands/predict.py", "model/evaluation/report.py",
        "model/evaluation/predict_dataset.py", "model/inference.py", "model/predictions.py",
    )  # fmt: skip
    other = {**{path: {"flip"} for path in prediction}, "model/draw.py": {"hue"}}
    other |= {"model/data/images.py": {"grey"}, "model/evaluation/plots.py": {"grey", "rotation"}}
    assert {path: names - other.get(path, set()) for path, names in knowing.items()
            if names - other.get(path, set())} == {}  # fmt: skip


def test_the_wing_of_steps_is_one_file_a_step():
    files = {inspect.getfile(type(step)) for step in STEPS}
    assert len(files) == len(STEPS)


def test_patches_over_many_boxes_hide_what_they_hide_of_each_alone():
    """Against a fine grid of points."""
    rng = np.random.default_rng(4)
    corners = rng.random((20, 4, 2, 2))  # one box and three patches for each of 20
    low, high = corners.min(axis=2), corners.max(axis=2)
    boxes, patches = np.split(np.concatenate([low, high], axis=-1), [1], axis=1)
    erase = next(step for step in STEPS if step.name == "erase")
    together = erase.hidden({"patches": patches}, boxes[:, 0])
    points = (np.stack(np.meshgrid(*[np.arange(400)] * 2), axis=-1).reshape(-1, 2) + 0.5) / 400
    for box, own, share in zip(boxes[:, 0], patches, together, strict=True):
        assert erase.hidden({"patches": own.tolist()}, box[None])[0] == pytest.approx(share)
        inside = ((points > box[:2]) & (points < box[2:])).all(axis=1)
        under = ((points[:, None] > own[:, :2]) & (points[:, None] < own[:, 2:])).all(-1).any(-1)
        assert share == pytest.approx((inside & under).sum() / inside.sum(), abs=0.03)
