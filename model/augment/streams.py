"""Random numbers: a stream of its own for each step of each photo of each epoch.

They come from a counter-based generator (Philox: Salmon et al. 2011, "Parallel Random Numbers: As
Easy as 1, 2, 3") keyed by photo seed, step and draw. So no step can change what another draws, no
global state is used, and any number is available without those before it.
"""

import zlib

import numpy as np


def photo_seed(seed: int, epoch: int, file_name: str) -> int:
    """Seed of the augmentation of one photo in one epoch (counted from 0) of a run.

    It depends on the file name, not on the position in a split: ``--seed`` and the photo alone
    reproduce what the network saw, without reading the data set.
    """
    mixed = (seed * 1_000_003 + epoch) * 4_294_967_311 + zlib.crc32(file_name.encode())
    return mixed % (2**63 - 1)


def uniforms(seeds: np.ndarray, name: str, count: int, draw: int = 0) -> np.ndarray:
    """Numbers from 0 to 1 (never 1) for one step, float64 ``(photos, count)``.

    Args:
        seeds: uint64 ``(photos,)``, see :func:`photo_seed`.
        draw: how often the step has drawn for these photos before.
    """
    stream = zlib.crc32(name.encode()) << 32 | draw
    keys = (np.array([seed, stream], np.uint64) for seed in seeds)
    raw = [np.random.Philox(key=key).random_raw(count) for key in keys]
    return (np.array(raw, np.uint64).reshape(-1, count) >> np.uint64(11)) * 2.0**-53


def either_way(uniform: np.ndarray) -> np.ndarray:
    """Numbers from 0..1 to -1..1."""
    return 2 * uniform - 1
