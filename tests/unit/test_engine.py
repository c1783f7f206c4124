"""What a run keeps: sums, state and history, stopped at any step and on a full disk."""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.data_loader import prepare_data_loader
from conftest import file_size_limit, mounted_tmpfs

from model.augment import AugmentConfig, photo_seed
from model.checkpoint import CheckpointInfo, read_info, save_checkpoint
from model.data.dataset import read_split
from model.errors import UserError
from model.evaluation.predict_dataset import Predictions
from model.loading.dataset import LargestObjectDataset, train_loader
from model.score import Calibration
from model.training.ema import WeightAverage
from model.training.engine import EpochSums, Run, clip_gradients, table_row
from model.training.run_folder import STATE_FILE, STATE_FORMAT, inherited, load_state

EPOCHS = 2


@dataclass
class Config:
    """The settings the engine asks for, and the paths it shortens."""

    out: str
    resume: bool = False
    seed: int = 0
    epochs: int = EPOCHS
    val_split: str = "val"
    progress: bool = False
    data: str = "/some/where/data"
    cache_dir: str = ""
    backbone_weights: str = "none"
    start_from: str = "/some/where/first/last.safetensors"
    augment_file: str = ""
    lr: float = 0.1
    freeze: str = "none"
    freeze_batch_norm: bool = False
    batch_size: int = 4


class TinyDetector(torch.nn.Module):
    """Just enough of a detector to be trained and saved; 40 kB."""

    class_names, image_size, head_name = ("ant", "bee"), 64, "pyramid"

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3, 2)
        self.ballast = torch.nn.Parameter(torch.zeros(10_000))

    def forward(self, images):
        return self.layer(images.mean((2, 3))) + 0 * self.ballast.sum()


@dataclass
class Trial:
    """A run of :class:`TinyDetector`, started or resumed."""

    out: Path
    dataset: LargestObjectDataset
    stop_at: int = 10**9
    resume: bool = False
    run: Run = field(init=False)

    def __post_init__(self) -> None:
        config = Config(str(self.out), self.resume)
        accelerator = Accelerator(
            cpu=True, dataloader_config=DataLoaderConfiguration(split_batches=True)
        )
        state = load_state(config)
        model = TinyDetector()
        optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr)
        scheduler = torch.optim.lr_scheduler.LinearLR(optimizer)
        average = WeightAverage(model, 0.9)
        loader = train_loader(self.dataset, 4)
        model, optimizer, self.loader = accelerator.prepare(model, optimizer, loader)
        stop = SimpleNamespace(requested=lambda: self.run.step >= self.stop_at, number=2)
        self.run = Run(config, accelerator, model, average, optimizer, scheduler, stop)
        self.run.begin(state)

    def train(self) -> pd.DataFrame:
        for epoch in range(self.run.finished_epochs(len(self.loader)), EPOCHS):
            for images, _ in self.run.batches(self.loader, epoch):
                loss = (self.run.model(images) ** 2).mean() + torch.rand(()) / 3
                self.run.accelerator.backward(loss)
                self.run.optimizer.step()
                self.run.scheduler.step()
                self.run.optimizer.zero_grad()
                n = len(images)
                figures = dict.fromkeys(("loss", "l1_px", "cross_entropy"), n * loss.item())
                self.run.finish_step(n, figures | {"accuracy": 1.0})
            predictions = predictions_right_for(epoch)
            self.run.end_epoch(self.dataset, epoch, is_validated=True)
            self.run.finish_epoch(predictions)
        return history(self.out)


def predictions_right_for(n_right: int) -> Predictions:
    """Of ten photos, so many right."""
    classes = torch.tensor([0] * n_right + [1] * (10 - n_right))
    boxes = torch.tensor([[0.0, 0, 64, 64]]).repeat(10, 1)
    probabilities = torch.tensor([[0.9, 0.1]]).repeat(10, 1)
    return Predictions(probabilities, boxes, torch.zeros(10, 4), classes, boxes, 64)


def history(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "history.csv").drop(columns=["seconds", "images_per_s"])


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch):
    """Drawing the curves takes most of the time; test_train.py sees them drawn."""
    monkeypatch.setattr(
        "model.evaluation.plots.plot_history", lambda _, path: path.write_text("curves")
    )


@pytest.fixture
def dataset(toy_voc):
    wild = AugmentConfig(rotation_degrees=90, zoom=1, min_visible=0.95, box_rule="hull")
    return LargestObjectDataset(read_split(toy_voc, "train"), 64, wild, progress=False)


