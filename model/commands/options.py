"""The options by which a command names a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from model.data.dataset import Dataset
from model.data.formats import FormatName

Folders = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


@dataclass(kw_only=True)
class DataOptions:
    """A data set, and where what was read of it is kept."""

    data: Folders = ()  # a folder of the data set; again for another; without any it is "data"
    format: FormatName = "auto"
    cache_dir: str = ""  # of what was read; default: the user's cache folder
    progress: bool = True  # show bars
    debug: bool = False  # tracebacks instead of one-line errors

    def dataset(self, class_names: Sequence[str] = ()) -> Dataset:
        """The data set meant; its classes by default those that have an object."""
        return Dataset(self.data, self.format, class_names, self.cache_dir, self.progress)
