"""The cache folder: decoded photos, and what was read of data sets; all can be made again.

Caches that nobody used for :data:`KEPT_DAYS` days are removed whenever a new one is written.
"""

import math
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from model.data.image_pixels import fitted_size

KEPT_DAYS = 30
_OURS = ("pixels-*.rgb", "pixels-*.json", "read-*.json")


def default_cache_dir() -> Path:
    """``$XDG_CACHE_HOME/largest-object-detector``, or the same under ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "largest-object-detector"


def used_now(*paths: Path) -> None:
    """Mark caches as used now, so that :func:`prune` keeps them."""
    for path in paths:
        with suppress(OSError):  # a cache that is shared read-only is not ours to prune
            os.utime(path)


def prune(folder: Path) -> None:
    """Remove the caches that nobody used for :data:`KEPT_DAYS` days; other files stay."""
    oldest = time.time() - KEPT_DAYS * 86_400
    for path in [p for pattern in _OURS for p in folder.glob(pattern)]:
        with suppress(OSError):  # another process was faster
            if path.stat().st_mtime < oldest:
                path.unlink()


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist yet."""
    existing = next(f for f in (folder, *folder.absolute().parents) if f.exists())
    return shutil.disk_usage(existing).free


def pixel_cache_bytes(sizes: Iterable[tuple[int, int]], longest_side: int) -> int:
    """Bytes that :class:`model.data.pixel_cache.PixelCache` takes for photos of these sizes."""
    return sum(3 * math.prod(fitted_size(size, longest_side)) for size in sizes)
