"""The one rule by which the name of a file in a list or an annotation finds the file on disk.

A name may come with another suffix or none, in other case, in another Unicode normal form, as a
path of another computer, or as an address. It is looked up among the files that a scan of the
folder found, so that no name leads out of the folder.
"""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from itertools import takewhile
from operator import eq
from urllib.parse import unquote

from model.data.image_formats import IMAGE_SUFFIXES

ANNOTATION_SUFFIXES = frozenset({".xml", ".txt", ".json"})
_SUFFIXES = frozenset(suffix[1:] for suffix in IMAGE_SUFFIXES | ANNOTATION_SUFFIXES)
SPLIT_FOLDER = re.compile(
    r"(?P<train>train(ing)?)|(?P<val>val(id|idation)?|dev)|(?P<test>test(ing)?)"
)
_QUERY = re.compile(rf"\.({'|'.join(sorted(_SUFFIXES))})\?.*", re.IGNORECASE)
_ROBOFLOW = re.compile(r"\.rf\.\w+$")  # a hash that tells copies of one photo apart


def parts_of(name: str) -> list[str]:
    """The folders and the file of a path as any system writes it, without what leads upwards.

    Example:
        >>> parts_of("C:\\\\photos\\\\..\\\\a b.jpg")
        ['photos', 'a b.jpg']
    """
    parts = name.strip().replace("\\", "/").split("/")
    return [p for p in parts if p not in ("", ".", "..") and not re.fullmatch("[A-Za-z]:", p)]


def stem_of(name: str) -> str:
    """The last part without the suffixes of photos and annotations; other dots belong to the name.

    Example:
        >>> stem_of("shot 16.42.03.JPG"), stem_of("https://host/cat.jpg?raw=1")
        ('shot 16.42.03', 'cat')
    """
    # Called several times for each photo of a set: partitions are the fastest way.
    stem = name.replace("\\", "/").rpartition("/")[2].strip()
    if stem in ("", ".", ".."):
        stem = (parts_of(name) or [""])[-1]
    if "?" in stem:  # of an address
        stem = _QUERY.sub("", stem)
    while True:
        rest, _, suffix = stem.rpartition(".")
        if not rest or suffix.lower() not in _SUFFIXES:
            return stem
        stem = rest


def key_of(name: str) -> str:
    """The key under which all spellings of a name are looked up."""
    stem = stem_of(name)
    return stem.lower() if stem.isascii() else unicodedata.normalize("NFC", stem).casefold()


def origin_of(name: str) -> str:
    """The photo that copies come from: Roboflow marks them by ``.rf.`` and a hash."""
    return _ROBOFLOW.sub("", key_of(name))


def share_of(name: str) -> float:
    """A number in 0..1 that never changes for the origin of a photo; decides its split."""
    digest = hashlib.sha256(origin_of(name).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def shares_of(names: Iterable[str], copies: Sequence[Sequence[str]] = ()) -> dict[str, float]:
    """Name -> its :func:`share_of`; all photos of a group in ``copies`` get the largest of theirs.

    The largest means training: what somebody trained on is not validated on later, when a copy
    of it has come.
    """
    origins = {name: origin_of(name) for name in names}
    shares = {origin: share_of(name) for name, origin in origins.items()}
    before: dict[str, float] = {}
    while before != shares:  # groups may have an origin in common
        before = dict(shares)
        for group in copies:
            of_group = [origins[name] for name in group]
            shares |= dict.fromkeys(of_group, max(shares[origin] for origin in of_group))
    return {name: shares[origin] for name, origin in origins.items()}


def split_named(name: str) -> str | None:
    """``train``, ``val`` or ``test``, if the name of a folder or list means one of them."""
    words = re.split(r"[^a-z]+", name.casefold())
    found = [m.lastgroup for word in words if (m := SPLIT_FOLDER.fullmatch(word))]
    return next((g for g in found if g), None)


def split_of_folders(path: str) -> str | None:
    """The split that the innermost telling folder of a path names."""
    folders = parts_of(path)[:-1]
    return next((split for f in reversed(folders) if (split := split_named(f))), None)


class FileIndex:
    """Finds files by name.

    Args:
        paths: of the files below one folder, with ``/`` between their parts.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_key: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            self._by_key[key_of(path)].append(path)

    def find(
        self,
        name: str,
        near: str = "",
        split: str | None = None,
        among: Container[str] | None = None,
    ) -> str | None:
        """The path of the file meant by ``name``; ``None`` if ``among`` these is none.

        Several may share a name, in different folders or with different suffixes. Those count most
        whose folders are the ones in ``name``, then those in the folder ``near``, in one called
        like the ``split``, in the closest to ``near``, and then those spelt as given.
        """
        found = self._by_key.get(key_of(name)) or self._by_key.get(key_of(unquote(name)), [])
        if among is not None:
            found = [path for path in found if path in among]
        if len(found) < 2:
            return found[0] if found else None
        parts = parts_of(name)
        split = split or split_of_folders(f"{near}/{name}")
        return max(found, key=lambda path: _likeness(path.split("/"), parts, near, split))


def _likeness(
    path: list[str], wanted: list[str], near: str, split: str | None
) -> tuple[int, bool, bool, int, bool, bool]:
    folders = 0
    while folders < min(len(path), len(wanted)) - 1 and path[-2 - folders] == wanted[-2 - folders]:
        folders += 1
    of_split = split_of_folders("/".join(path)) == split
    closeness = sum(1 for _ in takewhile(bool, map(eq, path[:-1], near.split("/"))))
    same_stem = stem_of(path[-1]) == stem_of(wanted[-1])
    is_near = "/".join(path[:-1]) == near
    return folders, is_near, of_split, closeness, same_stem, path[-1] == wanted[-1]
