"""Say what augmentation settings do to all boxes of a data set, before training.

    python -m model.audit --data data --out audit
    python -m model.audit --data data --augment mine.json --against other.json --out audit

Writes report.html, photos.csv, classes.csv and audit.json. Only the photos that are shown are
opened; all numbers come from what would be drawn.
"""

from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from model.augment import AugmentConfig
from model.checked import check_ranges
from model.commands import run
from model.commands.options import DataOptions
from model.files import ensure_writable
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.causes import Limits, Trials
from model.inspect.audit.report import ConfigAudit, write_audit
from model.inspect.audit.tally import FIRST_PHOTOS, tallies
from model.inspect.audit.verdict import verdict
from model.words import counted, percent

RANGES = {
    "epochs": (1, 1000), "seed": (0, 2**31 - 1), "image_size": (32, 2048), "tiles": (0, 50),
    "max_lost": (0, 1), "min_iou": (0, 1),
}  # fmt: skip


@dataclass
class AuditConfig(DataOptions):
    """Say what augmentation settings do to all boxes of a data set, before training."""

    out: Path  # folder to write into
    split: str = "train"
    augment: Path | None = None  # JSON with augmentation settings; default: those of train.py
    against: Path | None = None  # other settings to compare them with
    epochs: int = 10  # how often each photo is drawn
    seed: int = 0  # of the training run
    image_size: int = 288  # side of the network's canvas in pixels
    max_lost: float = 0.01  # limit: share of draws that may lose the target at first
    min_iou: float = 0.8  # limit: median IoU of hull and ellipse
    tiles: int = 6  # worst photos shown of each kind


def main(config: AuditConfig) -> None:
    """Read the boxes, count, print the verdict, write the files."""
    check_ranges(config, RANGES)
    paths = [path for path in (config.augment, config.against) if path]
    settings = [(path.name, AugmentConfig.from_file(path)) for path in paths]
    if config.augment is None:
        settings.insert(0, ("the settings of train.py", AugmentConfig()))
    ensure_writable(config.out)
    dataset = config.dataset()
    split = dataset.split(config.split)
    table = BoxTable.of(split, config.image_size)
    sides = [_audit(config, table, name, augment) for name, augment in settings]
    title = f"{', '.join(folder.name for folder in dataset.folders)}, {config.split}"
    written = write_audit(config.out, sides, title, config.seed, config.tiles)
    print(f"wrote {config.out}/: {', '.join(written)}")


def _audit(config: AuditConfig, table: BoxTable, name: str, augment: AugmentConfig) -> ConfigAudit:
    """Audit one configuration and print its findings."""
    with tqdm(total=len(table), desc=name, unit="photo", disable=not config.progress) as bar:
        for tally in tallies(table, augment, config.seed, config.epochs):
            bar.update(tally.done - bar.n)
            if tally.done == FIRST_PHOTOS < len(table):
                lost = percent(tally.numbers("target").lost)
                bar.write(f"{counted(tally.done, 'photo')} so far: {lost} of the draws are lost.")
    limits = Limits(config.max_lost, config.min_iou)
    trials = Trials(table, augment, config.seed, limits, config.epochs)
    findings = verdict(tally, trials)
    print(f"{name}, {counted(len(table), 'photo')}, {counted(config.epochs, 'draw')} each:")
    for finding in findings:
        print(f"  {finding.level}: {finding.text} {finding.remedy}".rstrip())
    return ConfigAudit(name, tally, trials, findings)


if __name__ == "__main__":
    run(main, AuditConfig, __doc__)