@pytest.mark.parametrize("stop_at", [1, 4, 7])  # an epoch has 5 steps
def test_a_stop_at_any_step_changes_no_figure_and_no_counter(dataset, toy_voc, tmp_path, stop_at):
    whole = Trial(tmp_path / "whole", dataset).train()
    assert whole.boxes_redrawn.min() > 0
    assert whole.boxes_given_up.max() > 0
    with pytest.raises(KeyboardInterrupt):
        Trial(tmp_path / "stopped", dataset, stop_at).train()
    again = LargestObjectDataset(
        read_split(toy_voc, "train"), 64, dataset.pipeline.config, progress=False
    )
    resumed = Trial(tmp_path / "stopped", again, resume=True).train()
    pd.testing.assert_frame_equal(resumed, whole, check_exact=True)


def test_a_run_killed_between_state_and_history_loses_no_row(dataset, tmp_path, monkeypatch):
    whole = Trial(tmp_path / "whole", dataset).train()
    trial = Trial(tmp_path / "killed", dataset)

    def killed(_):
        raise SystemExit("kill -9")

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save_history", killed)
        with pytest.raises(SystemExit):
            trial.train()
    assert not (tmp_path / "killed" / "history.csv").exists()
    resumed = Trial(tmp_path / "killed", dataset, resume=True)
    pd.testing.assert_frame_equal(history(tmp_path / "killed"), whole[:1])
    pd.testing.assert_frame_equal(resumed.train(), whole, check_exact=True)


