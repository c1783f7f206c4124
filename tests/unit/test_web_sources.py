"""demo/web and what reaches it from Python: one dialect, one global, no rule by force."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

from demo.theme import SCRIPTS
from demo.web_files import script

WEB = REPOSITORY / "demo" / "web"
SOURCES = sorted(WEB.glob("*.js"))
TOOLS = Path(sys.executable).parent


def run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_has_nothing_to_say():
    run(TOOLS / "oxlint", "--deny-warnings", "demo/web")


def test_all_scripts_are_formatted_alike():
    run(TOOLS / "oxfmt", "--check", *SOURCES)


def test_the_linter_would_speak(tmp_path):
    bad = tmp_path / "bad.js"
    bad.write_text("(() => { window.anything = nowhere; })();\n")
    with pytest.raises(AssertionError, match="nowhere"):
        run(TOOLS / "oxlint", "--config", ".oxlintrc.json", bad)


def test_nothing_is_global_but_the_page_itself():
    python = (REPOSITORY / "demo").rglob("*.py")
    for path in (*SOURCES, *python):
        made = re.findall(r"\b(?:window|globalThis|self)\.(\w+)\s*=[^=]", path.read_text())
        if path.suffix == ".js":
            assert made == (["detectorPage"] if path.name == "page.js" else []), path
    # What an event of the page runs is part of the protocol, which page.js describes.
    described = (WEB / "page.js").read_text().split("(() => {")[0]
    used = {
        name
        for path in (*SOURCES, *(REPOSITORY / "demo").rglob("*.py"))
        for name in re.findall(r"\bdetectorPage\.(\w+)", path.read_text())
    }
    assert used
    for name in used - {"addEventListener", "dispatchEvent"}:
        assert re.search(rf"\b{name}\b", described), name


def test_every_script_is_sent():
    """With the page, or by the component that has its name."""
    components = "".join(path.read_text() for path in (REPOSITORY / "demo").rglob("*.py"))
    for path in SOURCES:
        assert path.stem in SCRIPTS or f'"{path.stem}"' in components, path


def test_comments_are_not_sent():
    sent, written = script("page"), (WEB / "page.js").read_text()
    assert len(sent) < len(written)
    missing = set(map(str.strip, written.splitlines())) - set(map(str.strip, sent.splitlines()))
    assert all(line.startswith("//") for line in missing)
