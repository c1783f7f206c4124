"""Train the largest-object detector on PASCAL VOC 2007, or on photos of your own.

    python train.py --data data                                  # one process, CPU or GPU
    python train.py --data mine --start-from shipped             # your photos, shipped weights
    accelerate launch --num_processes 4 train.py --data data     # four GPUs, or CPU processes
    python train.py --data data --resume                         # go on where it stopped

A run folder (``--out``) holds best.safetensors and last.safetensors (weights to use), last.state.pt
(to resume), history.csv, curves.png, augmented.png (what the network sees), predictions.png.
"""

import math
import sys
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import torch
import tyro
from accelerate.data_loader import DataLoaderShard
from accelerate.utils import set_seed

from model.augment import AugmentConfig, working_side
from model.checkpoint import checkpoint_path, load_trained_weights
from model.data.check import check
from model.data.dataset import Dataset
from model.data.formats import FormatName
from model.data.pixel_cache import refuse_without_room
from model.data.records import DatasetSplit
from model.errors import UserError, run_cli
from model.evaluation import plots
from model.evaluation.calibrate_checkpoint import calibrate_run
from model.evaluation.predict_dataset import LoaderOptions, Predictions, predict_dataset
from model.loading.close_ups import WithCloseUps
from model.loading.dataset import Batch, DetectionDataset, train_loader
from model.loading.negatives import WithNegatives
from model.loading.targets import pad_targets
from model.network.detector import LargestObjectDetector
from model.precision import broadcast_from_main
from model.training.batches import add_mosaics, shrink
from model.training.ema import WeightAverage
from model.training.engine import Run, clip_gradients
from model.training.first_sheet import draw_augmented
from model.training.launch import (
    build_training_accelerator,
    share_batch_norm,
    start_missing_processes,
)
from model.training.loss import cells_loss, largest_object_loss
from model.training.recipe import check_settings, check_val_split, recipe_for
from model.training.run_folder import inherited, load_state, locked_run_folder
from model.training.stopping import StopSignal


@dataclass
class TrainConfig:
    """Settings of a run: the command line, and what its checkpoints store."""

    # data
    data: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()  # a folder; default: "data"
    format: FormatName = "auto"  # annotation format; auto: recognised by the files in the folder
    class_names: tuple[str, ...] = ()  # the classes to learn; default: all that have an object
    train_split: str = "train"  # the part of the photos to learn from
    val_split: str = "val"  # the part to validate on; "none" holds nothing out
    image_size: int = 288  # side of the square canvas in pixels, a multiple of 32
    # Checkpoints store these two by field name; their flags are --aug.* and --augment FILE.

    augment: Annotated[AugmentConfig, tyro.conf.arg(name="aug")] = field(
        default_factory=AugmentConfig
    )
    # JSON with augmentation settings; replaces the --aug.* ones
    augment_file: Annotated[str, tyro.conf.arg(aliases=["--augment"])] = ""

    # network
    head: Literal["pyramid", "flatten"] = "pyramid"  # the detector's head, or the tutorial's
    backbone_weights: str = "imagenet"  # "imagenet", "none", or a safetensors path
    start_from: str = ""  # a checkpoint to go on from, or "shipped"; changes the defaults below
    freeze: Literal["none", "stem", "all"] = "stem"  # frozen part of the backbone
    freeze_batch_norm: bool = False  # keep batch norm's statistics as they are: for small batches

    # loss: L1 + 25 x cross-entropy, plus
    cells_weight: float = 0.5  # weight of the loss of the cells; 0 gives the tutorial's loss
    label_smoothing: float = 0.1  # smoothing of the class labels, 0 to 1
    negatives: float = 0.1  # images without object per photo: backgrounds, or empty windows

    # optimisation
    epochs: int = 14  # passes over the photos
    small_epochs: int = 8  # epochs on a smaller canvas, which is faster, at the beginning
    small_size: int = 160  # side of that smaller canvas in pixels, a multiple of 32
    mosaics: float = 0.0  # share of a batch replaced by mosaics of four photos, on the full canvas
    plain_epochs: int = 3  # epochs without mosaics at the end
    close_ups: float = 0.0  # share of photos replaced by close-ups, as in a second look
    batch_size: int = 32  # photos per step, over all processes together
    optimizer: Literal["adam", "adamw"] = "adamw"  # adamw: weight decay separate from the gradient
    lr: float = 1e-3  # learning rate of the head
    backbone_lr_ratio: float = 0.08  # the backbone's learning rate, as a share of the head's
    weight_decay: float = 0.05  # weight decay of convolutions and linear layers
    schedule: Literal["one-cycle", "constant"] = "one-cycle"  # how the learning rate changes
    clip_grad_norm: float = 100.0  # gradients with a larger norm are scaled down to it
    ema_decay: float = 0.998  # decay of the average of the weights, which is saved; 0: no average

    # running
    out: str = "runs/latest"  # folder for everything the run writes
    seed: int = 0  # seed of new weights, order of photos, augmentation and dropout
    precision: Literal["auto", "bf16", "fp32"] = "auto"  # auto: bf16 where the hardware has it
    num_workers: int = 1  # processes that prepare photos, for each training process
    eval_every: int = 1  # epochs between validations; the last epoch is always validated
    cache_dir: str = ""  # folder for decoded photos; default: the user's cache folder
    resume: bool = False  # go on with the run in --out, with the same settings
    progress: bool = True  # show a bar
    debug: bool = False  # tracebacks instead of one-line errors


