"""Train the largest-object detector on PASCAL VOC 2007.

    python train.py --data data                                  # one process, CPU or GPU
    accelerate launch --num_processes 4 train.py --data data     # four GPUs, or CPU processes
    python train.py --data data --resume                         # go on where it stopped

A run folder (``--out``) holds best.safetensors and last.safetensors (weights to use), last.state.pt
(to resume), history.csv, curves.png, predictions.png.
"""

import dataclasses
import json
import math
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import torch
import torch.nn.functional as F
import tyro
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import set_seed
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.utils.data import DataLoader
from tqdm import tqdm

from model import plots
from model.augment import AugmentConfig
from model.checkpoint import CheckpointInfo, library_versions, save_checkpoint
from model.dataset import LargestObjectDataset, eval_loader, train_loader
from model.detector import LargestObjectDetector, split_outputs
from model.ema import WeightAverage
from model.errors import UserError, run_cli
from model.files import atomic_write
from model.launch import start_missing_processes
from model.loss import all_objects_loss, detection_loss
from model.metrics import summarize
from model.precision import best_device, has_native_bf16
from model.scoring import collect_answers
from model.voc import VocSplit, read_split


@dataclass
class TrainConfig:
    """Settings of a run: the command line, and what its checkpoints store."""

    # data
    data: str = "data"  # the folder above VOCdevkit, VOCdevkit, or VOC2007
    train_split: str = "train"
    val_split: str = "val"  # "none" when nothing is held out (trainval)
    image_size: int = 256
    augment: Annotated[AugmentConfig, tyro.conf.arg(name="aug")] = field(
        default_factory=AugmentConfig
    )
    # JSON with augmentation settings; replaces the --aug.* ones
    augment_file: Annotated[str, tyro.conf.arg(aliases=["--augment"])] = ""

    # network
    head: Literal["decoupled", "grid", "flatten"] = "decoupled"
    backbone_weights: str = "imagenet"  # "imagenet", "none", or a safetensors path
    freeze: Literal["none", "stem", "all"] = "stem"  # part of the backbone that does not learn

    # loss: L1 + 25 x cross-entropy, plus
    all_objects_weight: float = 0.5  # cells inside any annotated object answer for that object
    giou_weight: float = 0.0
    label_smoothing: float = 0.0

    # optimisation
    epochs: int = 14
    small_epochs: int = 10  # the first so many epochs see a smaller canvas, which is faster
    small_size: int = 160
    batch_size: int = 32  # over all processes together
    optimizer: Literal["adam", "adamw"] = "adamw"
    lr: float = 1e-3  # of the head
    backbone_lr_ratio: float = 0.12
    weight_decay: float = 0.02
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    clip_grad_norm: float = 100.0
    ema_decay: float = 0.998

    # running
    out: str = "runs/latest"
    seed: int = 0
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    num_workers: int = 1
    eval_every: int = 1  # epochs between validations; the last epoch always is
    cache_dir: str = ""  # of decoded photos; default: the user's cache folder
    resume: bool = False
    progress: bool = True
    debug: bool = False  # tracebacks instead of one-line errors

    def __post_init__(self) -> None:
        if self.small_epochs and self.head == "flatten":
            raise UserError("the flatten head needs the full canvas: add --small-epochs 0.")
        if self.small_epochs and (self.small_size % 32 or self.small_size < 32):
            raise UserError(f"--small-size must be a multiple of 32, not {self.small_size}.")
        if self.small_epochs and self.small_size > self.image_size:
            raise UserError(
                f"--small-size {self.small_size} is larger than --image-size {self.image_size}."
                " Make it smaller, or add --small-epochs 0."
            )


