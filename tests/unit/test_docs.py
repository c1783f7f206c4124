"""The commands in README.md and docs/ are ones the programs take: flags, choices and values."""

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import pytest
import tyro
from conftest import REPOSITORY
from PIL import Image

import train
from demo.app import AppConfig
from demo.deploy import DeployConfig
from model.commands import (
    audit,
    calibrate,
    dataset,
    evaluate,
    export,
    export_augmented,
    predict,
    publish,
    robustness,
    trace,
)

sys.path.append(str(REPOSITORY / "scripts"))

from benchmark import BenchmarkConfig
from what_rotation_does import Config as RotationConfig

PAGES = [
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "checkpoints/README.md"),
    *sorted(f"docs/{path.name}" for path in REPOSITORY.glob("docs/*.md")),
]
PROGRAMS = {
    "train.py": train.TrainConfig, "demo/app.py": AppConfig, "demo.deploy": DeployConfig,
    "model.audit": audit.AuditConfig,
    "model.calibrate": calibrate.CalibrateConfig, "model.evaluate": evaluate.EvaluateConfig,
    "model.export": export.ExportConfig, "model.predict": predict.PredictConfig,
    "model.publish": publish.PublishConfig, "model.dataset": dataset.Command,
    "model.export_augmented": export_augmented.ExportAugmentedConfig,
    "model.robustness": robustness.RobustnessConfig, "model.trace": trace.TraceConfig,
    "scripts/benchmark.py": BenchmarkConfig, "scripts/what_rotation_does.py": RotationConfig,
}  # fmt: skip
# After `python`, `python -m`, `accelerate launch`, or alone.
PROGRAM = re.compile(r"(?:^|python |-m |launch .* )((?:demo|model)\.\w+|[\w/]+\.py)\b(.*)")


def commands(text: str) -> Iterator[str]:
    """Lines of blocks for the shell, and code within sentences that has a flag."""
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        yield from (line.strip() for line in block.replace("\\\n", " ").splitlines())
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    yield from (" ".join(code.split()) for code in re.findall(r"`([^`]+\s--[^`]+)`", prose))


def calls() -> Iterator[tuple[str, str, list[str]]]:
    """Page, program of ours, arguments."""
    for page in PAGES:
        for line in commands((REPOSITORY / page).read_text()):
            if match := PROGRAM.search(line):
                arguments = shlex.split(match[2].replace("$seed", "0"), comments=True)
                yield page, match[1], arguments


def refusal(program: str, arguments: list[str]) -> str:
    """What a program says to arguments it does not take; nothing to others."""
    said = StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(StringIO()):
            tyro.cli(PROGRAMS[program], args=arguments)
    except SystemExit as end:
        return said.getvalue() if end.code else ""  # 0 after --help
    return ""


def is_a_program(name: str) -> bool:
    """Whether there is such a file or module: ``train.py``, ``model.predict``, ``demo.deploy``."""
    return (REPOSITORY / name).is_file() or importlib.util.find_spec(name) is not None


def test_the_programs_understand_the_commands_of_the_pages():
    found = list(calls())
    assert {program for _, program, _ in found} > set(PROGRAMS) - {"model.calibrate"}
    for page, program, arguments in found:
        assert is_a_program(program), (page, program)
        if program in PROGRAMS:
            assert not refusal(program, arguments), (page, program, arguments)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(monkeypatch, capsys):
    """The other block of Python there is the one of docs/api.md."""
    code = re.search(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    shown = []
    monkeypatch.setattr(Image.Image, "show", lambda image: shown.append(image))
    monkeypatch.chdir(REPOSITORY)
    names: dict[str, Any] = {}
    exec(code[1], names)
    d = names["d"]
    assert d.class_name == "cat"
    assert capsys.readouterr().out == f"cat {d.score} {d.bbox_xyxy}\n{d.sure}\n"
    assert len(shown) == 1


@pytest.mark.parametrize("page", PAGES)
def test_links_and_make_targets_exist(page):
    text = (REPOSITORY / page).read_text()
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE):
        assert f"\n{target}:" in makefile
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (REPOSITORY / page).parent.joinpath(link).exists(), link