def main(config: TrainConfig) -> None:
    """Train: data, network, loop, evaluation, checkpoints."""
    check_settings(config)
    accelerator = build_training_accelerator(config.precision, config.batch_size)
    state = broadcast_from_main(accelerator, lambda: load_state(config))
    set_seed(config.seed)

    # Decoding the photos takes minutes, so mistakes in the data are reported before it.
    with accelerator.local_main_process_first():  # the others then read what it cached
        data = read_data(config, show=accelerator.is_main_process)
    train_split = data.split(config.train_split)
    val_split = data.split(config.val_split) if config.val_split != "none" else None
    with accelerator.local_main_process_first():  # it downloads the weights, and decodes the photos
        model = build_model(config, train_split.class_names)
        splits = [train_split, val_split] if val_split else [train_split]
        refuse_without_room(splits, working_side(config.image_size), config.cache_dir)
        photos = build_dataset(config, train_split, train=True)
        val = build_dataset(config, val_split, train=False) if val_split else None
    dataset = WithNegatives(photos, config.negatives)
    for sentence in (photos.left_out(), val.left_out() if val else "", dataset.in_words()):
        if sentence:
            accelerator.print(sentence)
    loader = train_loader(dataset, config.batch_size, config.seed, config.num_workers)

    # Network, optimiser, schedule.
    model = share_batch_norm(model, accelerator)
    model = model.to(accelerator.device).to(memory_format=torch.channels_last)
    model.freeze(config.freeze, config.freeze_batch_norm)
    average = WeightAverage(model, config.ema_decay)
    optimizer = build_optimizer(model, config)
    scheduler = build_scheduler(optimizer, config, config.epochs * len(loader))
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)

    # Loop: train, evaluate, save.
    stop = StopSignal(accelerator)
    run = Run(config, accelerator, model, average, optimizer, scheduler, stop)
    run.history, run.calibration = inherited(config)
    run.begin(state)
    run.announce(config.train_split, len(photos), len(loader))
    if accelerator.is_main_process:
        draw_augmented(photos, run.out / "augmented.png")
    for epoch in range(run.finished_epochs(len(loader)), config.epochs):
        due = (epoch + 1) % config.eval_every == 0 or epoch + 1 == config.epochs
        if not run.row:  # else the run was stopped during validation: the epoch is trained
            train_one_epoch(run, config, loader, epoch)
            run.end_epoch(dataset, epoch, is_validated=bool(val and due))
        with run.stop.at_once():
            predictions = evaluate(run, config, val) if val and due else None
        run.finish_epoch(predictions)

    with run.stop.at_once():
        if val:
            calibrate_run(run.out, val, accelerator, run.predictions, config.progress)
        if accelerator.is_main_process:
            draw_predictions(run, val or build_dataset(config, train_split, train=False))
        written = "best.safetensors, last.safetensors, history.csv, plots"
        accelerator.print(f"wrote {run.out}/: {written}")
    accelerator.end_training()


def train_one_epoch(run: Run, config: TrainConfig, loader: DataLoaderShard, epoch: int) -> None:
    """One optimisation step for every batch."""
    run.model.train()
    for batch in run.batches(loader, epoch):
        loss, figures = batch_loss(run, config, batch, epoch)
        if not math.isfinite(loss.item()):
            raise UserError(
                f"the loss became {loss.item()} in epoch {epoch + 1}. Lower --lr (now"
                f" {config.lr:g}) or use --precision fp32; {config.out} keeps what was saved."
            )
        run.accelerator.backward(loss)
        clip_gradients(run.model, config.clip_grad_norm)
        run.optimizer.step()
        run.scheduler.step()
        run.optimizer.zero_grad()
        run.finish_step(len(batch.images), figures)


