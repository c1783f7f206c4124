"""Decoded photos in one memory-mapped file, so that JPEG decoding leaves the epoch.

The file holds nothing but the bytes of one photo after the other; a JSON file beside it holds their
sizes and checksums, and why a photo cannot be decoded.
"""

import hashlib
import json
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from model.data.cache_folder import (
    default_cache_dir,
    free_bytes,
    pixel_cache_bytes,
    prune,
    used_now,
)
from model.data.images import load_each
from model.data.records import DatasetSplit
from model.errors import UserError
from model.files import atomic_write
from model.words import readable_size

FORMAT = 3  # raise it when the way photos are read changes: old caches are then never used


# Width, height and checksum of a decoded photo, or why it cannot be decoded.
Entry = tuple[int, int, int] | str


class PixelCache:
    """uint8 RGB photos no longer than ``longest_side``, shape kept, in one flat file.

    The file's name is a hash of every photo's path, size and times, the side, and the format:
    change one photo and another cache is built, so a stale one is never used. Among the times is
    that of the last change of any kind, which a program cannot set; Windows has none, and there a
    photo changed with its size and time kept is not noticed. A cache that is damaged is built again
    if its length or its index show it; a checksum shows the rest when a photo is first fetched.

    Attributes:
        unreadable: what is wrong with each photo that cannot be decoded, by its index; none of
            these can be fetched. Whoever opens the cache later finds the same ones.

    Args:
        longest_side: see :func:`model.data.images.load_fitted`.
        cache_dir: default :func:`model.data.cache_folder.default_cache_dir`.

    Raises:
        UserError: for a photo that is missing (named), or a cache that cannot be written.
    """

    def __init__(
        self,
        files: list[Path],
        longest_side: int,
        cache_dir: str | Path | None = None,
        progress: bool = True,
    ) -> None:
        folder = Path(cache_dir or default_cache_dir())
        self.path = _cache_path(folder, files, longest_side)
        self.index_path = self.path.with_suffix(".json")
        photos = self._read_index(len(files), longest_side) if self.path.exists() else None
        if photos is None:
            photos = self._build(files, longest_side, progress)
            prune(folder)
        used_now(self.path, self.index_path)
        self.photos = photos
        self.unreadable = {i: p for i, p in enumerate(photos) if isinstance(p, str)}
        self.offsets = np.cumsum([0] + [_n_bytes(photo) for photo in photos])
        self._sound: set[int] = set()
        self._pixels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Image.Image:
        """The photo as RGB; its pixels are a copy, free to change.

        Raises:
            UserError: if they are not those that were written, or it cannot be decoded.
        """
        photo = self.photos[index]
        if isinstance(photo, str):
            raise UserError(photo)
        if self._pixels is None:  # opened late, so that each worker maps the file itself
            self._pixels = np.memmap(self.path, np.uint8, mode="r")
        width, height, checksum = photo
        pixels = self._pixels[self.offsets[index] : self.offsets[index + 1]].tobytes()
        if index not in self._sound:
            # Once in each process: all of it at the start would read the whole file.
            if zlib.crc32(pixels) != checksum:
                raise UserError(f"the cache {self.path} is damaged. Delete it: it is built again.")
            self._sound.add(index)
        return Image.frombytes("RGB", (width, height), pixels)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pixels": None}

    def _read_index(self, n_photos: int, longest_side: int) -> list[Entry] | None:
        """What is known of every photo; ``None``, and a line that says so, if damaged."""
        try:
            photos = json.loads(self.index_path.read_text(encoding="utf-8"))["photos"]
            whole = len(photos) == n_photos and all(_is_entry(p, longest_side) for p in photos)
            if whole and sum(map(_n_bytes, photos)) == self.path.stat().st_size:
                return photos
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass  # reported below, and mended by building it again
        print(f"the cache {self.path} is damaged and is built again.", file=sys.stderr, flush=True)
        return None

    def _build(self, files: list[Path], longest_side: int, progress: bool) -> list[Entry]:
        photos: list[Entry] = []
        with atomic_write(self.path) as temporary:
            with temporary.open("wb") as stream:
                loaded, what = load_each(files, longest_side), "decoding photos once"
                for photo in tqdm(loaded, what, len(files), unit="img", disable=not progress):
                    if isinstance(photo, UserError):
                        photos.append(str(photo))
                        continue
                    pixels = photo.image.tobytes()
                    photos.append((*photo.image.size, zlib.crc32(pixels)))
                    stream.write(pixels)
            # The index goes first: a pixel file under its final name always has one.
            with atomic_write(self.index_path) as index:
                index.write_text(json.dumps({"photos": photos}), encoding="utf-8")
        return photos


def _is_entry(photo: object, longest_side: int) -> bool:
    if isinstance(photo, str):
        return True
    w, h, c = photo  # type: ignore[misc]
    whole = all(type(v) is int for v in (w, h, c))
    return whole and 1 <= min(w, h) <= max(w, h) <= longest_side


def _n_bytes(photo: Entry) -> int:
    """Bytes that a photo takes in the file."""
    return 0 if isinstance(photo, str) else 3 * photo[0] * photo[1]


def refuse_without_room(
    splits: Iterable[DatasetSplit], longest_side: int, cache_dir: str | Path | None = None
) -> None:
    """Say that the disk cannot hold the caches of these splits, before anything is decoded.

    Raises:
        UserError: if those that are not there yet take more than is free; or for a missing photo.
    """
    folder = Path(cache_dir or default_cache_dir())
    needed = {}  # by path: train and val may be the same
    for split in splits:
        path = _cache_path(folder, split.files, longest_side)
        if not path.exists():
            sizes = zip(split.table.width, split.table.height, strict=True)
            needed[path] = pixel_cache_bytes(sizes, longest_side)
    total, free = sum(needed.values()), free_bytes(folder)
    if total > free:
        raise UserError(
            f"decoded photos (at most {longest_side} px) will take {readable_size(total)} in"
            f" {folder}, where {readable_size(free)} are free. Make room, or choose another place"
            " with --cache-dir."
        )


def _cache_path(folder: Path, files: list[Path], longest_side: int) -> Path:
    digest = hashlib.sha256(f"{FORMAT} {longest_side}\n".encode())
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            raise UserError(
                f"{file} does not exist, but the annotations name it."
                " Complete the data set or take the image out of the split."
            ) from None
        changed = stat.st_mtime_ns, stat.st_ctime_ns
        digest.update(f"{file.resolve()} {stat.st_size} {changed}\n".encode())
    return folder / f"pixels-{digest.hexdigest()[:20]}.rgb"
