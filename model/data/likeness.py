"""Photos that are the same file, and photos that look the same."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from model.data.images import load_each
from model.errors import UserError

_SIDE = 16  # of the small grey copy that is hashed, in pixels
MAX_DIFFERENT = 12  # of the 256 bits of a hash; another JPEG quality or size changes fewer
_FLAT = 16  # a hash with fewer set bits is of a flat photo and tells nothing


def file_hash(path: str) -> str:
    """SHA-256 of a file; empty if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def identical_files(paths: Iterable[str]) -> list[list[str]]:
    """Groups of files with the same content, in the order given."""
    groups = [list(paths)]
    for look in (_n_bytes, _end, file_hash):  # each takes longer, for fewer files
        found: list[list[str]] = []
        for group in groups:
            alike: dict[object, list[str]] = defaultdict(list)
            for path in group:
                alike[look(path)].append(path)
            found += [same for seen, same in alike.items() if seen and len(same) > 1]
        groups = found
    return groups


def _n_bytes(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _end(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            return file.read()
    except OSError:
        return b""


def perceptual_hashes(paths: Sequence[str]) -> Iterator[list[str]]:
    """For each photo a perceptual hash in hexadecimal, and why it cannot be decoded; one is empty.

    The hash (dHash) has a bit for every two neighbours in a row: whether the left one is brighter.
    """
    for loaded in load_each([Path(path) for path in paths], 128):
        if isinstance(loaded, UserError):
            yield ["", str(loaded)]
            continue
        pixels = np.asarray(loaded.image.convert("L").resize((_SIDE + 1, _SIDE)), dtype=np.int16)
        yield [np.packbits(pixels[:, :-1] > pixels[:, 1:]).tobytes().hex(), ""]


def near_duplicates(hashes: Sequence[str], others: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs ``(i, j)``: ``hashes[i]`` is the nearest to ``others[j]``, and nearly equal to it."""
    if not hashes or not others:
        return []
    first, second = _bits(hashes), _bits(others)
    pairs = []
    for start in range(0, len(second), 1024):
        # With bits as +1 and -1 a product counts how many are equal, less those that are not.
        different = (first.shape[1] - second[start : start + 1024] @ first.T) / 2
        nearest = different.argmin(axis=1)
        near = different[np.arange(len(nearest)), nearest] <= MAX_DIFFERENT
        pairs += [(int(nearest[j]), start + int(j)) for j in np.flatnonzero(near)]
    telling = (second > 0).sum(axis=1) >= _FLAT
    return [(i, j) for i, j in pairs if telling[j]]


def _bits(hashes: Sequence[str]) -> np.ndarray:
    packed = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), -1)
    return np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1