def main(config: TrainConfig) -> None:
    """Train: data, network, loop, evaluation, checkpoints."""
    out = Path(config.out)
    accelerator = build_accelerator(config)
    state = load_state(out, config)
    set_seed(config.seed)

    # Data. The main process decodes the photos first; the others find the cache finished.
    train_split = read_split(config.data, config.train_split)
    class_names = train_split.class_names
    with accelerator.main_process_first():
        dataset = build_dataset(config, train_split, train=True)
        val = None
        if config.val_split != "none":
            val_split = read_split(config.data, config.val_split, class_names)
            val = build_dataset(config, val_split, train=False)
    loader = train_loader(dataset, config.batch_size, config.seed, config.num_workers)

    # Network, optimiser, schedule.
    model = LargestObjectDetector(
        class_names, config.image_size, config.head, config.backbone_weights
    ).to(accelerator.device, memory_format=torch.channels_last)
    model.freeze(config.freeze)
    average = WeightAverage(model, config.ema_decay)
    optimizer = build_optimizer(model, config)
    scheduler = build_scheduler(optimizer, config, config.epochs * len(loader))
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    val_loader = accelerator.prepare(eval_loader(val)) if val else None

    run = Run(config, accelerator, model, average, optimizer, scheduler)
    if state:
        run.restore(state)
    stop = StopSignal(accelerator)
    accelerator.print(
        f"{len(dataset)} photos from {config.train_split}, {len(loader)} steps an epoch,"
        f" {accelerator.num_processes} process(es), {accelerator.device.type},"
        f" {accelerator.mixed_precision}\n{TABLE_HEADER}",
        flush=True,
    )
    for epoch in range(run.step // len(loader), config.epochs):
        row = train_one_epoch(run, loader, epoch, stop)
        metrics: dict[str, Any] = {}
        if val_loader and ((epoch + 1) % config.eval_every == 0 or epoch + 1 == config.epochs):
            answers = collect_answers(
                average.model, val_loader, accelerator, config.image_size, progress=config.progress
            )
            metrics = {"split": config.val_split, **summarize(answers.scores())}
            row |= {f"val_{key}": value for key, value in metrics.items() if key != "split"}
        accelerator.print(table_row(row), flush=True)
        run.history.append(row)
        if not val_loader or metrics.get("joint", -1.0) > run.best:
            run.best = metrics.get("joint", -1.0)
            run.save_checkpoint("best", metrics)
        run.save_checkpoint("last", metrics)
        run.save_state()
        run.save_history()

    if accelerator.is_main_process:
        shown = val or build_dataset(config, train_split, train=False)
        entries = plots.ask_spread(average.model, shown, accelerator.device)
        plots.picture_sheet(entries, out / "predictions.png")
        accelerator.print(f"wrote {out}/: best.safetensors, last.safetensors, history.csv, plots")
    accelerator.end_training()


@dataclass
class Run:
    """All that changes while training, and how it is written down and read back."""

    config: TrainConfig
    accelerator: Accelerator
    model: torch.nn.Module
    average: WeightAverage
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    step: int = 0
    best: float = -1.0  # joint accuracy on the validation split
    history: list[dict[str, Any]] = field(default_factory=list)
    sums: "EpochSums" = field(default_factory=lambda: EpochSums())

    @property
    def bare_model(self) -> LargestObjectDetector:
        """The detector without what accelerate wraps around it."""
        return self.accelerator.unwrap_model(self.model)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`save_state` wrote."""
        self.bare_model.load_state_dict(state["model"])
        self.average.model.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.step, self.best, self.history = state["step"], state["best"], state["history"]
        self.sums = EpochSums(*state["sums"])

    def save_state(self) -> None:
        """Everything :meth:`restore` needs, in ``last.state.pt``."""
        sums = self.sums.over_processes(self.accelerator)
        if self.accelerator.is_main_process:
            with atomic_write(Path(self.config.out) / "last.state.pt") as temporary:
                torch.save({
                    "model": self.bare_model.state_dict(),
                    "average": self.average.model.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "scheduler": self.scheduler.state_dict(),
                    "step": self.step, "best": self.best, "history": self.history,
                    "sums": dataclasses.astuple(sums), "config": settings(self.config),
                }, temporary)  # fmt: skip

    def save_checkpoint(self, name: str, metrics: dict[str, Any]) -> None:
        """The averaged weights, to use."""
        info = CheckpointInfo(
            class_names=self.bare_model.class_names, image_size=self.config.image_size,
            head=self.config.head, config=shared_settings(self.config), metrics=metrics,
            history=self.history, versions=library_versions(),
        )  # fmt: skip
        if self.accelerator.is_main_process:
            path = Path(self.config.out) / f"{name}.safetensors"
            save_checkpoint(path, self.average.model, info)

    def save_history(self) -> None:
        """``history.csv`` and ``curves.png``."""
        if self.accelerator.is_main_process:
            frame = pd.DataFrame(self.history)
            with atomic_write(Path(self.config.out) / "history.csv") as temporary:
                frame.to_csv(temporary, index=False)
            plots.plot_history(frame, Path(self.config.out) / "curves.png")


@dataclass
class EpochSums:
    """Running sums over the photos of an epoch, in one process."""

    images: float = 0.0
    loss: float = 0.0
    l1_px: float = 0.0
    cross_entropy: float = 0.0
    right: float = 0.0
    seconds: float = 0.0

    def over_processes(self, accelerator: Accelerator) -> "EpochSums":
        """The average over all processes."""
        sums = torch.tensor(dataclasses.astuple(self), device=accelerator.device)
        return EpochSums(*accelerator.reduce(sums, "mean").tolist())


def train_one_epoch(
    run: Run, loader: DataLoader, epoch: int, stop: "StopSignal"
) -> dict[str, float]:
    """Every photo once; returns the epoch's row of the history."""
    config, accelerator, sums = run.config, run.accelerator, run.sums
    loader.set_epoch(epoch)  # reaches the sampler and the data set
    run.model.train()
    done = run.step - epoch * len(loader)  # not 0 only when a run was stopped inside an epoch
    bar = tqdm(
        accelerator.skip_first_batches(loader, done) if done else loader,
        f"epoch {epoch + 1}/{config.epochs}", len(loader), initial=done, leave=False,
        disable=not (config.progress and accelerator.is_main_process),
    )  # fmt: skip
    started, seconds_before, images_before = time.perf_counter(), sums.seconds, sums.images
    for images, (bbox_xyxy, class_id), *objects in bar:
        # Dropout depends on seed, step and process alone, so that resuming repeats it.
        torch.manual_seed(hash((config.seed, run.step, accelerator.process_index)))
        if epoch < config.small_epochs:
            images = shrink(images, config.small_size)
        outputs, cells = run.model(images, return_cells=True)
        terms = detection_loss(
            outputs, bbox_xyxy, class_id, config.image_size,
            config.giou_weight, config.label_smoothing,
        )  # fmt: skip
        loss = terms.total
        if objects and cells:
            extra = all_objects_loss(cells, objects[0], config.image_size)
            loss = loss + config.all_objects_weight * extra
        if not math.isfinite(loss.item()):
            raise UserError(
                f"the loss became {loss.item()} in epoch {epoch + 1}. Lower --lr (now"
                f" {config.lr:g}) or use --precision fp32; {config.out} keeps what was saved."
            )
        accelerator.backward(loss)
        clip_gradients(run.model, config.clip_grad_norm)
        run.optimizer.step()
        run.scheduler.step()
        run.optimizer.zero_grad()
        run.step += 1
        run.average.update(run.bare_model, run.step)

        n = len(images)
        sums.images += n
        sums.loss += n * loss.item()
        sums.l1_px += n * terms.l1_px.item()
        sums.cross_entropy += n * terms.cross_entropy.item()
        sums.right += (split_outputs(outputs)[0].argmax(1) == class_id).sum().item()
        elapsed = time.perf_counter() - started
        sums.seconds = seconds_before + elapsed
        speed = (sums.images - images_before) * accelerator.num_processes / elapsed
        bar.set_postfix(
            loss=f"{sums.loss / sums.images:.2f}", l1=f"{sums.l1_px / sums.images:.2f}",
            acc=f"{sums.right / sums.images:.3f}", img_s=f"{speed:.1f}", refresh=False,
        )  # fmt: skip
        # After the last batch the epoch is finished first: its row belongs into the history.
        if run.step < (epoch + 1) * len(loader) and stop.requested():
            bar.close()
            run.save_checkpoint("last", {})
            run.save_state()
            accelerator.print(f"stopped in epoch {epoch + 1}; go on with --resume.")
            raise KeyboardInterrupt

    mean = sums.over_processes(accelerator)
    run.sums = EpochSums()
    lost = torch.tensor(loader.dataset.lost_boxes(), device=accelerator.device)
    redrawn, gave_up = accelerator.reduce(lost, "sum").tolist()
    return {
        "epoch": epoch + 1, "lr": run.scheduler.get_last_lr()[-1],
        "loss": mean.loss / mean.images, "l1_px": mean.l1_px / mean.images,
        "cross_entropy": mean.cross_entropy / mean.images, "accuracy": mean.right / mean.images,
        "images_per_s": mean.images * accelerator.num_processes / mean.seconds,
        "seconds": mean.seconds, "boxes_redrawn": redrawn, "boxes_given_up": gave_up,
    }  # fmt: skip


def clip_gradients(model: torch.nn.Module, limit: float) -> None:
    """As ``clip_grad_norm_``, which rewrites all gradients even where none is too long."""
    parameters = [p for p in model.parameters() if p.grad is not None]
    norm = get_total_norm([p.grad for p in parameters])
    if norm > limit:
        clip_grads_with_norm_(parameters, limit, norm)


def build_accelerator(config: TrainConfig) -> Accelerator:
    """One loop for CPU, one GPU or many: each batch is split among the processes."""
    device = best_device()
    bf16 = config.precision == "bf16" or (config.precision == "auto" and has_native_bf16(device))
    return Accelerator(
        mixed_precision="bf16" if bf16 else "no",
        cpu=device.type == "cpu",  # without it accelerate does not look for other CPU processes
        dataloader_config=DataLoaderConfiguration(split_batches=True),
    )


def build_dataset(config: TrainConfig, split: VocSplit, train: bool) -> LargestObjectDataset:
    """The photos of one split, augmented for training."""
    return LargestObjectDataset(
        split,
        config.image_size,
        config.augment if train else None,
        config.seed,
        Path(config.cache_dir) if config.cache_dir else None,
        all_objects=train and config.all_objects_weight > 0,
        progress=config.progress,
    )


def build_optimizer(model: LargestObjectDetector, config: TrainConfig) -> torch.optim.Optimizer:
    """Lower rate for the backbone; no weight decay on biases and batch norm."""
    groups = []
    for module, ratio in ((model.backbone, config.backbone_lr_ratio), (model.head, 1.0)):
        learning = [p for p in module.parameters() if p.requires_grad]
        for decays in (True, False):
            chosen = [p for p in learning if (p.ndim > 1) == decays]
            if chosen:
                decay = config.weight_decay if decays else 0.0
                groups.append({"params": chosen, "lr": config.lr * ratio, "weight_decay": decay})
    adam = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return adam(groups, fused=True)  # one pass over memory instead of a dozen


def build_scheduler(
    optimizer: torch.optim.Optimizer, config: TrainConfig, total_steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """One cycle (Smith 2018), or the tutorial's constant rate."""
    if config.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0)
    rates = [group["lr"] for group in optimizer.param_groups]
    # With 5 steps a fifth of them is one, and PyTorch divides by zero.
    warm_up = 0.2 if total_steps != 5 else 0.3
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps, pct_start=warm_up)


