"""The state of a training run, so that it can be stopped at any moment and resumed unchanged.

A run folder holds best.safetensors and last.safetensors (weights to use), last.state.pt (all that
is needed to resume, with the history), history.csv and curves.png (made from the history), and
augmented.png.
"""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.data_loader import DataLoaderShard
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from tqdm import tqdm

from model.checkpoint import CheckpointInfo, library_versions, save_checkpoint
from model.errors import StoppedError, UserError
from model.evaluation import plots
from model.evaluation.metrics import summarize
from model.evaluation.predict_dataset import Predictions
from model.files import ensure_room, write_file
from model.loading.dataset import EpochDataset
from model.network.detector import LargestObjectDetector
from model.score import Calibration
from model.training.ema import WeightAverage
from model.training.run_folder import STATE_FILE, RunConfig, shared_settings, write_state
from model.training.stopping import StopSignal
from model.words import counted


@dataclass
class EpochSums:
    """Running sums over the photos of an epoch, in one process.

    Attributes:
        images: number of photos.
        seconds: time spent on them.
        figures: name -> sum over the photos, in the order of the training step.
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
        """The mean of every figure per photo."""
        return {name: value / self.images for name, value in self.figures.items()}

    def over_processes(self, accelerator: Accelerator) -> "EpochSums":
        """The sums over all processes together."""
        if accelerator.num_processes == 1:
            return self
        # float32 would make a resumed run differ from an uninterrupted one.
        values = [self.images, self.seconds, *self.figures.values()]
        sums = torch.tensor(values, dtype=torch.float64, device=accelerator.device)
        images, seconds, *figures = accelerator.reduce(sums, "sum").tolist()
        return EpochSums(images, seconds, dict(zip(self.figures, figures, strict=True)))


@dataclass
class Run:
    """All that changes while training, and how it is saved and restored.

    Attributes:
        history: one dict per epoch; epochs of the runs it was started from come first.
        row: of an epoch that is trained and not yet validated, for the history; else empty.
        calibration: of the checkpoint it was started from; its checkpoints carry it until they get
            their own.
        step: optimisation steps taken since the start of the run.
        best: highest joint accuracy on the validation split.
        sums: of the current epoch.
        lost: bool, a row per photo: boxes lost in the current epoch before the run was stopped; see
            :attr:`model.loading.dataset.EpochDataset.lost`.
        predictions: ``best`` and ``last`` -> predictions of those weights for the validation split,
            if this process made them.
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
        """The detector without accelerate's wrapper."""
        return cast(LargestObjectDetector, self.accelerator.unwrap_model(self.model))

    def batches(self, loader: DataLoaderShard, epoch: int) -> Iterator[Any]:
        """The remaining batches of an epoch.

        Raises:
            StoppedError: after a stop signal, once everything is saved.
        """
        dataset = cast(EpochDataset, loader.dataset)
        loader.set_epoch(epoch)  # reaches the sampler
        dataset.set_epoch(epoch)  # accelerate does not with several processes
        last_step = (epoch + 1) * len(loader)
        done = self.step - epoch * len(loader)  # not 0 only after a stop inside the epoch
        bar = tqdm(
            self.accelerator.skip_first_batches(loader, done) if done else loader,
            f"epoch {epoch + 1}/{self.config.epochs}", len(loader), initial=done, leave=False,
            disable=not (self.config.progress and self.accelerator.is_main_process),
        )  # fmt: skip
        started = time.perf_counter() - self.sums.seconds
        for batch in bar:
            # Dropout depends only on seed, step and process, so that resuming repeats it.
            key = (self.config.seed, self.step, self.accelerator.process_index)
            torch.manual_seed(hash(key))
            yield batch
            self.sums.seconds = time.perf_counter() - started
            bar.set_postfix(self._shown(), refresh=False)
            # After the last batch the epoch is finished first, so that the history has its row.
            if self.step < last_step and self.stop.requested():
                bar.close()
                self._save_and_leave(dataset, epoch)

    def finish_step(self, n_images: int, figures: dict[str, float]) -> None:
        """Count an optimisation step; ``figures`` are sums over the photos of its batch."""
        self.step += 1
        self.average.update(self.bare_model, self.step)
        self.sums.add(n_images, figures)

    def end_epoch(self, dataset: EpochDataset, epoch: int, is_validated: bool) -> None:
        """Make the epoch's row of the history, over all processes, and reset the sums.

        Validation takes long, so the state is saved before it; a run stopped then resumes with it.
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
        """How many epochs of ``steps`` steps are in the history."""
        return self.step // steps - bool(self.row)

    def finish_epoch(self, predictions: Predictions | None) -> None:
        """Print and save a finished epoch; ``predictions`` if the validation split was due."""
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
            self.save_checkpoint("best", metrics, predictions)
        self.save_checkpoint("last", metrics, predictions)
        self.save_state()
        self.save_history()

    def begin(self, state: dict[str, Any] | None) -> None:
        """Restore ``state``, if there is one, and check the free disk space.

        Raises:
            UserError: if there is too little, or ``state`` does not fit.
        """
        if state:
            self.restore(state)
        if self.accelerator.is_main_process:
            ensure_room(self.out, self._bytes_to_write())
        if self.history:
            self.save_history()  # a crash may have come between saving state and history

    def announce(self, split: str, n_photos: int, n_steps: int) -> None:
        """Print a summary of the run, and the header of the table of epochs."""
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

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`save_state` wrote.

        Raises:
            UserError: if it is the state of another network or program version.
        """
        try:
            self.bare_model.load_state_dict(state["model"])
            self.average.model.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scheduler.load_state_dict(state["scheduler"])
            self.step, self.best = state["step"], state["best"]
            self.history, self.lost = state["history"], state["lost"]
            self.row = state.get("row", {})  # older states have neither
            if state.get("calibration"):
                self.calibration = Calibration.from_dict(state["calibration"])
            if self.accelerator.is_main_process:  # these are sums over all processes
                self.sums = EpochSums(**state["sums"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(
                f"{self.out / STATE_FILE} was written by another version of this program"
                f" ({str(error).splitlines()[0]}). Start a new run with another --out."
            ) from None

    def save_state(self) -> None:
        """Write everything :meth:`restore` needs into ``last.state.pt``."""
        sums = self.sums.over_processes(self.accelerator)
        if self.accelerator.is_main_process:
            state = {
                "model": self.bare_model.state_dict(), "average": self.average.model.state_dict(),
                "optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict(),
                "step": self.step, "best": self.best, "history": self.history,
                "row": self.row, "sums": dataclasses.asdict(sums), "lost": self.lost,
                "calibration": self.calibration and dataclasses.asdict(self.calibration),
            }  # fmt: skip
            write_state(self.config, state)

    def save_checkpoint(
        self, name: str, metrics: dict[str, Any], predictions: Predictions | None = None
    ) -> None:
        """Write the averaged weights; ``predictions`` are theirs for the validation split."""
        self.predictions.pop(name, None)
        if predictions:
            self.predictions[name] = predictions
        model = self.bare_model
        info = CheckpointInfo(
            class_names=model.class_names, image_size=model.image_size, head=model.head_name,
            config=shared_settings(self.config), metrics=metrics, history=self.history,
            versions=library_versions(), calibration=self.calibration,
        )  # fmt: skip
        if self.accelerator.is_main_process:
            save_checkpoint(self.out / f"{name}.safetensors", self.average.model, info)

    def save_history(self) -> None:
        """Write ``history.csv`` and ``curves.png``."""
        if self.accelerator.is_main_process:
            frame = pd.DataFrame(self.history)
            write_file(self.out / "history.csv", frame.to_csv(index=False))
            plots.plot_history(frame, self.out / "curves.png")

    def _save_and_leave(self, dataset: EpochDataset, epoch: int) -> None:
        self.lost = self._lost_so_far(dataset)
        self.save_checkpoint("last", {})
        self.save_state()
        self.accelerator.print(f"stopped in epoch {epoch + 1}; go on with --resume.")
        raise StoppedError(self.stop.number)

    def _lost_so_far(self, dataset: EpochDataset) -> Tensor:
        """:attr:`lost` of the whole epoch: over all processes, and before and after a stop."""
        flags = (dataset.lost | self.lost).float().to(self.accelerator.device)
        return (self.accelerator.reduce(flags, "sum") > 0).cpu()

    def _shown(self) -> dict[str, str]:
        speed = self.sums.images * self.accelerator.num_processes / self.sums.seconds
        means = {name: f"{value:.4g}" for name, value in self.sums.means().items()}
        return {**means, "img_s": f"{speed:.1f}"}

    def _bytes_to_write(self) -> int:
        """Disk space the run needs beyond what its folder already holds."""
        weights = sum(t.numel() * t.element_size() for t in self.bare_model.state_dict().values())
        trainable = sum(p.numel() * 4 for p in self.bare_model.parameters() if p.requires_grad)
        state = 2 * weights + 2 * trainable  # network, average, and Adam's two moments
        # Each file is written beside the one it replaces: two states, best, last and one more.
        files = [self.out / STATE_FILE, *self.out.glob("*.safetensors")]
        held = sum(file.stat().st_size for file in files if file.is_file())
        return max(0, 2 * state + 3 * weights // 2 - held)


def clip_gradients(model: torch.nn.Module, limit: float) -> None:
    """Like ``clip_grad_norm_``, but writes the gradients only if their norm exceeds ``limit``."""
    norm = get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    if norm > limit:
        clip_grads_with_norm_(model.parameters(), limit, norm)


TABLE_HEADER = (
    "epoch      lr    loss     l1     ce    acc |  v_l1  v_iou  v_acc v_joint |  img/s  secs"
)


def table_row(row: dict[str, Any]) -> str:
    """One epoch in fixed columns; dashes if it was not validated."""
    left = (
        f"{row['epoch']:5d} {row['lr']:7.1e} {row['loss']:7.2f} {row['l1_px']:6.2f}"
        f" {row['cross_entropy']:6.3f} {row['accuracy']:6.3f}"
    )
    widths = {"l1_px_224": "5.2f", "mean_iou": "6.3f", "class_accuracy": "6.3f", "joint": "7.3f"}
    metrics = [
        format(row[f"val_{n}"], w) if f"val_{n}" in row else "-".rjust(int(w[0]))
        for n, w in widths.items()
    ]
    return f"{left} | {' '.join(metrics)} | {row['images_per_s']:6.1f} {row['seconds']:5.0f}"
