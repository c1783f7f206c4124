"""Look at a data set, write it as a CSV, split it; fetch PASCAL VOC 2007.

    python -m model.dataset check --data photos
    python -m model.dataset csv --data photos --split train --out annotations.csv
    python -m model.dataset stats --data photos --split train --out stats.png
    python -m model.dataset split --data photos --val 0.2
    python -m model.dataset download --data data

`--data` is a folder in VOC's, YOLO's, COCO's or LabelMe's format, or with a CSV; the format is
recognised by its files. Give it several times for a set in several folders.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from model.canvas import working_side
from model.commands.options import DataOptions
from model.data.dataset import Dataset
from model.errors import UserError, run_cli
from model.files import write_file
from model.words import counted


@dataclass
class Check(DataOptions):
    """List all problems of a data set; the exit status is 0 if it can be trained on."""

    class_names: tuple[str, ...] = ()  # the expected classes; default: those of the data set
    out: Path | None = None  # write every blemish as CSV
    # also decode the photos; auto: up to 3,000, or with --strict
    decode: Literal["auto", "yes", "no"] = "auto"
    strict: bool = False  # also fail if something had to be mended or left out
    image_size: int = 288  # side of the canvas of training, to estimate its disk space

    def run(self) -> int:
        """Read, print, write."""
        from model.data.check import check

        decode = {"auto": self.strict or None, "yes": True, "no": False}[self.decode]
        dataset, side = self.dataset(self.class_names), working_side(self.image_size)
        report = check(dataset, decode, side, self.cache_dir, self.progress)
        print(report.summary())
        print(report.details())
        if self.out:
            write_file(self.out, report.table().to_csv(index=False))
            print(f"wrote {self.out}: {counted(len(report.blemishes), 'blemish', 'blemishes')}.")
        if not report.can_train:
            print("this set cannot be trained on: see what stops it above.")
        elif self.strict and not report.is_clean:
            print("--strict: something had to be mended or left out.")
        return 0 if report.can_train and (report.is_clean or not self.strict) else 1


@dataclass
class Csv(DataOptions):
    """Write a CSV with a row per image: file, size, class and box of the largest object."""

    split: str = "trainval"
    out: Path = Path("annotations.csv")

    def run(self) -> None:
        """Read the split, write the file."""
        split = self.dataset().split(self.split)
        write_file(self.out, split.table.to_csv(index=False))
        parts = [counted(len(split.frame), "photo")]
        if n_backgrounds := len(split.backgrounds):
            parts.append(counted(n_backgrounds, "background"))
        parts.append(counted(len(split.class_names), "class", "classes"))
        print(f"wrote {self.out}: {', '.join(parts)}.")
        if n := split.n_only_difficult:
            print(f"left out {counted(n, 'photo')} with nothing but difficult objects.")


@dataclass
class Stats(DataOptions):
    """Print class counts and box sizes, and draw them."""

    split: str = "trainval"
    out: Path = Path("stats.png")

    def run(self) -> None:
        """Read the split, print the table, draw the picture."""
        from model.evaluation.plots import plot_statistics

        frame = self.dataset().split(self.split).frame
        table = frame.groupby("class_name").agg(
            photos=("file_name", "size"),
            median_area_share=("area_fraction", "median"),
            mean_objects=("n_objects", "mean"),
        )
        table = table.sort_values("photos", ascending=False).reset_index().round(3)
        print(table.to_string(index=False))
        shares = frame.area_fraction.quantile([0.1, 0.5, 0.9]).round(3).tolist()
        print(
            f"{counted(len(frame), 'photo')}; area share of the largest box, 10/50/90 %: {shares}"
        )
        plot_statistics(frame, self.out)
        print(f"wrote {self.out}")


@dataclass
class Split(DataOptions):
    """Write lists of photos for training and validation into ImageSets/Main of the folder.

    The list of a photo depends only on its name, so it does not change when photos are added.
    Copies that Roboflow made of one photo, and identical files, stay together.
    """

    val: float = 0.2  # share of the photos to validate on
    test: float = 0.0  # share of the photos to test on
    force: bool = False  # replace existing lists

    def run(self) -> None:
        """Read the data set, write the lists."""
        from model.data.likeness import identical_files
        from model.data.names import shares_of

        if self.val < 0 or self.test < 0 or self.val + self.test >= 1:
            raise UserError("--val and --test are shares from 0 to 1, together less than 1.")
        dataset = self.dataset()
        if len(dataset.folders) > 1:
            raise UserError("lists belong to one folder: name one --data.")
        folder = dataset.folders[0] / "ImageSets" / "Main"
        if any(folder.glob("*.txt")) and not self.force:
            raise UserError(f"{folder} holds lists. Add --force to write new ones beside them.")
        lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
        names = {photo.path: photo.image.file_name for photo in dataset.photos}
        copies = [[names[path] for path in group] for group in identical_files(names)]
        shares = shares_of(names.values(), copies)
        for photo in dataset.photos:
            share = shares[photo.image.file_name]
            split = "val" if share < self.val else "train"
            lists["test" if self.val <= share < self.val + self.test else split].append(
                str(Path(photo.path).relative_to(dataset.folders[0]).as_posix())
            )
        for split, names in lists.items():
            if names:
                try:
                    text = "".join(f"{name}\n" for name in names).encode()
                except UnicodeEncodeError as error:
                    name = names[error.object.count("\n", 0, error.start)]
                    raise UserError(f"the name {name!r} is no text: rename the file.") from None
                write_file(folder / f"{split}.txt", text)
                print(f"wrote {folder / f'{split}.txt'}: {counted(len(names), 'photo')}.")


@dataclass
class Download:
    """Download VOC 2007 train + val (450 MB), or with --test the test split (430 MB)."""

    data: str = "data"  # folder in which VOCdevkit/VOC2007 is created
    test: bool = False
    debug: bool = False

    def run(self) -> None:
        """Fetch, verify, unpack."""
        from model.data.download import download_voc2007

        folder = download_voc2007(self.data, self.test)
        print(f"{folder} is ready: splits {', '.join(Dataset(folder).splits)}.")


Command = Check | Csv | Stats | Split | Download  # sub-commands have these names in lower case


def main(arguments: list[str], prog: str = "python -m model.dataset") -> int:
    """Parse, run, and return the exit status."""
    command = tyro.cli(Command, prog=prog, args=arguments)  # type: ignore[arg-type]
    return run_cli(command.run, command.debug)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
