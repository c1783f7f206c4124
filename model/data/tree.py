"""The files below a folder, listed once; readers use this list instead of the disk."""

import os
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from tqdm import tqdm

from model.data.image_formats import IMAGE_SUFFIXES
from model.data.names import FileIndex
from model.errors import UserError

MAX_FILES = 5_000_000
MAX_DEPTH = 12


class Tree:
    """The files below ``root``, scanned once.

    Hidden files are left out, and links that lead out of the folder: a data set from a stranger
    could name any file of the computer by them.

    Attributes:
        links_out: links to files and folders outside of ``root``, or to one that holds the link.
        unread: folder or file that is not read -> why.

    Raises:
        UserError: if there is no such folder, it cannot be read, or holds absurdly many files.
    """

    def __init__(self, root: Path, progress: bool = True) -> None:
        if not root.is_dir():
            what = "is not a folder" if root.exists() else "does not exist"
            raise UserError(
                f"{root} {what}. Name the folder of a data set, or get VOC 2007 with:"
                f" python -m model.dataset download --data {root}"
            )
        self.root = root.resolve()
        self.folders: set[str] = set()
        self.links_out: list[str] = []
        self.unread: dict[str, str] = {}
        self._by_suffix: dict[str, list[str]] = defaultdict(list)
        what = f"looking through {root.name}"
        with tqdm(desc=what, unit=" files", disable=not progress) as self._bar:
            self._scan("", 0)
        if why := self.unread.get(""):
            raise UserError(f"{root} cannot be read: {why}.")
        for paths in self._by_suffix.values():
            paths.sort()

    def with_suffix(self, *suffixes: str) -> list[str]:
        """Paths below the root, sorted, of files with one of the suffixes (lower case)."""
        return sorted(path for suffix in suffixes for path in self._by_suffix.get(suffix, ()))

    @cached_property
    def photos(self) -> list[str]:
        """Paths of all images."""
        return self.with_suffix(*IMAGE_SUFFIXES)

    @cached_property
    def photo_index(self) -> FileIndex:
        """Finds an image by its name."""
        return FileIndex(self.photos)

    def path(self, name: str) -> str:
        """The file on disk."""
        return f"{self.root}{os.sep}{name}"

    def note_unread(self, path: str, error: OSError) -> None:
        """Note that a folder or file cannot be read, so that the check says so."""
        self.unread[path] = f"{error.strerror}; allow it, or take it away"

    def _scan(self, folder: str, depth: int, in_link: bool = False) -> None:
        try:
            entries = list(os.scandir(self.path(folder)))
        except OSError as error:
            self.note_unread(folder, error)
            return
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            name = f"{folder}/{entry.name}" if folder else entry.name
            is_link = entry.is_symlink()
            if is_link and not os.path.exists(entry.path):
                continue  # it leads to nothing, or to itself
            if is_link and not self._is_inside(entry.path):
                self.links_out.append(name)
            elif entry.is_dir():
                self.folders.add(name)
                if depth >= MAX_DEPTH:
                    self.unread[name] = f"more than {MAX_DEPTH} folders deep; move it up"
                elif is_link and in_link:  # links among folders lead on without end
                    self.unread[name] = "a link in a folder reached by a link; copy it there"
                else:
                    self._scan(name, depth + 1, in_link or is_link)
            elif entry.is_file():
                stem, dot, suffix = entry.name.rpartition(".")
                self._by_suffix[(dot + suffix).lower() if stem else ""].append(name)
        self._bar.update(len(entries))
        if self._bar.n > MAX_FILES:
            raise UserError(
                f"{self.root} holds more than {MAX_FILES:,} files. Name the data set's own folder."
            )

    def _is_inside(self, path: str) -> bool:
        # A link to a folder above its own would never end.
        real = os.path.realpath(path)
        inside = real.startswith(f"{self.root}{os.sep}")
        return inside and not f"{os.path.dirname(path)}{os.sep}".startswith(f"{real}{os.sep}")
