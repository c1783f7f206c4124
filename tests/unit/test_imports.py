"""Who imports whom, read from the source: no cycles, and no name that does not exist."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import REPOSITORY

FOLDERS = ("model", "demo", "scripts", "tests")
OURS = ("model", "demo", "train")


def name_of(path: Path) -> str:
    """``model/augment/__init__.py`` -> ``model.augment``."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = [REPOSITORY / "train.py", *(p for f in FOLDERS for p in (REPOSITORY / f).rglob("*.py"))]
TREES = {name_of(path): ast.parse(path.read_text()) for path in FILES}


def imports_in(node: ast.AST, everywhere: bool) -> Iterator[tuple[str, str | None]]:
    """``(module, name)`` of our own imports; without ``everywhere``, those done on importing."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((a.name, None) for a in child.names if a.name.split(".")[0] in OURS)
        elif isinstance(child, ast.ImportFrom) and child.module.split(".")[0] in OURS:
            yield from ((child.module, a.name) for a in child.names)
        elif everywhere or not is_put_off(child):
            yield from imports_in(child, everywhere)


def is_put_off(node: ast.AST) -> bool:
    """Whether importing the module does not run it."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def packages_of(module: str) -> set[str]:
    """The packages a module lies in, outermost included."""
    parts = module.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts))}


def loaded_by(module: str) -> set[str]:
    """The modules of ours that must be loaded before ``module`` is."""
    imported = imports_in(TREES[module], everywhere=False)
    targets = {f"{t}.{name}" if f"{t}.{name}" in TREES else t for t, name in imported}
    # A module's own packages are being loaded already when it is.
    packages = set().union(*map(packages_of, targets)) - packages_of(module)
    return targets | (packages - {module})


@cache
def names_in(module: str) -> frozenset[str]:
    """What can be imported from a module, submodules included."""
    names = {other.rpartition(".")[2] for other in TREES if other.rpartition(".")[0] == module}
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return frozenset(names)


def test_no_module_waits_for_itself():
    graph = {module: loaded_by(module) for module in TREES if module.split(".")[0] in OURS}
    assert "model.errors" in graph["model.files"]
    assert "model.augment" in graph["model.inference"]
    TopologicalSorter(graph).prepare()  # raises CycleError, naming the cycle


@pytest.mark.parametrize("folder", [*FOLDERS, "train"])
def test_what_is_imported_exists(folder):
    modules = [name for name in TREES if name.split(".")[0] == folder]
    assert modules
    missing = [
        f"{module}: from {target} import {name}"
        for module in modules
        for target, name in imports_in(TREES[module], everywhere=True)
        if target not in TREES or (name and name not in names_in(target))
    ]
    assert missing == []


def test_the_model_knows_nothing_of_the_page():
    for module, tree in TREES.items():
        if module.split(".")[0] == "model":
            targets = [target for target, _ in imports_in(tree, everywhere=True)]
            assert not [t for t in targets if t.split(".")[0] != "model"], module
            assert "gradio" not in ast.dump(tree), module


WINGS = {  # wing of model/ -> the other wings it may import
    "network": set(),
    "data": set(),
    "augment": set(),
    "loading": {"data", "augment"},
    "evaluation": {"network", "data", "augment", "loading"},
    "inspect": {"network", "data", "augment"},
    "training": {"network", "data", "augment", "loading", "evaluation", "inspect"},
    "commands": {"network", "data", "augment", "loading", "evaluation", "inspect", "training"},
}
PREDICTING = {  # modules of model/ itself that stand on wings; those may not import them
    "model.checkpoint", "model.inference", "model.onnx_network", "model.predictions", "model.score",
}  # fmt: skip


def wing_of(module: str) -> str | None:
    """``model.data.dataset`` -> ``data``; ``None`` for modules of ``model/`` itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "model" and parts[1] in WINGS else None


def test_every_folder_of_the_model_is_a_wing():
    folders = {p.parent.name for p in (REPOSITORY / "model").glob("*/__init__.py")}
    assert folders == set(WINGS)


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_imports_only_those_before_it(wing):
    modules = [name for name in TREES if wing_of(name) == wing]
    targets = {
        (module, f"{target}.{name}" if f"{target}.{name}" in TREES else target)
        for module in modules
        for target, name in imports_in(TREES[module], everywhere=True)
    }
    wings = {(module, wing_of(target)) for module, target in targets}
    assert not {(m, w) for m, w in wings if w not in {None, wing, *WINGS[wing]}}
    if wing in ("network", "data", "augment", "loading"):
        assert not {(module, target) for module, target in targets if target in PREDICTING}


DEMO = ("demo.serving", "demo.server", "demo.views", "demo.tabs")  # each imports only those before


def reached_from(module: str) -> set[str]:
    """The modules of ours that are loaded when ``module`` is."""
    reached, waiting = set(), {module}
    while waiting:
        reached |= waiting
        waiting = set().union(*map(loaded_by, waiting)) - reached
    return reached


@pytest.mark.parametrize("place", range(len(DEMO)))
def test_folders_of_the_demo_import_one_way(place):
    modules = [name for name in TREES if name.startswith(f"{DEMO[place]}.")]
    assert modules
    for module in modules:
        later = [name for name in reached_from(module) if name.startswith(DEMO[place + 1 :])]
        assert not later, module


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """What importing a module runs, without the bodies of its functions."""
    for child in ast.iter_child_nodes(node):
        if not is_put_off(child):
            yield child
            yield from run_on_import(child)


@pytest.mark.parametrize("package", ["accelerate", "matplotlib"])
def test_the_demo_starts_without_what_only_training_and_reports_need(package):
    modules = reached_from("demo.app")
    assert "demo.page" in modules
    for module in modules & TREES.keys():
        for node in run_on_import(TREES[module]):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert package not in [name.split(".")[0] for name in names], module


@pytest.mark.slow
def test_the_data_set_commands_start_without_pytorch():
    """``python -m model.voc --help`` answers at once."""
    code = (
        "import runpy, sys\n"
        "sys.argv[1:] = ['--help']\n"
        "try: runpy.run_module('model.voc', run_name='__main__')\n"
        "finally: sys.stderr.write(' '.join({'torch', 'matplotlib', 'gradio'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0
    assert "download" in result.stdout
    assert result.stderr == ""
