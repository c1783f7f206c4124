"""Curves of ``model.robustness`` in the Training tab: every line is that of the file's numbers."""

import json
import re

import pytest
from overlaid import SHIPPED, overlaid

from demo.views.robustness import COLOURS, HEIGHT, WIDTH, beside
from model.checkpoint import DEFAULT_CHECKPOINT
from model.errors import UserError


def figures(text: str) -> list[str]:
    return re.findall(r"<figure>.*?</figure>", text, re.DOTALL)


def test_lines_and_intervals_are_those_of_the_file():
    report = json.loads(SHIPPED.read_text())
    drawn = figures(str(beside(DEFAULT_CHECKPOINT)))
    assert len(drawn) == len(report["settings"])
    for figure, setting in zip(drawn, report["settings"], strict=True):
        lines = re.findall(r'<polyline points="([^"]*)"', figure)
        shades = re.findall(r'<polygon points="([^"]*)"', figure)
        for key, line, shade in zip(COLOURS, lines, shades, strict=True):
            scores = [level["scores"]["largest-object-resnet34"] for level in setting["levels"]]
            heights = [HEIGHT * (1 - score[key]) for score in scores]
            points = [tuple(map(float, point.split(","))) for point in line.split()]
            assert [y for _, y in points] == pytest.approx(heights, abs=0.06)
            assert (points[0][0], points[-1][0]) == (0, WIDTH)
            # There along the lower ends of the intervals, back along the upper ones.
            bounds = [score["intervals_95"][key] for score in scores]
            ends = [HEIGHT * (1 - low) for low, _ in bounds]
            ends += [HEIGHT * (1 - high) for _, high in reversed(bounds)]
            assert [float(p.split(",")[1]) for p in shade.split()] == pytest.approx(ends, abs=0.06)
        trained = setting["trained_up_to"]["largest-object-resnet34"]
        assert figure.count('class="trained"') == (trained is not None)


def test_two_checkpoints_lie_over_each_other_and_are_named(tmp_path):
    path = tmp_path / "both.safetensors"
    path.with_suffix(".robustness.json").write_text(json.dumps(overlaid()))
    text = str(beside(path))
    assert "Solid: largest-object-resnet34. Dashed: other." in text
    assert "largest-object-resnet34 learned from these photos" in text
    for figure in figures(text):
        assert figure.count("<polyline") == 6
        dashed = re.findall(r"<polyline[^>]*dasharray[^>]*><title>(other)", figure)
        assert len(dashed) == 3


def test_without_a_file_there_is_nothing(tmp_path):
    assert beside(tmp_path / "mine.safetensors") == ""


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"settings": [1]}'])
def test_a_file_that_is_no_report_is_named(text, tmp_path):
    (tmp_path / "mine.robustness.json").write_text(text)
    with pytest.raises(UserError, match=r"mine\.robustness\.json is no report"):
        beside(tmp_path / "mine.safetensors")
