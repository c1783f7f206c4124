"""What a training run keeps, so that it can be stopped at any moment and go on unchanged.

A run folder holds best.safetensors and last.safetensors (weights to use), last.state.pt (all that
is needed to resume, the history included), and history.csv and curves.png, which are drawn from
that history, and augmented.png.
"""

import dataclasses
import json
import os
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.data_loader import DataLoaderShard
from filelock import FileLock, Timeout
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from tqdm import tqdm

from model.checkpoint import (
    CheckpointInfo,
    checkpoint_path,
    library_versions,
    read_info,
    save_checkpoint,
)
from model.errors import StoppedError, UserError
from model.evaluation import plots
from model.evaluation.metrics import summarize
from model.evaluation.predict_dataset import Predictions
from model.files import atomic_write, ensure_room, ensure_writable
from model.loading.dataset import EpochDataset, LargestObjectDataset
from model.network.detector import LargestObjectDetector
from model.score import Calibration
from model.training.ema import WeightAverage
from model.training.first_sheet import draw_augmented
from model.words import counted

STATE_FILE = "last.state.pt"
LOCK_FILE = ".training.lock"
STATE_FORMAT = "largest-object-training/2"
MAY_CHANGE_ON_RESUME = {
    "resume", "progress", "debug", "num_workers", "eval_every", "data", "format", "cache_dir",
    "out",
}  # fmt: skip
PATH_SETTINGS = ("data", "out", "cache_dir", "backbone_weights", "start_from", "augment_file")


class RunConfig(Protocol):
    """The settings of ``train.TrainConfig`` that the engine reads; it stores all of them."""

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


class StopSignal:
    """Ctrl-C or ``kill``: finish the batch, save, leave. A second one stops at once."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.received: set[int] = set()
        self._ends_at_once = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: object) -> None:
        # Launchers answer Ctrl-C with a SIGTERM of their own: only the same signal twice is haste.
        if number in self.received or self._ends_at_once:
            raise StoppedError(number)
        self.received.add(number)

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Inside the block, where nothing is lost, a signal ends the program where it is.

        Raises:
            StoppedError: also if one came before.
        """
        self._ends_at_once = True
        try:
            if self.received:
                raise StoppedError(self.number)
            yield
        finally:
            self._ends_at_once = False

    @property
    def number(self) -> int:
        """The signal that was received; SIGINT if only another process received one."""
        return signal.SIGTERM if self.received == {signal.SIGTERM} else signal.SIGINT

    def requested(self) -> bool:
        """Whether any process was asked to stop; all of them return the same."""
        if self.accelerator.num_processes == 1:
            return bool(self.received)
        flag = torch.tensor(float(bool(self.received)), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum") > 0)


@dataclass
class EpochSums:
    """Running sums over the photos of an epoch, in one process.

    Attributes:
        images: photos seen.
        seconds: spent on them.
        figures: name -> sum over the photos, in the order the training step gives them.
    """

    images: float = 0.0
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)

    def add(self, n_images: int, figures: dict[str, float]) -> None:
        """Count a batch; ``figures`` are sums over its photos."""
        self.images += n_images
        for name, value in figures.items():
            self.figures[name] = self.figures.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """Every figure, per photo."""
        return {name: value / self.images for name, value in self.figures.items()}

    def over_processes(self, accelerator: Accelerator) -> "EpochSums":
        """The sums over all processes together."""
        if accelerator.num_processes == 1:
            return self
        # Not float32: a run that was stopped would differ from one that was not.
        values = [self.images, self.seconds, *self.figures.values()]
        sums = torch.tensor(values, dtype=torch.float64, device=accelerator.device)
        images, seconds, *figures = accelerator.reduce(sums, "sum").tolist()
        return EpochSums(images, seconds, dict(zip(self.figures, figures, strict=True)))


