"""Decoded photos in one memory-mapped file, so that JPEG decoding leaves the epoch."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from model.errors import UserError
from model.files import atomic_write
from model.images import load_fitted

FORMAT = 1  # raise it when the way photos are read changes: old caches are then never used


def default_cache_dir() -> Path:
    """``$XDG_CACHE_HOME/largest-object-detector``, or the same under ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "largest-object-detector"


class PixelCache:
    """uint8 RGB photos no longer than ``longest_side``, shape kept, in one flat file.

    The file's name is a hash of every photo's path, size and modification time, the side, and the
    format: change one photo and another cache is built, so a stale one is never used.

    Args:
        files: the photos, in order.
        longest_side: see :func:`model.images.load_fitted`.
        cache_dir: default :func:`default_cache_dir`.
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
        self.path = folder / f"pixels-{_key(files, longest_side)}.npy"
        self.index_path = self.path.with_suffix(".json")
        if not (self.path.is_file() and self.index_path.is_file()):
            self._build(files, longest_side, progress)
        index = json.loads(self.index_path.read_text())
        self.sizes: list[list[int]] = index["sizes"]
        self.offsets = np.cumsum([0] + [3 * w * h for w, h in self.sizes])
        self._pixels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Image.Image:
        """The photo as RGB; its pixels are a copy, free to change."""
        if self._pixels is None:  # opened late, so that each worker maps the file itself
            self._pixels = np.load(self.path, mmap_mode="r")
        width, height = self.sizes[index]
        flat = self._pixels[self.offsets[index] : self.offsets[index + 1]]
        return Image.frombytes("RGB", (width, height), flat.tobytes())

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_pixels": None}

    def _build(self, files: list[Path], longest_side: int, progress: bool) -> None:
        sizes: list[tuple[int, int]] = []
        with ThreadPoolExecutor() as pool, atomic_write(self.path) as temporary:
            photos = pool.map(lambda file: load_fitted(file, longest_side).image, files)
            with temporary.open("wb") as stream:
                _write_header(stream, 0)
                for photo in tqdm(
                    photos, "decoding photos once", len(files), unit="img", disable=not progress
                ):
                    sizes.append(photo.size)
                    stream.write(photo.tobytes())
                stream.seek(0)
                _write_header(stream, sum(3 * w * h for w, h in sizes))
            # The index goes first: a pixel file under its final name is always complete.
            with atomic_write(self.index_path) as index:
                index.write_text(json.dumps({"sizes": sizes}))


def _write_header(stream, n_bytes: int) -> None:
    # Fixed length whatever the count, so that it can be written again once the count is known.
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({n_bytes},), }}"
    stream.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little"))
    stream.write(header.ljust(117).encode() + b"\n")


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
