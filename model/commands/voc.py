"""Fetch PASCAL VOC 2007, write it as a CSV, show its statistics.

python -m model.voc download --data data
python -m model.voc csv --data data --split trainval --out annotations.csv
python -m model.voc stats --data data --split trainval --out stats.png
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from model.data.voc import list_splits, read_split
from model.errors import run_cli
from model.files import atomic_write


@dataclass
class Csv:
    """Write one row an image - file, size, class and box of the largest object - as a CSV."""

    data: str = "data"  # the folder above VOCdevkit, VOCdevkit, or VOC2007
    split: str = "trainval"
    out: Path = Path("annotations.csv")
    debug: bool = False

    def run(self) -> None:
        """Read the split, write the file."""
        split = read_split(self.data, self.split)
        with atomic_write(self.out) as temporary:
            split.frame.to_csv(temporary, index=False)
        left_out = split.n_only_difficult
        print(f"wrote {self.out}: {len(split.frame)} photos, {len(split.class_names)} classes.")
        if left_out:
            print(f"left out {left_out} photos with nothing but difficult objects.")


@dataclass
class Stats:
    """Print class counts and box sizes, and draw them."""

    data: str = "data"  # the folder above VOCdevkit, VOCdevkit, or VOC2007
    split: str = "trainval"
    out: Path = Path("stats.png")
    debug: bool = False

    def run(self) -> None:
        """Read the split, print the table, draw the picture."""
        from model.evaluation.plots import plot_statistics

        frame = read_split(self.data, self.split).frame
        table = frame.groupby("class_name").agg(
            photos=("file_name", "size"),
            median_area_share=("area_fraction", "median"),
            mean_objects=("n_objects", "mean"),
        )
        table = table.sort_values("photos", ascending=False).reset_index().round(3)
        print(table.to_string(index=False))
        shares = frame.area_fraction.quantile([0.1, 0.5, 0.9]).round(3).tolist()
        print(f"{len(frame)} photos; area share of the largest box, 10/50/90 %: {shares}")
        plot_statistics(frame, self.out)
        print(f"wrote {self.out}")


@dataclass
class Download:
    """Download VOC 2007 train + val (450 MB), or with --test the test split (430 MB)."""

    data: str = "data"  # folder to fill; VOCdevkit/VOC2007 is made in it
    test: bool = False
    debug: bool = False

    def run(self) -> None:
        """Fetch, verify, unpack."""
        from model.data.download import download_voc2007

        folder = download_voc2007(self.data, self.test)
        print(f"{folder} is ready: splits {', '.join(list_splits(folder))}.")


Command = (
    Annotated[Csv, tyro.conf.subcommand("csv")]
    | Annotated[Stats, tyro.conf.subcommand("stats")]
    | Annotated[Download, tyro.conf.subcommand("download")]
)


def main(arguments: list[str]) -> int:
    """Parse, run, answer the exit status."""
    command = tyro.cli(Command, prog="python -m model.voc", args=arguments)  # type: ignore[arg-type]
    return run_cli(command.run, command.debug)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
