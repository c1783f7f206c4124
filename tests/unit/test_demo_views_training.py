"""Curves, settings and scores of the Training tab, without a browser."""

import re

import pytest

from demo.views import training
from demo.views.curves import Curve, line_chart, value_ticks
from model.checkpoint import CheckpointInfo
from model.errors import UserError


def test_training_shows_curves_and_scores(backend):
    view = training.show(backend, backend.checkpoint)
    for title in training.CHARTS:
        assert f'aria-label="{title}, by epoch"' in view.charts
    assert "joint" in view.results
    assert "majority baseline" in view.results
    assert "Score: calibration error (ECE) 0." in view.results
    assert view.matrix.count("<tr>") == 21
    assert view.model_card.startswith("# Model card")
    with pytest.raises(UserError, match="there is no checkpoint"):
        training.show(backend, "nope")


def test_the_validated_run_is_beside_the_one_of_the_weights():
    own = [{"epoch": 1, "l1_px": 20.0}, {"epoch": 2, "l1_px": 10.0}]
    other = [{"epoch": 1, "l1_px": 30.0}, {"epoch": 2, "l1_px": 25.0, "val_l1_px_224": 26.0}]
    info = CheckpointInfo(history=own, config={"train_split": "trainval", "epochs": 2})
    report = {"history": other, "config": {"train_split": "train", "epochs": 3}}
    runs = training.runs_of(info, report)
    wanted = training.CHARTS[training.L1]
    shown = {c.label: (len(c.points), c.dashed) for c in training.curves(runs, wanted) if c.points}
    assert shown == {
        "in training, run on train": (2, False), "on val, run on train": (1, False),
        "in training, these weights, on trainval": (2, True),
    }  # fmt: skip
    html = training.settings(runs)
    assert "<td>3</td><td>2</td>" in html
    # A run that has its own validation split needs no other.
    alone = training.runs_of(info, {"history": own})
    assert [run.name for run in alone] == [""]
    assert [c.label for c in training.curves(alone, wanted) if c.points] == ["in training"]


def test_a_run_that_went_on_from_another_has_curves_of_its_own():
    history = [
        {"run": "first", "epoch": 1, "loss": 9.0}, {"run": "first", "epoch": 2, "loss": 8.0},
        {"epoch": 1, "loss": 5.0},
    ]  # fmt: skip
    run = training.RunShown("run on train", {"out": "second"}, history)
    parts = training.parts_of(run)
    earlier, own = training.curves(parts, {"loss": "training loss"})
    assert (earlier.points, earlier.dashed) == ([(1, 9.0), (2, 8.0)], True)
    assert (own.points, own.dashed) == ([(3, 5.0)], False)
    assert earlier.label == "training loss, run on train, earlier run"
    assert own.label == "training loss, run on train, this run"
    assert "may have learned from other photos" in training.went_on(parts)
    alone = training.RunShown("", {}, history[:2])
    assert training.parts_of(alone) == [alone]
    assert training.went_on([alone]) == ""
    odd = [{"epoch": 1}, {"run": ["<b>"], "loss": 2.0}]
    names = [part.name for part in training.parts_of(training.RunShown("", {}, odd))]
    assert names == ["earlier run", "this run"], "the name of a folder tells a visitor nothing"


def test_a_run_from_the_shipped_weights_is_told_from_theirs():
    history = [{"run": "ship2", "loss": 105.0}, {"epoch": 1, "loss": 60.0, "val_joint": 0.9}]
    own = training.RunShown("", {"start_from": "shipped", "out": "ship2"}, history)
    shipped, mine = training.curves(training.parts_of(own), {"loss": "training loss"})
    assert (shipped.label, mine.label) == (
        "training loss, shipped weights",
        "training loss, this run",
    )
    assert len(shipped.points) == len(mine.points) == 1
    assert shipped.colour == mine.colour


def test_the_commands_name_the_folder_of_the_own_data():
    report = {"checkpoint": "best.safetensors", "split": "val", "config": {"data": "cells, more"}}
    train, evaluate = training.commands(report).splitlines()
    assert train == "python train.py --data cells --data more --out runs/mine"
    assert evaluate.endswith("best.safetensors --data cells --data more --split val")
    report["config"] = {"data": "VOCdevkit"}
    assert "train.py --data data --out" in training.commands(report)


def test_settings_that_were_not_given_are_no_flags():
    config = {"epochs": 3, "mosaics": 0.0, "start_from": ""}
    report = {"checkpoint": "last.safetensors", "split": "val", "config": config}
    first = training.commands(report).splitlines()[0]
    assert first.endswith("--epochs 3 --mosaics 0.0")
    html = training.settings([training.RunShown("", config, [])])
    assert "start from" not in html
    assert "<td>0.0</td>" in html


def test_weights_of_an_earlier_run_are_called_so():
    config = {"start_from": "last.safetensors"}
    report = {"checkpoint": "last.safetensors", "split": "val", "config": config}
    first = training.commands(report).splitlines()[0]
    assert first.endswith("--start-from runs/first/last.safetensors")
    assert "<td>an earlier run</td>" in training.settings([training.RunShown("", config, [])])


def test_a_chart_names_its_curves_and_whole_epochs():
    html = line_chart("L1 <px>", [
        Curve("in training", [(1, 30.0), (2, 20.5), (3, 12.25)]), Curve("on val", [(3, 16.9)], 1),
        Curve("nothing", []),
    ])  # fmt: skip
    assert "L1 &lt;px&gt;, by epoch" in html
    assert "in training: 12.2 after epoch 3" in html
    assert "on val: 16.9 after epoch 3" in html
    assert html.count('r="3"') == 1  # the curve of one point, which no line shows
    assert "nothing" not in html
    assert re.findall(r'text-anchor="middle">([^<]+)<', html) == ["1", "2", "3", "epoch"]
    assert line_chart("empty", []) == ""


@pytest.mark.parametrize(
    "values", [[0.0], [5.0, 5.0], [0.11, 0.97], [-3.0, 4e5], [1e-7, 2e-7], [164.2, 49.8]]
)
def test_the_ticks_of_a_chart_enclose_its_values(values):
    ticks = value_ticks(values)
    assert ticks[0] <= min(values)
    assert ticks[-1] >= max(values)
    assert 2 <= len(ticks) <= 7


def test_a_history_that_makes_no_sense_is_not_drawn():
    odd = [{"epoch": 1, "loss": float("nan")}, {"epoch": 2, "loss": "x"}, {"epoch": 3}]
    (curve,) = training.curves([training.RunShown("", {}, odd)], {"loss": "loss"})
    assert curve.points == []
