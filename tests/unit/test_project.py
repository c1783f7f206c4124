"""The files people and their tools expect beside the code say the same as the code."""

import ast
import re
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from setuptools.config.pyprojecttoml import read_configuration
from test_imports import TREES


def required(name: str) -> list[str]:
    """The requirements of a file, without comments."""
    lines = (
        re.sub(r"(^|\s)#.*", "", line) for line in (REPOSITORY / name).read_text().splitlines()
    )
    return [line.strip() for line in lines if line.strip()]


@pytest.fixture(scope="module")
def pyproject() -> dict:
    """pyproject.toml as a build sees it, with what is read from other files."""
    return read_configuration(REPOSITORY / "pyproject.toml")


def test_pyproject_asks_for_what_the_requirements_ask_for(pyproject):
    assert pyproject["project"]["dependencies"] == required("requirements.txt")


@pytest.mark.parametrize(
    ("package", "hole"),
    [
        ("pillow", "12.2.0"), ("starlette", "1.3.0"), ("python-multipart", "0.0.30"),
        ("gradio", "6.30.0"),
    ],
)  # fmt: skip
def test_releases_with_known_holes_are_not_asked_for(package, hole):
    (found,) = [r for r in map(Requirement, required("requirements.txt")) if r.name == package]
    assert hole not in found.specifier
    assert version(package) in found.specifier


def test_extras_agree_with_what_the_tests_use(pyproject):
    known = pyproject["project"]["dependencies"] + pyproject["dependency-groups"]["dev"]
    for extra, wanted in pyproject["project"]["optional-dependencies"].items():
        for requirement in wanted:
            assert requirement.replace("[mcp]", "") in known, extra


def test_what_is_imported_is_asked_for(pyproject):
    """Not merely there because something else asks for it: that may change with any release."""
    extras = pyproject["project"]["optional-dependencies"].values()
    asked = [*pyproject["project"]["dependencies"], *(line for extra in extras for line in extra)]
    asked += ["gradio_client", "spaces", "mcp"]  # of gradio's own release; of Spaces; of our extra
    tested = [*asked, *pyproject["dependency-groups"]["dev"]]
    known = packages_distributions()
    for module, tree in TREES.items():
        lines = tested if module.split(".")[0] in ("tests", "scripts") else asked
        names = {canonicalize_name(Requirement(line).name) for line in lines}
        for name in third_party(tree):
            packages = set(map(canonicalize_name, known.get(name, [name])))
            assert packages & names, f"{module} imports {name}, which no requirement names"


def third_party(tree: ast.AST) -> set[str]:
    """The packages a module imports that are neither Python's nor ours."""
    nodes = list(ast.walk(tree))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    ours = {
        path.stem
        for top in (".", "tests", "tests/unit", "scripts")
        for path in (REPOSITORY / top).glob("*")
    }
    return {name.split(".")[0] for name in found} - sys.stdlib_module_names - ours


def test_every_package_is_named(pyproject):
    found = [path for top in ("demo", "model") for path in (REPOSITORY / top).rglob("__init__.py")]
    names = {".".join(path.parent.relative_to(REPOSITORY).parts) for path in found}
    assert set(pyproject["tool"]["setuptools"]["packages"]) == names


def test_ci_runs_what_the_readme_says(pyproject):
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/test.yml").read_text())
    job = workflow["jobs"]["test"]
    assert "make test" in [step.get("run") for step in job["steps"]]
    lowest = pyproject["project"]["requires-python"].removeprefix(">=")
    assert lowest in job["strategy"]["matrix"]["python"]
    assert workflow["permissions"] == {"contents": "read"}


def test_the_citation_names_this_version_and_licence(pyproject):
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert str(citation["version"]) == pyproject["project"]["version"]
    assert citation["license"] == pyproject["project"]["license"]


def test_no_committed_file_names_a_package_registry():
    names = ["Dockerfile", "requirements.txt", "pyproject.toml", "Makefile"]
    files = [REPOSITORY / name for name in names]
    for path in [*files, *REPOSITORY.glob(".github/**/*.yml"), *REPOSITORY.glob("docs/*.md")]:
        assert not re.search(
            r"pypi\.org|download\.pytorch|--index-url +http", Path(path).read_text()
        )
