"""The folder of a training run: who may write to it, its settings, and the state to resume from."""

import dataclasses
import json
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from filelock import FileLock, Timeout

from model.checkpoint import checkpoint_path, read_info
from model.errors import UserError
from model.files import atomic_write, ensure_writable
from model.score import Calibration

STATE_FILE = "last.state.pt"
LOCK_FILE = ".training.lock"
STATE_FORMAT = "largest-object-training/2"
MAY_CHANGE_ON_RESUME = {
    "resume", "progress", "debug", "num_workers", "eval_every", "data", "format", "cache_dir",
    "out",
}  # fmt: skip
PATH_SETTINGS = ("data", "out", "cache_dir", "backbone_weights", "start_from", "augment_file")


class RunConfig(Protocol):
    """The fields of ``train.TrainConfig`` that the engine reads; it saves all fields."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    out: str
    seed: int
    epochs: int
    val_split: str
    resume: bool
    progress: bool
    start_from: str
    freeze_batch_norm: bool
    batch_size: int
    lr: float

    @property
    def freeze(self) -> str:
        """Part of the backbone that does not learn."""
        ...


def all_settings(config: RunConfig) -> dict[str, Any]:
    """All settings as plain values."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def shared_settings(config: RunConfig) -> dict[str, Any]:
    """:func:`all_settings` for a file to share: paths are reduced to their last part."""
    values = all_settings(config)
    # ``data`` may be several folders.
    paths = {n: [v] if isinstance(v := values[n], str) else v for n in PATH_SETTINGS}
    return values | {n: ", ".join(Path(path).name for path in paths[n]) for n in paths}


@contextmanager
def locked_run_folder(config: RunConfig) -> Generator[None]:
    """Lock the run folder against other trainings; the lock of a process that dies is freed.

    Raises:
        UserError: if another training is writing there, or nothing can be written.
    """
    if int(os.environ.get("RANK", "0")):  # only the first process of a training holds the lock
        yield
        return
    folder = Path(config.out)
    ensure_writable(folder)
    lock = FileLock(folder / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"another training is writing to {folder}. Wait for it, or choose another --out."
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not delete an open file
            if [path.name for path in folder.iterdir()] == [LOCK_FILE]:  # nothing was written
                (folder / LOCK_FILE).unlink()
                folder.rmdir()
        lock.release()


def inherited(config: RunConfig) -> tuple[list[dict[str, Any]], Calibration | None]:
    """History and calibration that a new run inherits from ``--start-from``; none when resuming.

    Returns:
        The history, whose rows get the name of their run as ``run`` (rows of the new run have
        none); and the calibration, used until the new weights have their own.

    Raises:
        UserError: if the checkpoint cannot be read.
    """
    if not config.start_from or config.resume:
        return [], None
    info = read_info(checkpoint_path(config.start_from))
    name = info.config.get("out", "")
    # Rows of earlier runs keep the name they have.
    return [{"run": name, **row} for row in info.history], info.calibration


def load_state(config: RunConfig) -> dict[str, Any] | None:
    """The saved state that ``--resume`` needs; ``None`` for a new run.

    Raises:
        UserError: if the folder cannot be written to or holds another run, or if there is nothing
            to resume, or the state is damaged or has other settings.
    """
    path = Path(config.out) / STATE_FILE
    if config.resume and not path.exists():
        raise UserError(f"{config.out} holds no run to resume. Check --out, or leave --resume out.")
    if not config.resume and path.exists():
        raise UserError(
            f"{config.out} already holds a run. Go on with it (--resume) or choose another --out."
        )
    ensure_writable(Path(config.out))
    if not config.resume:
        return None
    state = _read_state(path)
    now = all_settings(config)
    for key, value in state["config"].items():
        if key not in MAY_CHANGE_ON_RESUME and now.get(key) != value:
            raise UserError(
                f"{config.out} was trained with {key} = {value!r}, not {now.get(key)!r}."
                " Resume with the same settings, or start a new run with another --out."
            )
    return state


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises some ten types for damaged files
        raise UserError(
            f"{path} is damaged ({type(error).__name__}), so this run cannot go on. Start a new run"
            " with another --out; the weights beside it can still be used."
        ) from None
    if not isinstance(state, dict) or state.get("format") != STATE_FORMAT:
        raise UserError(
            f"{path} was written by another version of this program."
            " Start a new run with another --out."
        )
    return state


def write_state(config: RunConfig, state: dict[str, Any]) -> None:
    """Write ``state`` with the settings for :func:`load_state`, replacing the previous one."""
    described = {"format": STATE_FORMAT, "config": all_settings(config), **state}
    with atomic_write(Path(config.out) / STATE_FILE) as temporary:
        _torch_save(described, temporary)


def _torch_save(state: dict[str, Any], path: Path) -> None:
    try:
        with path.open("wb") as stream:
            torch.save(state, stream)
    except RuntimeError as error:
        # After a failed write PyTorch fails again at closing, and reports only that error.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