class StopSignal:
    """Ctrl-C or ``kill``: finish the batch, save, leave. A second one stops at once."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.received: set[int] = set()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: object) -> None:
        # Launchers answer Ctrl-C with a SIGTERM of their own: only the same signal twice is haste.
        if number in self.received:
            raise KeyboardInterrupt
        self.received.add(number)

    def requested(self) -> bool:
        """Whether any process was asked to stop; all of them answer alike."""
        if self.accelerator.num_processes == 1:
            return bool(self.received)
        flag = torch.tensor(float(bool(self.received)), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum") > 0)


def load_state(out: Path, config: TrainConfig) -> dict[str, Any] | None:
    """What ``--resume`` goes on from; refuses to write over another run."""
    path = out / "last.state.pt"
    if not config.resume:
        if path.exists():
            raise UserError(
                f"{out} already holds a run. Go on with it (--resume) or choose another --out."
            )
        return None
    if not path.exists():
        raise UserError(f"{out} holds no run to resume. Check --out, or leave --resume out.")
    state = torch.load(path, map_location="cpu", weights_only=True)
    now = settings(config)
    free = {"resume", "progress", "debug", "num_workers", "eval_every", "data", "cache_dir", "out"}
    for key, value in state["config"].items():
        if key not in free and now.get(key) != value:
            raise UserError(
                f"{out} was trained with {key} = {value!r}, not {now.get(key)!r}."
                " Resume with the same settings, or start a new run with another --out."
            )
    return state


def shrink(images: torch.Tensor, side: int) -> torch.Tensor:
    """The batch on a smaller canvas; boxes stay in pixels of the full one."""
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True)


def settings(config: TrainConfig) -> dict[str, Any]:
    """All settings as plain values."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def shared_settings(config: TrainConfig) -> dict[str, Any]:
    """:func:`settings` for a file that travels: of paths only the last part, not whose disk."""
    values = settings(config)
    for name in ("data", "out", "cache_dir", "backbone_weights", "augment_file"):
        values[name] = Path(values[name]).name
    return values


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


def from_command_line() -> None:
    """Read the settings, see that all processes run, train."""
    config = tyro.cli(TrainConfig, description=__doc__)
    if config.augment_file:
        config.augment = AugmentConfig.from_file(config.augment_file)
    start_missing_processes()
    main(config)


if __name__ == "__main__":
    sys.exit(run_cli(from_command_line, debug="--debug" in sys.argv))
