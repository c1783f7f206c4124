"""Which setting is named, how far it may go, and what is said."""

import dataclasses
import re

import numpy as np
import pytest
from test_audit_tally import NOTHING, random_split

from model.augment import AugmentConfig
from model.augment.presets import PRESETS
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.causes import Limits, Trials, slider_step, targets_of
from model.inspect.audit.measures import measure
from model.inspect.audit.tally import tally_of
from model.inspect.audit.verdict import LEVELS, verdict


@pytest.fixture(scope="module")
def table():
    return BoxTable.of(random_split(150), 288)


def config_of(**settings: object) -> AugmentConfig:
    return AugmentConfig(**NOTHING | settings)  # type: ignore[arg-type]


def found(table: BoxTable, config: AugmentConfig, limits: Limits = Limits()):  # noqa: B008
    trials = Trials(table, config, 0, limits)
    return verdict(tally_of(table, config, 0, 2), trials), trials


def keeps(table: BoxTable, config: AugmentConfig, limits: Limits) -> bool:
    draws = measure(targets_of(table), config, 0, 0)
    lost, iou = (draws.redraws > 0).mean(), np.median(draws.iou)
    return lost <= limits.lost and iou >= limits.iou


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"rotation_degrees": 45, "flip_probability": 0.5}, "rotation_degrees"),
        ({"zoom": 3, "rotation_degrees": 2}, "zoom"),
        ({"shear_degrees": 30, "rotation_degrees": 1, "hue": 0.1}, "shear_degrees"),
        ({"erase": 0.5, "zoom": 1.1, "min_visible": 0.0}, "erase"),
    ],
)
def test_the_setting_that_does_it_is_named(table, settings, name):
    findings, _ = found(table, config_of(box_rule="hull", **settings))
    assert findings[0].level != "fine"
    assert findings[0].setting == name


def test_the_worst_comes_first_and_nothing_is_said_twice(table):
    findings, _ = found(table, PRESETS[-1].config)
    weights = [finding.weight for finding in findings]
    assert weights == sorted(weights, reverse=True)
    assert len({finding.text for finding in findings}) == len(findings) >= 4
    assert all(f.level in LEVELS and f.remedy for f in findings)
    for finding in findings:
        assert (finding.level == "bad") == (finding.weight >= 1)
        assert not finding.text[0].islower()
        assert finding.text[-1] == "."


def test_no_share_stands_beside_the_same_of_a_sample(table):
    """The setting alone, in some of the draws, may lose more than all together in all of them."""
    findings, _ = found(table, config_of(zoom=3.0, rotation_degrees=2.0))
    (lost,) = (finding.text for finding in findings if "are drawn again" in finding.text)
    assert re.search(r"; zoom 3 does it \(without it [\d.]+ %\):", lost)


@pytest.mark.parametrize("settings", [{}, {"flip_probability": 0.5}, {"brightness": 0.4}])
def test_where_nothing_is_wrong_one_sentence_says_so(table, settings):
    (finding,), trials = found(table, config_of(min_visible=0.5, **settings))
    assert finding.level == "fine"
    assert finding.text.startswith("Nothing to fix: 0 % of the draws")
    assert trials.safe == trials.config


@pytest.mark.parametrize(
    "settings",
    [
        {"rotation_degrees": 40},
        {"zoom": 4.0},
        {"zoom": 2.5, "rotation_degrees": 40, "perspective": 0.4, "flip_probability": 0.5},
    ],
)
@pytest.mark.parametrize("limits", [Limits(), Limits(0.05, 0.7)])
def test_the_strongest_settings_keep_the_limits_and_one_step_more_does_not(table, settings, limits):
    config = config_of(**settings)
    assert not keeps(table, config, limits)
    trials = Trials(table, config, 0, limits)
    safe = trials.safe
    assert keeps(table, safe, limits)
    changed = [s for s in trials.settings if getattr(safe, s.name) != getattr(config, s.name)]
    assert changed
    assert all(getattr(safe, s.name) < getattr(config, s.name) for s in changed)
    assert safe.flip_probability == config.flip_probability  # it does no harm
    further = {s.name: getattr(safe, s.name) + slider_step(s.low, s.high) for s in changed}
    if len(changed) == 1:
        assert not keeps(table, dataclasses.replace(safe, **further), limits)


def test_a_setting_alone_and_left_out(table):
    config = config_of(zoom=2.5, rotation_degrees=40)
    causes = {c.setting.name: c for c in Trials(table, config, 0, Limits()).causes}
    assert set(causes) == {"zoom", "rotation_degrees"}
    zoom, rotation = causes["zoom"], causes["rotation_degrees"]
    assert zoom.alone.median("iou") == pytest.approx(1, abs=0.01)
    assert zoom.alone.lost == rotation.without.lost > 0
    assert rotation.alone.median("iou") == zoom.without.median("iou") < 0.8
    assert rotation.safe_alone < 40
    assert str(zoom) == "zoom 2.5"


def test_in_a_small_set_one_setting_alone_has_the_figures_of_the_whole_count():
    table, config = BoxTable.of(random_split(70), 288), config_of(zoom=1.8)
    whole = tally_of(targets_of(table), config, 0, 10).numbers("target")
    trials = Trials(table, config, 0, Limits(), 10)
    (zoom,) = trials.causes
    assert zoom.alone == whole
    draws = [measure(targets_of(table), trials.safe, 0, epoch) for epoch in range(10)]
    assert np.mean([draw.redraws > 0 for draw in draws]) <= Limits().lost
    assert Trials(table, config, 0, Limits(), 3).causes[0].alone.boxes == 3 * 70


def test_a_larger_canvas_is_advised_where_objects_are_small():
    split = random_split(200)
    tiny = split.frame.assign(
        width=4000, height=3000, objects='[["cat", 0, 0, 200, 200, 0], ["dog", 9, 9, 30, 30, 0]]'
    )
    table = BoxTable.of(dataclasses.replace(split, frame=tiny), 224)
    findings, _ = found(table, config_of())
    (small,) = (f for f in findings if "narrower" in f.text)
    assert small.level == "bad"
    assert small.remedy.startswith("--image-size 320 makes it")  # 200 px in 4,000 are 11.2 of 224
    assert small.setting == ""


def test_boxes_that_are_too_small_from_the_start_are_said_and_nothing_is_blamed():
    split = random_split(60)
    specks = split.frame.assign(width=4000, height=3000, objects='[["cat", 0, 0, 4, 200, 0]]')
    table = BoxTable.of(dataclasses.replace(split, frame=specks), 224)
    findings, trials = found(table, config_of())
    assert findings[0].level == "bad"
    assert findings[0].setting == ""
    assert trials.safe == trials.config
