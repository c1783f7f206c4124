"""Put the demo on Hugging Face Spaces.

    python -m demo.deploy YOU/largest-object --dry-run   # what would be sent
    python -m demo.deploy YOU/largest-object             # free: ZeroGPU
    python -m demo.deploy YOU/raccoons --checkpoint runs/mine/best.safetensors --examples photos

Log in once with `hf auth login`. Only what the Space needs is sent: the page, the model, the
checkpoints, the examples.
"""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro
from huggingface_hub import HfApi, SpaceHardware

from model.checkpoint import read_info
from model.data.dataset import Dataset
from model.data.example_boxes import BOXES_FILE
from model.data.samples import NamedPhoto, PhotoLibrary
from model.errors import UserError, run_cli
from model.hub import refusals_as_user_errors

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("demo", "model", "checkpoints", "examples")
FILES = ("LICENSE",)
FLAVORS = {"zerogpu": SpaceHardware.ZERO_A10G, "cpu": SpaceHardware.CPU_BASIC}
# Spaces installs its own versions of these; sdk_version in the front matter chooses Gradio's.
BROUGHT_BY_SPACES = ("gradio", "huggingface_hub")
# The newest pair ZeroGPU runs (its documentation in September 2026: 2.8.0, 2.9.1, 2.10.0, 2.11.0,
# 2.12.1 and 2.13.0). Left open, pip would take a newer one, which does not start there.
NEWEST_ON_ZEROGPU = {"torch": "2.13.0", "torchvision": "0.28.0"}


@dataclass
class DeployConfig:
    """Put the demo on Hugging Face Spaces."""

    space: Annotated[str, tyro.conf.Positional]  # YOU/NAME; made if it does not exist
    flavor: Literal["zerogpu", "cpu"] = "zerogpu"  # zerogpu: free; cpu: needs a paid plan
    hardware: str | None = None  # a machine paid by the hour instead, e.g. t4-small
    checkpoint: Path | None = None  # of your own, instead of those in checkpoints/
    examples: Path | None = None  # photos of your own, or a data set of which some are taken
    private: bool = False  # only you can open it
    dry_run: bool = False  # list and size every file, send nothing
    debug: bool = False  # tracebacks instead of one-line errors

    @property
    def machine(self) -> str:
        """The hub's name of the hardware."""
        return self.hardware or FLAVORS[self.flavor].value


def build_space(
    folder: Path, machine: str, checkpoint: Path | None = None, examples: Path | None = None
) -> list[Path]:
    """Write all files that a Space on that hardware needs to ``folder``; return them, sorted.

    Args:
        folder: an empty one.
        machine: the hub's name of the hardware.
        checkpoint: shown instead of those in ``checkpoints/``.
        examples: a folder of photos, or of a data set, shown instead of those in ``examples/``.

    Raises:
        UserError: if there is no checkpoint to show, or those given cannot be used.
    """
    own = {"checkpoints": checkpoint, "examples": examples}
    if checkpoint:
        read_info(checkpoint)  # reports a broken file here rather than on the Space
        (folder / "checkpoints").mkdir(parents=True)
        shutil.copyfile(checkpoint, folder / "checkpoints" / checkpoint.name)
    elif not any((ROOT / "checkpoints").glob("*.safetensors")):
        raise UserError("there is no checkpoint in checkpoints/: train one and copy it there.")
    if examples:
        copy_examples(examples, folder / "examples")
    for path in _needed(name for name in FOLDERS if not own.get(name)):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (folder / "README.md").write_text(space_readme((ROOT / "README.md").read_text()))
    requirements = (ROOT / "requirements.txt").read_text()
    (folder / "requirements.txt").write_text(space_requirements(requirements, machine))
    return sorted(path for path in folder.rglob("*") if path.is_file())


def copy_examples(source: Path, folder: Path) -> None:
    """Copy some photos of a data set with their boxes, or all photos of any other folder.

    Raises:
        UserError: if there are no photos.
    """
    photos = _photos_of(source)
    if not photos:
        raise UserError(f"{source} holds no photos for the examples. Name a folder with some.")
    folder.mkdir(parents=True)
    boxes = {}
    for photo in photos:
        shutil.copyfile(photo.path, folder / photo.path.name)
        if photo.annotated:
            boxes[photo.path.name] = [asdict(annotation) for annotation in photo.objects]
    (folder / BOXES_FILE).write_text(json.dumps(boxes, indent=1) + "\n")