@dataclass
class Run:
    """All that changes while training, and how it is written down and read back.

    Attributes:
        history: one dict an epoch, those of the runs it goes on from first.
        row: the next one, of an epoch that is trained and not yet validated; else empty.
        calibration: of the checkpoint it goes on from; its own checkpoints have it until they get
            their own.
        step: optimisation steps taken since the start of the run.
        best: highest joint accuracy on the validation split.
        sums: of the epoch that is under way.
        lost: bool, a row a photo: boxes lost before a stop in the epoch that is under way; see
            :attr:`model.loading.dataset.EpochDataset.lost`.
        predictions: for the validation split, of the weights in ``best`` and ``last.safetensors``,
            as far as this process made them.
    """

    config: RunConfig
    accelerator: Accelerator
    model: torch.nn.Module
    average: WeightAverage[LargestObjectDetector]
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    stop: StopSignal
    history: list[dict[str, Any]] = field(default_factory=list)
    calibration: Calibration | None = None
    step: int = 0
    best: float = -1.0
    row: dict[str, Any] = field(default_factory=dict)
    sums: EpochSums = field(default_factory=EpochSums)
    lost: Tensor = field(default_factory=lambda: torch.tensor(False))
    predictions: dict[str, Predictions] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        """The run folder."""
        return Path(self.config.out)

    @property
    def bare_model(self) -> LargestObjectDetector:
        """The detector without what accelerate wraps around it."""
        # accelerate only says that it is a module.
        return cast(LargestObjectDetector, self.accelerator.unwrap_model(self.model))

    def batches(self, loader: DataLoaderShard, epoch: int) -> Iterator[Any]:
        """The batches of an epoch that are left; saves and leaves when asked to stop.

        Raises:
            StoppedError: when asked to stop, once everything is saved.
        """
        dataset = cast(EpochDataset, loader.dataset)
        loader.set_epoch(epoch)  # reaches the sampler
        dataset.set_epoch(epoch)  # which accelerate forgets when there are several processes
        last_step = (epoch + 1) * len(loader)
        done = self.step - epoch * len(loader)  # not 0 only after a stop inside the epoch
        bar = tqdm(
            self.accelerator.skip_first_batches(loader, done) if done else loader,
            f"epoch {epoch + 1}/{self.config.epochs}", len(loader), initial=done, leave=False,
            disable=not (self.config.progress and self.accelerator.is_main_process),
        )  # fmt: skip
        started = time.perf_counter() - self.sums.seconds
        for batch in bar:
            # Dropout depends on seed, step and process alone, so that resuming repeats it.
            key = (self.config.seed, self.step, self.accelerator.process_index)
            torch.manual_seed(hash(key))
            yield batch
            self.sums.seconds = time.perf_counter() - started
            bar.set_postfix(self._shown(), refresh=False)
            # After the last batch the epoch is finished first: its row belongs into the history.
            if self.step < last_step and self.stop.requested():
                bar.close()
                self._save_and_leave(dataset, epoch)

    def finish_step(self, n_images: int, figures: dict[str, float]) -> None:
        """Count a step that was taken; ``figures`` are sums over the photos of its batch."""
        self.step += 1
        self.average.update(self.bare_model, self.step)
        self.sums.add(n_images, figures)

    def end_epoch(self, dataset: EpochDataset, epoch: int, is_validated: bool) -> None:
        """Begin the epoch's row of the history, over all processes, and new sums.

        Validating takes long, so all is saved before; a run that is stopped then goes on with it.
        """
        total = self.sums.over_processes(self.accelerator)
        seconds = total.seconds / self.accelerator.num_processes
        redrawn, gave_up = self._lost_so_far(dataset).sum(dim=0).tolist()
        self.sums, self.lost = EpochSums(), torch.tensor(False)
        self.row = {
            "epoch": epoch + 1, "lr": self.scheduler.get_last_lr()[-1], **total.means(),
            "images_per_s": total.images / seconds, "seconds": seconds,
            "boxes_redrawn": redrawn, "boxes_given_up": gave_up,
        }  # fmt: skip
        if is_validated:
            self.save_state()

    def finished_epochs(self, steps: int) -> int:
        """How many epochs of so many steps are in the history."""
        return self.step // steps - bool(self.row)

    def finish_epoch(self, predictions: Predictions | None) -> None:
        """Show and save a finished epoch.

        Args:
            predictions: for the validation split; ``None`` if there are none this time.
        """
        row, self.row = self.row, {}
        metrics: dict[str, Any] = {}
        if predictions:
            metrics = {"split": self.config.val_split, **summarize(predictions.scores())}
        row |= {f"val_{key}": value for key, value in metrics.items() if key != "split"}
        self.accelerator.print(table_row(row), flush=True)
        self.history.append(row)
        joint = metrics.get("joint", -1.0)
        if self.config.val_split == "none" or joint > self.best:
            self.best = joint
            self._save_with("best", metrics, predictions)
        self._save_with("last", metrics, predictions)
        self.save_state()
        self.save_history()

    def begin(self, state: dict[str, Any] | None) -> None:
        """Restore ``state``, if there is one, and see that the disk has room for what will come.

        Raises:
            UserError: if it has not, or if ``state`` does not fit.
        """
        if state:
            self.restore(state)
        if self.accelerator.is_main_process:
            ensure_room(self.out, self._bytes_to_write())
        if self.history:
            self.save_history()  # a run may end between writing its state and its history

    def announce(self, split: str, n_photos: int, n_steps: int) -> None:
        """Print what is about to happen, and the header of the table of epochs."""
        accelerator, config = self.accelerator, self.config
        if config.start_from:
            batch_norm = ", batch-norm statistics" if config.freeze_batch_norm else ""
            accelerator.print(
                f"going on from {config.start_from}: {counted(config.epochs, 'epoch')}, batches of"
                f" {config.batch_size}, rate {config.lr:g}, frozen: {config.freeze}{batch_norm}"
            )
        accelerator.print(
            f"{counted(n_photos, 'photo')} from {split}, {counted(n_steps, 'step')} an epoch,"
            f" {accelerator.num_processes} process(es), {accelerator.device.type},"
            f" {accelerator.mixed_precision}\n{TABLE_HEADER}",
            flush=True,
        )

    def draw_augmented(self, photos: LargestObjectDataset) -> None:
        """``augmented.png``: what the network sees of some photos in the first epoch."""
        if self.accelerator.is_main_process:
            draw_augmented(photos, self.out / "augmented.png")

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`save_state` wrote.

        Raises:
            UserError: if it is the state of another network.
        """
        try:
            self.bare_model.load_state_dict(state["model"])
            self.average.model.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scheduler.load_state_dict(state["scheduler"])
            self.step, self.best = state["step"], state["best"]
            self.history, self.lost = state["history"], state["lost"]
            self.row = state.get("row", {})  # runs of before have none
            if state.get("calibration"):  # runs of before have none
                self.calibration = Calibration.from_dict(state["calibration"])
            if self.accelerator.is_main_process:  # they are the sums over all processes
                self.sums = EpochSums(**state["sums"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{self.out / STATE_FILE} was written by another version of this program"
                f" ({str(error).splitlines()[0]}). Start a new run with another --out."
            ) from None

    def save_state(self) -> None:
        """Everything :meth:`restore` needs, in ``last.state.pt``."""
        sums = self.sums.over_processes(self.accelerator)
        if self.accelerator.is_main_process:
            state = {
                "format": STATE_FORMAT, "config": all_settings(self.config),
                "model": self.bare_model.state_dict(), "average": self.average.model.state_dict(),
                "optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict(),
                "step": self.step, "best": self.best, "history": self.history,
                "row": self.row, "sums": dataclasses.asdict(sums), "lost": self.lost,
                "calibration": self.calibration and dataclasses.asdict(self.calibration),
            }  # fmt: skip
            with atomic_write(self.out / STATE_FILE) as temporary:
                _torch_save(state, temporary)

    def save_checkpoint(self, name: str, metrics: dict[str, Any]) -> None:
        """The averaged weights, to use."""
        model = self.bare_model
        info = CheckpointInfo(
            class_names=model.class_names, image_size=model.image_size, head=model.head_name,
            config=shared_settings(self.config), metrics=metrics, history=self.history,
            versions=library_versions(), calibration=self.calibration,
        )  # fmt: skip
        if self.accelerator.is_main_process:
            save_checkpoint(self.out / f"{name}.safetensors", self.average.model, info)

    def _save_with(
        self, name: str, metrics: dict[str, Any], predictions: Predictions | None
    ) -> None:
        self.save_checkpoint(name, metrics)
        self.predictions.pop(name, None)
        if predictions:
            self.predictions[name] = predictions

    def save_history(self) -> None:
        """``history.csv`` and ``curves.png``."""
        if self.accelerator.is_main_process:
            frame = pd.DataFrame(self.history)
            with atomic_write(self.out / "history.csv") as temporary:
                frame.to_csv(temporary, index=False)
            plots.plot_history(frame, self.out / "curves.png")

    def _save_and_leave(self, dataset: EpochDataset, epoch: int) -> None:
        self.lost = self._lost_so_far(dataset)
        self.save_checkpoint("last", {})
        self.save_state()
        self.accelerator.print(f"stopped in epoch {epoch + 1}; go on with --resume.")
        raise StoppedError(self.stop.number)

    def _lost_so_far(self, dataset: EpochDataset) -> Tensor:
        """Boxes lost in this epoch, a row a photo, in all processes and before any stop."""
        flags = (dataset.lost | self.lost).float().to(self.accelerator.device)
        return (self.accelerator.reduce(flags, "sum") > 0).cpu()

    def _shown(self) -> dict[str, str]:
        speed = self.sums.images * self.accelerator.num_processes / self.sums.seconds
        means = {name: f"{value:.4g}" for name, value in self.sums.means().items()}
        return {**means, "img_s": f"{speed:.1f}"}

    def _bytes_to_write(self) -> int:
        """Disk space the run needs beyond what its folder already holds."""
        weights = sum(t.numel() * t.element_size() for t in self.bare_model.state_dict().values())
        learning = sum(p.numel() * 4 for p in self.bare_model.parameters() if p.requires_grad)
        state = 2 * weights + 2 * learning  # network, average, and Adam's two moments
        # Each file is written beside the one it replaces: two states, best, last and one more.
        files = [self.out / STATE_FILE, *self.out.glob("*.safetensors")]
        held = sum(file.stat().st_size for file in files if file.is_file())
        return max(0, 2 * state + 3 * weights // 2 - held)


@contextmanager
def locked_run_folder(config: RunConfig) -> Generator[None]:
    """Keep other trainings out of the run folder; the system frees the lock of a process that dies.

    Raises:
        UserError: if another training is writing there, or nothing can be written.
    """
    if int(os.environ.get("RANK", "0")):  # of several processes of one training the first holds it
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
        with suppress(OSError):  # not while it is open, says Windows
            if [path.name for path in folder.iterdir()] == [LOCK_FILE]:  # nothing was written
                (folder / LOCK_FILE).unlink()
                folder.rmdir()
        lock.release()


class Inherited(NamedTuple):
    """What a run takes over from the checkpoint it goes on from, beside the weights.

    Attributes:
        history: its rows have the name of their run as ``run``, which those of the new run do not.
        calibration: for as long as the new weights have none of their own.
    """

    history: list[dict[str, Any]]
    calibration: Calibration | None


def inherited(config: RunConfig) -> Inherited:
    """What a new run takes over; a resumed one has it in its state.

    Raises:
        UserError: if the checkpoint cannot be read.
    """
    if not config.start_from or config.resume:
        return Inherited([], None)
    info = read_info(checkpoint_path(config.start_from))
    name = info.config.get("out", "")
    # Rows of still earlier runs have their names already.
    return Inherited([{"run": name, **row} for row in info.history], info.calibration)


def load_state(config: RunConfig) -> dict[str, Any] | None:
    """What ``--resume`` goes on from; ``None`` for a new run.

    Raises:
        UserError: if the folder cannot be written to or holds another run, or if there is nothing
            to resume, or the state is damaged or of other settings.
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
    except Exception as error:  # PyTorch raises some ten different kinds for damaged files
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