def test_a_damaged_history_is_written_again_from_the_state(dataset, tmp_path):
    whole = Trial(tmp_path / "run", dataset).train()
    for damage in ("", "epoch,lo", "epoch,loss\n1,2\n"):
        (tmp_path / "run" / "history.csv").write_text(damage)
        Trial(tmp_path / "run", dataset, resume=True)
        pd.testing.assert_frame_equal(history(tmp_path / "run"), whole, check_exact=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("write", ["save_state", "save_checkpoint", "save_history"])
def test_a_disk_that_fills_up_leaves_the_old_files_as_they_were(dataset, tmp_path, write):
    trial = Trial(tmp_path, dataset)
    trial.train()
    before = contents(tmp_path)
    arguments = ("last", {}) if write == "save_checkpoint" else ()
    with file_size_limit(300), pytest.raises(UserError, match="File too large") as caught:
        getattr(trial.run, write)(*arguments)
    assert "\n" not in str(caught.value)
    assert "cannot write" in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("kib_left", [0, 4, 40, 100])
def test_a_really_full_disk_leaves_the_old_files_as_they_were(dataset, tmp_path, kib_left):
    with mounted_tmpfs(tmp_path / "disk", "size=2m") as disk:
        trial = Trial(disk / "run", dataset)
        trial.train()
        before = contents(disk / "run")
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
        (disk / "filler").write_bytes(bytes(free - kib_left * 1024))
        with pytest.raises(UserError, match="No space left on device") as caught:
            trial.run.save_state()
        assert "\n" not in str(caught.value)
        assert contents(disk / "run") == before


def test_a_disk_too_small_is_refused_before_the_first_epoch(dataset, tmp_path, monkeypatch):
    needed = Trial(tmp_path / "measured", dataset).run._bytes_to_write()
    usage = SimpleNamespace(free=needed - 1)
    monkeypatch.setattr("model.files.shutil.disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="MiB of disk space") as caught:
        Trial(tmp_path / "run", dataset)
    assert str(tmp_path / "run") in str(caught.value)
    usage.free = needed
    Trial(tmp_path / "run", dataset).train()
    written = sum(len(content) for content in contents(tmp_path / "run").values())
    assert written < needed + 200_000  # the history's picture
    usage.free = needed // 2  # enough, because what is there is only replaced
    Trial(tmp_path / "run", dataset, resume=True)


def save_state_with(path: Path, **changes) -> None:
    state = torch.load(path, weights_only=True)
    torch.save({k: v for k, v in {**state, **changes}.items() if v is not None}, path)


DAMAGE = {
    "cut by a byte": (lambda p: os.truncate(p, p.stat().st_size - 1), "is damaged"),
    "cut in half": (lambda p: os.truncate(p, p.stat().st_size // 2), "is damaged"),
    "cut short": (lambda p: os.truncate(p, 100), "is damaged"),
    "empty": (lambda p: os.truncate(p, 0), "is damaged"),
    "text": (lambda p: p.write_text("hello"), "is damaged"),
    "a command": (lambda p: p.write_bytes(b"cos\nsystem\n(S'true'\ntR."), "is damaged"),
    "a list": (lambda p: torch.save([1], p), "another version"),
    "older format": (lambda p: save_state_with(p, format=None), "another version"),
    "newer format": (lambda p: save_state_with(p, format="x/3"), "another version"),
    "other network": (lambda p: save_state_with(p, model={}), "another version"),
    "no optimizer": (lambda p: save_state_with(p, optimizer=None), "another version"),
    "other sums": (lambda p: save_state_with(p, sums={"photos": 1}), "another version"),
    "other settings": (
        lambda p: save_state_with(p, config={"lr": 0.5}), "trained with lr = 0.5, not 0.1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_gets_one_sentence_with_the_cure(dataset, tmp_path, damage):
    Trial(tmp_path, dataset).train()
    change, says = DAMAGE[damage]
    change(tmp_path / STATE_FILE)
    before = contents(tmp_path)
    with pytest.raises(UserError, match=says) as caught:
        Trial(tmp_path, dataset, resume=True)
    assert "another --out" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before


def test_the_state_is_a_format_of_its_own_and_the_checkpoint_names_no_folder(dataset, tmp_path):
    Trial(tmp_path, dataset).train()
    assert torch.load(tmp_path / STATE_FILE, weights_only=True)["format"] == STATE_FORMAT
    info = read_info(tmp_path / "best.safetensors")
    assert info.metrics["joint"] == pytest.approx(0.1)
    assert "/" not in json.dumps(info.config)
    assert info.config["data"] == "data"


def test_sums_are_exact_over_many_batches():
    sums = EpochSums()
    for _ in range(10_000):
        sums.add(32, {"loss": 32 * 0.1, "accuracy": 7})
    assert sums.means()["accuracy"] == 7 / 32
    assert sums.means()["loss"] == pytest.approx(0.1, rel=1e-12)


def test_rows_have_fixed_columns_with_and_without_validation():
    row = {
        "epoch": 3, "lr": 1e-3, "loss": 12.3, "l1_px": 4.5, "cross_entropy": 0.3, "accuracy": 0.9,
        "images_per_s": 123.4, "seconds": 56.7,
    }  # fmt: skip
    names = ("l1_px_224", "mean_iou", "class_accuracy", "joint")
    validated = row | {f"val_{name}": 0.5 for name in names}
    assert len(table_row(row)) == len(table_row(validated))
    assert table_row(row).count("-") == 5  # four dashes, and the rate's exponent


@pytest.mark.parametrize("limit", [0.0, 1.0, 5.0, 4.99, 100.0])
def test_gradients_are_clipped_as_by_torch(limit):
    ours, torchs = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    for layer in (ours, torchs):
        layer.weight.grad = torch.tensor([[3.0, 4.0]])  # of length 5; the bias has none
    clip_gradients(ours, limit)
    torch.nn.utils.clip_grad_norm_(torchs.parameters(), limit)
    torch.testing.assert_close(ours.weight.grad, torchs.weight.grad)


def test_the_data_set_hears_of_the_epoch_when_processes_share_the_batches(dataset, tmp_path):
    run = Trial(tmp_path, dataset).run
    loader = prepare_data_loader(
        train_loader(dataset, 4), num_processes=2, process_index=1, split_batches=True
    )
    run.step = len(loader)
    next(run.batches(loader, 1))
    assert dataset.photo_seed(0) == photo_seed(0, 1, dataset.files[0].name)


def test_a_run_keeps_the_predictions_of_the_weights_it_saved(dataset, tmp_path):
    run = Trial(tmp_path, dataset).run
    row = {"epoch": 1, "lr": 0.1, "loss": 1.0, "l1_px": 1.0, "cross_entropy": 1.0, "accuracy": 0.0,
           "images_per_s": 1.0, "seconds": 1.0}  # fmt: skip
    good, poor = predictions_right_for(5), predictions_right_for(2)
    run.row = {**row}
    run.finish_epoch(good)
    assert run.predictions == {"best": good, "last": good}
    run.row = {**row}
    run.finish_epoch(poor)
    assert run.predictions == {"best": good, "last": poor}
    run.row = {**row}
    run.finish_epoch(None)  # nobody looked at these weights
    assert run.predictions == {"best": good}


def test_what_a_run_takes_over_from_the_checkpoint_it_goes_on_from(dataset, tmp_path):
    rows = [{"run": "first", "epoch": 1}, {"epoch": 1, "loss": 2.0}]
    calibration = Calibration((0.5, 0.1, 0.2, 0.3), 0.1, 0.6)
    info = CheckpointInfo(config={"out": "second"}, history=rows, calibration=calibration)
    save_checkpoint(tmp_path / "first.safetensors", TinyDetector(), info)
    third = Config("third", start_from=str(tmp_path / "first.safetensors"))
    assert inherited(third) == ([rows[0], {"run": "second", **rows[1]}], calibration)
    assert inherited(dataclasses.replace(third, resume=True)) == ([], None)
    assert inherited(Config("third", start_from="")) == ([], None)
    assert inherited(Config("third", start_from="shipped"))[1]

    # Its weights have the old calibration until they get their own, a resumed run's too.
    trial = Trial(tmp_path / "run", dataset)
    trial.run.calibration = calibration
    trial.train()
    assert read_info(tmp_path / "run" / "last.safetensors").calibration == calibration
    assert Trial(tmp_path / "run", dataset, resume=True).run.calibration == calibration
