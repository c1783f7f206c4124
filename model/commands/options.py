"""The options of commands that read a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from model.data.dataset import Dataset
from model.data.formats import FormatName

Folders = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


@dataclass(kw_only=True)
class DataOptions:
    """A data set, and the folder that caches its contents."""

    data: Folders = ()  # folder of the data set; may be repeated; default: "data"
    format: FormatName = "auto"  # annotation format; auto: recognised by the files
    cache_dir: str = ""  # folder for what was read; default: the user's cache folder
    progress: bool = True  # show bars
    debug: bool = False  # tracebacks instead of one-line errors

    def dataset(self, class_names: Sequence[str] = ()) -> Dataset:
        """Open the data set; its classes are by default all that have an object."""
        return Dataset(self.data, self.format, class_names, self.cache_dir, self.progress)