def _torch_save(state: dict[str, Any], path: Path) -> None:
    try:
        with path.open("wb") as stream:
            torch.save(state, stream)
    except RuntimeError as error:
        # PyTorch closes its archive after a failed write, fails again, and reports only that.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def clip_gradients(model: torch.nn.Module, limit: float) -> None:
    """As ``clip_grad_norm_``, which rewrites all gradients even where none is too long."""
    norm = get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    if norm > limit:
        clip_grads_with_norm_(model.parameters(), limit, norm)


def all_settings(config: RunConfig) -> dict[str, Any]:
    """All settings as plain values."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def shared_settings(config: RunConfig) -> dict[str, Any]:
    """:func:`all_settings` for a file that travels: of paths only the last part."""
    values = all_settings(config)
    # A data set may lie in several folders.
    paths = {n: [v] if isinstance(v := values[n], str) else v for n in PATH_SETTINGS}
    return values | {n: ", ".join(Path(path).name for path in paths[n]) for n in paths}


TABLE_HEADER = (
    "epoch      lr    loss     l1     ce    acc |  v_l1  v_iou  v_acc v_joint |  img/s  secs"
)


def table_row(row: dict[str, Any]) -> str:
    """One epoch in fixed columns; dashes where nothing was validated."""
    left = (
        f"{row['epoch']:5d} {row['lr']:7.1e} {row['loss']:7.2f} {row['l1_px']:6.2f}"
        f" {row['cross_entropy']:6.3f} {row['accuracy']:6.3f}"
    )
    names = ("l1_px_224", "mean_iou", "class_accuracy", "joint")
    widths = ("5.2f", "6.3f", "6.3f", "7.3f")
    shown = [
        format(row[f"val_{n}"], w) if f"val_{n}" in row else "-".rjust(int(w[0]))
        for n, w in zip(names, widths, strict=True)
    ]
    return f"{left} | {' '.join(shown)} | {row['images_per_s']:6.1f} {row['seconds']:5.0f}"
