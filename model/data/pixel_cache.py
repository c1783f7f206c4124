"""Decoded photos in one memory-mapped file, so that JPEG decoding leaves the epoch.

The file holds nothing but the bytes of one photo after the other; a JSON file beside it holds their
sizes.
"""

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from model.data.cache_folder import default_cache_dir, prune, used_now
from model.data.images import load_fitted
from model.errors import UserError
from model.files import atomic_write

FORMAT = 2  # raise it when the way photos are read changes: old caches are then never used


class PixelCache:
    """uint8 RGB photos no longer than ``longest_side``, shape kept, in one flat file.

    The file's name is a hash of every photo's path, size and modification time, the side, and the
    format: change one photo and another cache is built, so a stale one is never used. One that is
    damaged (its length or its sizes are not what they should be) is built again.

    Args:
        files: the photos, in order.
        longest_side: see :func:`model.data.images.load_fitted`.
        cache_dir: default :func:`model.data.cache_folder.default_cache_dir`.
        progress: show a bar while building.

    Raises:
        UserError: for a photo that is missing or broken (named), or a cache that cannot be written.
    """

    def __init__(
        self,
        files: list[Path],
        longest_side: int,
        cache_dir: Path | None = None,
        progress: bool = True,
    ) -> None:
        folder = Path(cache_dir or default_cache_dir())
        self.path = folder / f"pixels-{_key(files, longest_side)}.rgb"
        self.index_path = self.path.with_suffix(".json")
        sizes = self._read_sizes(len(files), longest_side) if self.path.exists() else None
        if sizes is None:
            sizes = self._build(files, longest_side, progress)
            prune(folder)
        used_now(self.path, self.index_path)
        self.sizes = sizes
        self.offsets = np.cumsum([0] + [3 * w * h for w, h in self.sizes])
        self._pixels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Image.Image:
        """The photo as RGB; its pixels are a copy, free to change."""
        if self._pixels is None:  # opened late, so that each worker maps the file itself
            self._pixels = np.memmap(self.path, np.uint8, mode="r")
        width, height = self.sizes[index]
        flat = self._pixels[self.offsets[index] : self.offsets[index + 1]]
        return Image.frombytes("RGB", (width, height), flat.tobytes())

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pixels": None}

    def _read_sizes(self, n_photos: int, longest_side: int) -> list[list[int]] | None:
        """Width and height of every photo; ``None``, and a line that says so, if damaged."""
        try:
            sizes = json.loads(self.index_path.read_text(encoding="utf-8"))["sizes"]
            whole = len(sizes) == n_photos and all(
                type(side) is int and 1 <= side <= longest_side for size in sizes for side in size
            )
            if whole and sum(3 * w * h for w, h in sizes) == self.path.stat().st_size:
                return sizes
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass  # reported below, and mended by building it again
        print(f"the cache {self.path} is damaged and is built again.", file=sys.stderr, flush=True)
        return None

    def _build(self, files: list[Path], longest_side: int, progress: bool) -> list[list[int]]:
        sizes: list[list[int]] = []
        with ThreadPoolExecutor() as pool, atomic_write(self.path) as temporary:
            photos = pool.map(lambda file: load_fitted(file, longest_side).image, files)
            with temporary.open("wb") as stream:
                for photo in tqdm(
                    photos, "decoding photos once", len(files), unit="img", disable=not progress
                ):
                    sizes.append(list(photo.size))
                    stream.write(photo.tobytes())
            # The index goes first: a pixel file under its final name always has one.
            with atomic_write(self.index_path) as index:
                index.write_text(json.dumps({"sizes": sizes}), encoding="utf-8")
        return sizes


def _key(files: list[Path], longest_side: int) -> str:
    digest = hashlib.sha256(f"{FORMAT} {longest_side}\n".encode())
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            raise UserError(
                f"{file} does not exist, but the annotations name it."
                " Complete the data set or take the image out of the split."
            ) from None
        digest.update(f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:20]