def batch_loss(
    run: Run, config: TrainConfig, batch: Batch, epoch: int
) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss of a batch, and its figures for the history, each summed over the images."""
    images, targets = batch.images, batch.targets
    if config.mosaics and config.small_epochs <= epoch < config.epochs - config.plain_epochs:
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + run.step)
        images, targets = add_mosaics(images, targets, config.mosaics, generator)
    targets = pad_targets(targets)
    if epoch < config.small_epochs:
        images, targets = shrink(images, targets, config.small_size)
    output = run.model(images)
    largest = largest_object_loss(output, targets, images.shape[-1], config.label_smoothing)
    loss = largest.total
    figures = {"l1_px": largest.l1_px, "cross_entropy": largest.cross_entropy}
    if output.cells and config.cells_weight:
        cells = cells_loss(output.cells, targets, images.shape[-1]).total
        loss = loss + config.cells_weight * cells
        figures["cells"] = cells
    n_correct = (output.logits.argmax(1) == targets.labels[:, 0]).sum()
    n_objects = (targets.labels[:, 0] >= 0).sum().clamp(min=1)
    means = {"loss": loss, **figures, "accuracy": n_correct / n_objects}
    return loss, {name: len(images) * value.item() for name, value in means.items()}


def evaluate(run: Run, config: TrainConfig, val: DetectionDataset) -> Predictions:
    """What the averaged weights predict for the validation split."""
    options = LoaderOptions(progress=config.progress)
    return predict_dataset(run.average.model, val, run.accelerator, options)


def draw_predictions(run: Run, dataset: DetectionDataset) -> None:
    """``predictions.png``: what the averaged weights predict for some photos."""
    predictions, device = run.predictions.get("last"), run.accelerator.device
    tiles = plots.spread_tiles(run.average.model, dataset, device, predictions)
    plots.picture_sheet(tiles, run.out / "predictions.png")


def read_data(config: TrainConfig, show: bool) -> Dataset:
    """Read the annotations; ``show`` prints a summary of their problems. Decodes no photo."""
    bars = show and config.progress
    data = Dataset(config.data, config.format, config.class_names, config.cache_dir, bars)
    check_val_split(config.val_split, data.splits)
    if show:
        size = working_side(config.image_size)
        print(check(data, False, size, config.cache_dir, bars).summary(), flush=True)
    return data


def build_dataset(config: TrainConfig, split: DatasetSplit, train: bool) -> DetectionDataset:
    """The photos of one split, augmented for training."""
    augment, close_ups = (config.augment, config.close_ups) if train else (None, 0.0)
    return WithCloseUps(
        split, config.image_size, augment, config.seed, config.cache_dir, config.progress, close_ups
    )


def build_model(config: TrainConfig, class_names: tuple[str, ...]) -> LargestObjectDetector:
    """A new network, or that of a checkpoint; a resumed run loads its weights with its state."""
    is_loaded = config.start_from or config.resume
    backbone_weights = "none" if is_loaded else config.backbone_weights
    model = LargestObjectDetector(class_names, config.image_size, config.head, backbone_weights)
    if config.start_from and not config.resume:
        load_trained_weights(model, checkpoint_path(config.start_from))
    return model


def build_optimizer(model: LargestObjectDetector, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam with a lower rate for the backbone, and no weight decay on biases and batch norm."""
    groups = []
    for module, ratio in ((model.backbone, config.backbone_lr_ratio), (model.head, 1.0)):
        trainable = [p for p in module.parameters() if p.requires_grad]
        for decays in (True, False):
            chosen = [p for p in trainable if (p.ndim > 1) == decays]
            if chosen:
                decay = config.weight_decay if decays else 0.0
                groups.append({"params": chosen, "lr": config.lr * ratio, "weight_decay": decay})
    adam = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return adam(groups, fused=True)  # one pass over memory instead of a dozen


def build_scheduler(
    optimizer: torch.optim.Optimizer, config: TrainConfig, total_steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """One-cycle learning rate (Smith 2018), or the tutorial's constant rate."""
    if config.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0)
    rates = [group["lr"] for group in optimizer.param_groups]
    # PyTorch divides by zero where the warm-up is exactly one step.
    warm_up = 0.2 if total_steps != 5 else 0.3
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps, pct_start=warm_up)


def from_command_line() -> None:
    """Read the settings, start missing processes, and train."""
    config = tyro.cli(TrainConfig, description=__doc__)
    if config.start_from:  # few photos need other defaults; flags that were given keep their value
        n_photos = len(read_data(config, show=False).split(config.train_split).frame)
        defaults = replace(TrainConfig(), **recipe_for(n_photos))
        config = tyro.cli(TrainConfig, default=defaults)
    if config.augment_file:
        config.augment = AugmentConfig.from_file(config.augment_file)
    start_missing_processes()
    with locked_run_folder(config):
        main(config)


if __name__ == "__main__":
    sys.exit(run_cli(from_command_line, debug="--debug" in sys.argv))
