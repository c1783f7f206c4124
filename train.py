"""Train the largest-object detector on PASCAL VOC 2007.

    python train.py --data data                                  # one process, CPU or GPU
    accelerate launch --num_processes 4 train.py --data data     # four GPUs of one machine
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
from tqdm import tqdm

from model import plots
from model.augment import AugmentConfig
from model.checkpoint import CheckpointInfo, library_versions, save_checkpoint
from model.dataset import LargestObjectDataset, eval_loader, train_loader
from model.detector import LargestObjectDetector, split_outputs
from model.ema import WeightAverage
from model.errors import UserError, run_cli
from model.files import replacing
from model.loss import all_objects_loss, detection_loss
from model.metrics import summarize
from model.precision import has_native_bf16
from model.scoring import collect_answers
from model.voc import read_split


@dataclass
class TrainConfig:
    """Settings of a run: the command line, and what its checkpoints store."""

    # data
    data: str = "data"  # the folder above VOCdevkit, VOCdevkit, or VOC2007
    train_split: str = "train"
    val_split: str = "val"  # "" when there is nothing to validate on (trainval)
    image_size: int = 224
    augment: Annotated[AugmentConfig, tyro.conf.arg(name="aug")] = field(
        default_factory=AugmentConfig
    )
    augment_file: str = ""  # JSON with augmentation settings; replaces the --aug ones

    # network
    head: Literal["grid", "flatten"] = "grid"
    backbone_weights: str = "imagenet"  # "imagenet", "none", or a safetensors path
    freeze: Literal["none", "stem", "all"] = "stem"  # part of the backbone that does not learn

    # loss: L1 + 25 x cross-entropy, plus
    all_objects_weight: float = 0.0  # cells inside any annotated object answer for that object
    giou_weight: float = 0.0
    label_smoothing: float = 0.0

    # optimisation
    epochs: int = 12
    small_epochs: int = 0  # the first so many epochs see a smaller canvas, which is faster
    small_size: int = 160
    batch_size: int = 32  # over all processes together
    optimizer: Literal["adam", "adamw"] = "adamw"
    lr: float = 1e-3  # of the head
    backbone_lr_ratio: float = 0.2
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


def main(config: TrainConfig) -> None:
    """Train: data, network, loop, evaluation, checkpoints."""
    out = Path(config.out)
    accelerator = build_accelerator(config)
    state = load_state(out, config)
    set_seed(config.seed)

    # Data. The main process decodes the photos first; the others find the cache finished.
    train_split = read_split(config.data, config.train_split)
    with accelerator.main_process_first():
        dataset = build_dataset(config, config.train_split, train_split.class_names, train=True)
        val = config.val_split and build_dataset(
            config, config.val_split, train_split.class_names, train=False
        )
    loader = train_loader(dataset, config.batch_size, config.seed, config.num_workers)
    steps_per_epoch = len(loader)

    # Network, optimiser, schedule.
    model = LargestObjectDetector(
        dataset.class_names, config.image_size, config.head, config.backbone_weights
    ).to(accelerator.device, memory_format=torch.channels_last)
    model.freeze(config.freeze)
    average = WeightAverage(model, config.ema_decay)
    optimizer = build_optimizer(model, config)
    scheduler = build_scheduler(optimizer, config, config.epochs * steps_per_epoch)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    val_loader = accelerator.prepare(eval_loader(val)) if val else None
    bare_model = accelerator.unwrap_model(model)

    history, best, start_step = [], -1.0, 0
    if state:
        bare_model.load_state_dict(state["model"])
        average.model.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        history, best, start_step = state["history"], state["best"], state["step"]
    sums = state["sums"] if state else [0.0] * 6
    step = start_step

    def save(name: str, metrics: dict[str, Any]) -> None:
        info = CheckpointInfo(
            class_names=dataset.class_names, image_size=config.image_size, head=config.head,
            config=settings(config), metrics=metrics, history=history, versions=library_versions(),
        )  # fmt: skip
        if accelerator.is_main_process:
            save_checkpoint(out / f"{name}.safetensors", average.model, info)

    def save_last(metrics: dict[str, Any]) -> None:
        save("last", metrics)
        if accelerator.is_main_process:
            with replacing(out / "last.state.pt") as temporary:
                torch.save({
                    "model": bare_model.state_dict(), "average": average.model.state_dict(),
                    "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
                    "history": history, "best": best, "step": step, "sums": sums,
                    "config": settings(config),
                }, temporary)  # fmt: skip

    stop = StopSignal(accelerator)
    accelerator.print(
        f"{len(dataset)} photos from {config.train_split}, {steps_per_epoch} steps an epoch,"
        f" {accelerator.num_processes} process(es), {accelerator.device.type},"
        f" {accelerator.mixed_precision}"
    )
    accelerator.print(TABLE_HEADER)
    for epoch in range(step // steps_per_epoch, config.epochs):
        loader.set_epoch(epoch)  # reaches the sampler and the data set
        model.train()
        done = step - epoch * steps_per_epoch  # not 0 only when a run stopped inside an epoch
        batches = accelerator.skip_first_batches(loader, done) if done else loader
        bar = tqdm(
            batches, f"epoch {epoch + 1}/{config.epochs}", steps_per_epoch, initial=done,
            leave=False, disable=not (config.progress and accelerator.is_main_process),
        )  # fmt: skip
        started, seen = time.perf_counter(), 0
        for images, (bbox_xyxy, class_id), *objects in bar:
            # Dropout depends on seed, step and process alone, so that resuming repeats it.
            torch.manual_seed(hash((config.seed, step, accelerator.process_index)))
            if epoch < config.small_epochs:
                images = shrink(images, config.small_size)
            images = images.contiguous(memory_format=torch.channels_last)
            outputs, cells = model(images, return_cells=True)
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
                    f" {config.lr:g}) or use --precision fp32; {out} keeps the last good state."
                )
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), config.clip_grad_norm)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            step += 1
            average.update(bare_model, step)

            right = (split_outputs(outputs)[0].argmax(1) == class_id).sum().item()
            n = len(images)
            values = (loss, terms.l1_px, terms.cross_entropy)
            sums = add(sums, [n, *(n * v.item() for v in values), right, 0.0])
            seen += n
            speed = seen * accelerator.num_processes / (time.perf_counter() - started)
            bar.set_postfix(
                loss=f"{sums[1] / sums[0]:.2f}", l1=f"{sums[2] / sums[0]:.2f}",
                acc=f"{sums[4] / sums[0]:.3f}", img_s=f"{speed:.1f}", refresh=False,
            )  # fmt: skip
            if stop.requested():
                sums[5] += time.perf_counter() - started
                save_last({})
                accelerator.print(f"stopped in epoch {epoch + 1}; go on with --resume.")
                raise KeyboardInterrupt

        # End of the epoch: average over processes, validate, write everything down.
        sums[5] += time.perf_counter() - started
        total = accelerator.reduce(torch.tensor(sums, device=accelerator.device), "sum").tolist()
        seconds = total[5] / accelerator.num_processes
        row = {
            "epoch": epoch + 1, "lr": scheduler.get_last_lr()[-1],
            "loss": total[1] / total[0], "l1_px": total[2] / total[0],
            "cross_entropy": total[3] / total[0], "accuracy": total[4] / total[0],
            "images_per_s": total[0] / seconds, "seconds": seconds,
        }  # fmt: skip
        sums = [0.0] * 6
        metrics: dict[str, Any] = {}
        last_epoch = epoch + 1 == config.epochs
        if val_loader and (last_epoch or (epoch + 1) % config.eval_every == 0):
            answers = collect_answers(
                average.model, val_loader, accelerator, config.image_size, progress=config.progress
            )
            metrics = {"split": config.val_split, **summarize(answers.scores())}
            row |= {f"val_{k}": v for k, v in metrics.items() if k != "split"}
        history.append(row)
        accelerator.print(table_row(row))
        if not val_loader or metrics.get("joint", -1.0) > best:
            best = metrics.get("joint", -1.0)
            save("best", metrics)
        save_last(metrics)
        if accelerator.is_main_process:
            frame = pd.DataFrame(history)
            with replacing(out / "history.csv") as temporary:
                frame.to_csv(temporary, index=False)
            plots.plot_history(frame, out / "curves.png")

    if accelerator.is_main_process:
        shown = val or build_dataset(config, config.train_split, dataset.class_names, train=False)
        entries = plots.ask_spread(average.model, shown, accelerator.device)
        plots.picture_sheet(entries, out / "predictions.png")
        accelerator.print(f"wrote {out}/: best.safetensors, last.safetensors, history.csv, plots")
    accelerator.end_training()


def build_accelerator(config: TrainConfig) -> Accelerator:
    """One loop for CPU, one GPU or many: each batch is split among the processes."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    bf16 = config.precision == "bf16" or (config.precision == "auto" and has_native_bf16(device))
    return Accelerator(
        mixed_precision="bf16" if bf16 else "no",
        dataloader_config=DataLoaderConfiguration(split_batches=True),
    )


