"""Read very many small files in all cores, and remember what was read in the cache.

What was read of a file counts as long as its name, size and time of change are the same.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from tqdm import tqdm

from model.data.cache_folder import default_cache_dir, prune, used_now
from model.errors import UserError
from model.files import atomic_write

T = TypeVar("T")
Progress = bool | Callable[[str, int, int], None]
"""Whether to show a bar; or a function called with the label, the number done and the total."""
FORMAT = 6  # raise it when a reader changes: what older ones read is then not used
FEW = 3000  # files; for these no processes are started
CHUNK = 250  # files handed to a process at a time
MAX_PROCESSES = 8


def read_remembered(
    read: Callable[[Sequence[str]], Iterable[Any]],
    root: Path,
    names: Sequence[str],
    what: str,
    cache_dir: str | Path | None = None,
    progress: Progress = True,
) -> list[Any]:
    """The value of ``read(paths)`` for each file, in order, from the cache where it is there.

    Args:
        read: yields a JSON value for each path, in order; its name is part of the cache key.
        root: the folder of the data set.
        names: paths of the files below it.
        what: the label of the progress bar.
        cache_dir: default :func:`model.data.cache_folder.default_cache_dir`.
        progress: show the bar, or report to a function.
    """
    folder = Path(cache_dir or default_cache_dir())
    key = f"{name_of(read)} {root}"
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    place = folder / f"read-{digest[:20]}.json"
    known = _remembered(place)
    stamps = [_stamp(f"{root}{os.sep}{name}") for name in names]
    new = [n for n, s in zip(names, stamps, strict=True) if known.get(n, [None])[0] != s]
    if new:
        paths = [f"{root}{os.sep}{name}" for name in new]
        values = with_bar(read(paths), what, len(new), progress)
        stamp_of = dict(zip(names, stamps, strict=True))
        known |= {n: [stamp_of[n], value] for n, value in zip(new, values, strict=True)}
        _remember(place, {name: known[name] for name in names})
    return [known[name][1] for name in names]


def with_bar(items: Iterable[T], what: str, total: int, progress: Progress) -> Iterator[T]:
    """Yield the items, reporting progress on a bar or to a function."""
    if isinstance(progress, bool):
        yield from tqdm(items, what, total, unit="file", disable=not progress)
        return
    for done, item in enumerate(items):
        progress(what, done, total)
        yield item


def _stamp(path: str) -> str:
    try:
        stat = os.stat(path)
    except OSError:
        return "gone"
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _remembered(place: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(place.read_bytes())
        if content["format"] == FORMAT:
            used_now(place)
            return content["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # never read, or damaged: all is read, and written anew
    return {}


def _remember(place: Path, files: dict[str, list[Any]]) -> None:
    with suppress(UserError):  # on a full or read-only disk everything is read again next time
        with atomic_write(place) as temporary:
            temporary.write_text(json.dumps({"format": FORMAT, "files": files}))
        prune(place.parent)


def in_all_cores(function: Callable[[str], Any]) -> Callable[[Sequence[str]], Iterator[Any]]:
    """For :func:`read_remembered`: call ``function(path)`` for each path, for many in processes.

    Args:
        function: of a module, by its name; its answer must be JSON. It must not raise.
    """
    read = partial(_read, function)
    return read


def name_of(read: Callable) -> str:
    """The full name of the function that reads a file."""
    function = read.args[0] if isinstance(read, partial) else read
    return f"{function.__module__}.{function.__qualname__}"


def _read(function: Callable[[str], Any], paths: Sequence[str]) -> Iterator[Any]:
    count = min(MAX_PROCESSES, _cores())
    if len(paths) <= FEW or count < 2:
        yield from map(function, paths)
        return
    chunks = [paths[i : i + CHUNK] for i in range(0, len(paths), CHUNK)]
    readers = [_start_reader(function) for _ in range(count)]
    idle: SimpleQueue[subprocess.Popen] = SimpleQueue()
    for reader in readers:
        idle.put(reader)
    try:
        with ThreadPoolExecutor(count) as pool:
            for values in pool.map(lambda chunk: _read_chunk(idle, chunk), chunks):
                yield from values
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_reader(function: Callable[[str], Any]) -> subprocess.Popen:
    # Not multiprocessing: it imports the main program again, which takes seconds with PyTorch.
    code = "from model.data.remembered import serve; serve()"
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-c", code, function.__module__, function.__qualname__],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip


def _read_chunk(idle: "SimpleQueue[subprocess.Popen]", chunk: list[str]) -> list[Any]:
    reader = idle.get()
    assert reader.stdin
    assert reader.stdout
    reader.stdin.write(json.dumps(chunk).encode() + b"\n")
    reader.stdin.flush()
    answer = reader.stdout.readline()
    if not answer:
        raise UserError(
            "a process that reads the data set was ended from outside, perhaps for want of memory."
            " Run the command again."
        )
    idle.put(reader)
    return json.loads(answer)


def serve() -> None:
    """What a reading process does: a line of paths in, a line of answers out, until the end."""
    function = getattr(import_module(sys.argv[1]), sys.argv[2])
    for line in sys.stdin.buffer:
        answer = json.dumps([function(path) for path in json.loads(line)])
        sys.stdout.buffer.write(answer.encode() + b"\n")
        sys.stdout.buffer.flush()