def _photos_of(source: Path) -> Sequence[NamedPhoto]:
    dataset = None
    if not (source / BOXES_FILE).is_file():
        with suppress(UserError):  # no data set, but a folder of photos
            dataset = Dataset(source)
    return PhotoLibrary(dataset, source).examples()


def _needed(folders: Iterable[str]) -> Iterator[Path]:
    for name in FILES:
        yield ROOT / name
    for name in folders:
        for path in (ROOT / name).rglob("*"):
            inside = path.relative_to(ROOT).parts
            unwanted = path.suffix in (".pyc", ".pyi", ".tmp") or path == Path(__file__).resolve()
            hidden = any(part.startswith((".", "__pycache__")) for part in inside)
            if path.is_file() and not hidden and not unwanted:
                yield path


def space_readme(readme: str) -> str:
    """The README's front matter, title and first paragraph: a Space shows the demo, no manual."""
    match = re.match(r"(---\n.*?\n---\n)\s*(# .+?\n\n.+?\n)\n", readme, re.DOTALL)
    if not match:
        raise UserError("README.md must begin with a Space's front matter, a title, a paragraph.")
    return f"{match[1]}\n{match[2]}"


def space_requirements(requirements: str, machine: str) -> str:
    """The requirements.txt of a Space: without packages it brings, and with what ZeroGPU runs."""
    lines = []
    for line in requirements.splitlines():
        name = re.split(r"[^\w-]", line, maxsplit=1)[0]
        if name in BROUGHT_BY_SPACES:
            continue
        if machine == SpaceHardware.ZERO_A10G and name in NEWEST_ON_ZEROGPU:
            line = re.sub(r"<[\w.]+", f"<={NEWEST_ON_ZEROGPU[name]}", line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def listing(folder: Path, files: list[Path]) -> str:
    """One line a file with its size in bytes, and their sum."""
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    rows = [f"{size:>12,}  {name}" for name, size in sizes.items()]
    return "\n".join([*rows, f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files"])


def send(folder: Path, config: DeployConfig, api: HfApi) -> str:
    """Create the Space if it does not exist, upload the folder, and return the Space's URL.

    Files of an earlier upload that are no longer needed are removed; others are left alone.
    """
    exists = api.repo_exists(config.space, repo_type="space")
    if not exists:
        api.create_repo(
            config.space, repo_type="space", space_sdk="gradio", private=config.private or None,
            space_hardware=SpaceHardware(config.machine),
        )  # fmt: skip
    api.upload_folder(
        repo_id=config.space, repo_type="space", folder_path=folder,
        commit_message="Deploy the demo", delete_patterns=[f"{name}/**" for name in FOLDERS],
    )  # fmt: skip
    if exists and config.hardware:
        api.request_space_hardware(config.space, SpaceHardware(config.hardware))
    return f"{api.endpoint}/spaces/{config.space}"


def deploy(config: DeployConfig, api: HfApi) -> None:
    """Build the folder, list it, and unless it is a dry run send it.

    Raises:
        UserError: if the hub refuses or cannot be reached; the text says what to do.
    """
    names = [machine.value for machine in SpaceHardware]
    if config.machine not in names:
        raise UserError(f"there is no hardware {config.machine!r}. There is: {', '.join(names)}.")
    with tempfile.TemporaryDirectory(prefix="space-") as name:
        folder = Path(name)
        files = build_space(folder, config.machine, config.checkpoint, config.examples)
        print(listing(folder, files))
        if config.dry_run:
            print(f"nothing was sent; {config.space} would run on {config.machine}.")
            return
        paid = "leave out --hardware and choose --flavor zerogpu, which is free"
        with refusals_as_user_errors(config.space, paid):
            print(f"sent: {send(folder, config, api)}")


if __name__ == "__main__":
    parse = partial(tyro.cli, DeployConfig, prog="python -m demo.deploy", description=__doc__)
    sys.exit(run_cli(lambda: deploy(parse(), HfApi()), debug="--debug" in sys.argv))