def build_dataset(
    config: TrainConfig, split: str, class_names: tuple[str, ...], train: bool
) -> LargestObjectDataset:
    """The photos of one split, augmented for training."""
    return LargestObjectDataset(
        read_split(config.data, split, class_names),
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
    return adam(groups)


def build_scheduler(
    optimizer: torch.optim.Optimizer, config: TrainConfig, total_steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """One cycle (Smith 2018), or the tutorial's constant rate."""
    if config.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0)
    rates = [group["lr"] for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps, pct_start=0.2)


class StopSignal:
    """Ctrl-C or ``kill``: finish the batch, save, leave. A second one stops at once."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator, self.received = accelerator, False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: object) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = True

    def requested(self) -> bool:
        """Whether any process was asked to stop; all of them answer alike."""
        if self.accelerator.num_processes == 1:
            return self.received
        flag = torch.tensor(float(self.received), device=self.accelerator.device)
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


def add(first: list[float], second: list[float]) -> list[float]:
    """Element by element."""
    return [a + b for a, b in zip(first, second, strict=True)]


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


def parse() -> TrainConfig:
    """The command line as settings."""
    config = tyro.cli(TrainConfig, description=__doc__)
    if config.augment_file:
        config.augment = AugmentConfig.from_file(config.augment_file)
    return config


if __name__ == "__main__":
    sys.exit(run_cli(lambda: main(parse()), debug="--debug" in sys.argv))
