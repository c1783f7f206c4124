"""Everything that can be said about a data set before anything is trained on it."""

import filecmp
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from model.classes import MAX_CLASSES
from model.data.blemishes import KINDS, Blemish
from model.data.cache_folder import default_cache_dir, free_bytes, pixel_cache_bytes
from model.data.dataset import Dataset, DatasetPhoto, no_garbage_collection, photos_by_split
from model.data.likeness import file_hash, near_duplicates, perceptual_hashes
from model.data.remembered import Progress, in_all_cores, read_remembered
from model.errors import one_line
from model.words import counted, readable_size

SHOWN = 10  # of each kind of blemish
MAX_LINE = 1000  # characters that are printed of one
FEW_PHOTOS = 3000  # larger sets are decoded only on request, to find photos that look alike
MAX_LOOKS = 30_000  # photos; in larger sets, those that look alike are not searched


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        decoded: whether the photos were decoded: only that shows damage inside a file, and photos
            that look alike.
        longest_side: of photos in the cache of decoded photos, pixels.
        cache_dir: where it will be.
    """

    dataset: Dataset
    blemishes: list[Blemish]
    decoded: bool
    longest_side: int
    cache_dir: Path

    @property
    def can_train(self) -> bool:
        """Whether there is something to train on."""
        return not any(b.effect == "stops" for b in self.blemishes)

    @property
    def is_clean(self) -> bool:
        """Whether nothing had to be mended or left out."""
        return all(b.effect == "reported" for b in self.blemishes)

    def summary(self) -> str:
        """Photos, objects and classes by split; blemishes in one line each."""
        where = ", ".join(map(str, self.dataset.folders))
        names = self.dataset.class_names
        classes = counted(len(names), "class", "classes")
        lines = [f"{where}: {self.dataset.formats}, {classes}: {_listed(names, 20)}"]
        lines += [_table(["split", "photos", "backgrounds", "objects", "difficult"], self._rows())]
        for kind, found in self.by_kind().items():
            lines.append(f"{len(found):,} x {kind} ({KINDS[kind].effect}): {KINDS[kind].text}.")
        if not self.blemishes:
            lines.append("nothing is wrong.")
        return "\n".join([*lines, self._disk()])

    def details(self) -> str:
        """Classes, and the first ten of each kind of blemish."""
        objects = Counter(o.class_name for p in self.dataset.photos for o in p.image.objects)
        targets = Counter(t.class_name for p in self.dataset.photos if (t := p.image.largest))
        rows = [[name, targets[name], objects[name]] for name in self.dataset.class_names]
        parts = [_table(["class", "photos whose largest it is", "objects"], rows)]
        for kind, found in self.by_kind().items():
            more = f", the first {SHOWN}" if len(found) > SHOWN else ""
            parts.append(f"{kind} ({KINDS[kind].effect}), {len(found):,}{more}:")
            said = (f"  {b.where}{f': {b.detail}' if b.detail else ''}" for b in found[:SHOWN])
            parts += [one_line(text)[:MAX_LINE] for text in said]
        if not self.decoded:
            parts.append("photos were not decoded (--decode yes finds damaged and similar ones).")
        return "\n".join(parts)

    def table(self) -> pd.DataFrame:
        """One row a blemish."""
        rows = [(b.kind, b.effect, b.where, b.detail, KINDS[b.kind].text) for b in self.blemishes]
        return pd.DataFrame(rows, columns=["kind", "effect", "where", "detail", "meaning"])

    def by_kind(self) -> dict[str, list[Blemish]]:
        """The blemishes of each kind, the gravest first."""
        found: dict[str, list[Blemish]] = defaultdict(list)
        for blemish in self.blemishes:
            found[blemish.kind].append(blemish)
        order = ["stops", "left out", "mended", "reported"]
        return dict(sorted(found.items(), key=lambda item: order.index(KINDS[item[0]].effect)))

    def _rows(self) -> list[list]:
        rows = []
        for split, photos in photos_by_split(self.dataset).items():
            objects = [o for photo in photos for o in photo.image.objects]
            empty = sum(not photo.image.objects for photo in photos)
            difficult = sum(o.difficult for o in objects)
            rows.append([split, len(photos), empty, len(objects), difficult])
        return rows

    def _disk(self) -> str:
        sizes = [photo.header.upright_size for photo in self.dataset.photos]
        needed = pixel_cache_bytes(sizes, self.longest_side)
        free = free_bytes(self.cache_dir)
        text = (
            f"decoded for training (at most {self.longest_side} px) the photos take"
            f" {readable_size(needed)} in {self.cache_dir}, where {readable_size(free)} are free"
        )
        if needed > free:
            return f"{text}: too few. Make room, or choose another place with --cache-dir."
        return f"{text} (--cache-dir for another place)."


def _listed(names: Sequence[str], limit: int) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _table(head: list[str], rows: list[list]) -> str:
    return pd.DataFrame(rows, columns=head).to_string(index=False) if rows else "no photos"


def check(
    dataset: Dataset,
    decode: bool | None = None,
    longest_side: int = 360,
    cache_dir: str | Path | None = None,
    progress: Progress = False,
) -> Report:
    """Find all that is wrong with a data set; raises nothing for it.

    Args:
        decode: the photos, too; ``None`` does so for at most :data:`FEW_PHOTOS`.
        longest_side: of decoded photos, pixels, for the disk space that they will take.
        cache_dir: of what was read, and of decoded photos.
    """
    with no_garbage_collection():
        photos = dataset.photos
        if decode is None:
            decode = len(photos) <= FEW_PHOTOS
        decoded = _decoded(dataset, cache_dir, progress) if decode and photos else []
        damaged = {b.where for b in decoded if b.kind == "photo unreadable"}
        blemishes = [*dataset.blemishes, *_of_classes(dataset), *_of_splits(dataset, damaged)]
        blemishes += [*_same_names(photos), *_identical(dataset, cache_dir, progress), *decoded]
    return Report(dataset, blemishes, decode, longest_side, Path(cache_dir or default_cache_dir()))


def _of_classes(dataset: Dataset) -> list[Blemish]:
    counts = Counter(o.class_name for photo in dataset.photos for o in photo.image.objects)
    spellings: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        spellings["".join(name.split()).casefold()].append(name)
    found = [
        Blemish("class spelt twice", ", ".join(f"{n!r} ({counts[n]})" for n in sorted(names)))
        for names in spellings.values()
        if len(names) > 1
    ]
    unknown = sorted(set(counts) - set(dataset.class_names))
    found += [Blemish("class not expected", n, counted(counts[n], "object")) for n in unknown]
    if len(dataset.class_names) > MAX_CLASSES:
        found.append(Blemish("too many classes", f"{len(dataset.class_names)} of {MAX_CLASSES}"))
    return found


def _of_splits(dataset: Dataset, damaged: set[str]) -> list[Blemish]:
    splits = photos_by_split(dataset)
    found = []
    for photo in dataset.photos:
        several = sorted(set(photo.splits) & {"train", "val", "test"})
        if len(several) > 1:
            found.append(Blemish("in two splits", photo.image.file_name, " and ".join(several)))
    names = [name for name in splits if name not in ("val", "test")] or list(splits)
    usable = [p for n in names for p in splits[n] if p.image.file_name not in damaged]
    if not any(photo.image.largest for photo in usable):
        found.append(Blemish("nothing to learn", ", ".join(map(str, dataset.folders))))
    elif not splits.get("val"):
        found.append(Blemish("no split val", ", ".join(splits)))
    return found


def _same_names(photos: list[DatasetPhoto]) -> list[Blemish]:
    by_name: dict[str, list[str]] = defaultdict(list)
    for photo in photos:
        name = photo.image.file_name
        stem = name[name.rfind("/") + 1 :].rpartition(".")[0]
        by_name[stem.casefold()].append(name)
    groups = [names for names in by_name.values() if len(names) > 1]
    return [Blemish("same name twice", names[0], ", ".join(names[1:])) for names in groups]


def _identical(dataset: Dataset, cache_dir: str | Path | None, progress: Progress) -> list[Blemish]:
    by_size: dict[int, list[DatasetPhoto]] = defaultdict(list)
    for photo in {photo.path: photo for photo in dataset.photos}.values():
        by_size[photo.header.n_bytes].append(photo)
    # Only files with as many bytes can be the same.
    alike = [photo for photos in by_size.values() if len(photos) > 1 for photo in photos]
    names = [photo.image.file_name for photo in alike]
    what, folder = "comparing photos of equal size", dataset.image_folder
    hashes = read_remembered(in_all_cores(file_hash), folder, names, what, cache_dir, progress)
    groups: dict[str, list[DatasetPhoto]] = defaultdict(list)
    for photo, digest in zip(alike, hashes, strict=True):
        groups[digest].append(photo)
    found = []
    for digest, photos in groups.items():
        if digest:
            found += [_pair("identical", photos[0], other) for other in photos[1:]]
    return found


def _pair(how: str, first: DatasetPhoto, second: DatasetPhoto) -> Blemish:
    of_first, of_second = (set(p.splits) - {"trainval"} for p in (first, second))
    apart = of_first and of_second and not of_first & of_second
    kind = f"{how} across splits" if apart or how == "alike" else f"{how} photos"
    names = [f"{p.image.file_name} ({', '.join(p.splits) or 'no split'})" for p in (first, second)]
    return Blemish(kind, names[0], f"and {names[1]}")


def _decoded(dataset: Dataset, cache_dir: str | Path | None, progress: Progress) -> list[Blemish]:
    """Blemishes that only decoding shows: damaged photos, and similar ones across splits."""
    names = [photo.image.file_name for photo in dataset.photos]
    what, folder = "decoding photos to compare them", dataset.image_folder
    hashes = read_remembered(perceptual_hashes, folder, names, what, cache_dir, progress)
    reasons = zip(names, (why for _, why in hashes), strict=True)
    found = [Blemish("photo unreadable", name, why) for name, why in reasons if why]
    if len(names) > MAX_LOOKS:
        return found
    hashed = [(p, bits) for p, (bits, _) in zip(dataset.photos, hashes, strict=True) if bits]
    train = [(p, bits) for p, bits in hashed if "train" in p.splits]
    held_out = [(p, bits) for p, bits in hashed if p.splits and "train" not in p.splits]
    pairs = near_duplicates([bits for _, bits in train], [bits for _, bits in held_out])
    for i, j in pairs:
        first, second = train[i][0], held_out[j][0]
        if not filecmp.cmp(first.path, second.path, shallow=False):  # else it is identical
            found.append(_pair("alike", first, second))
    return found
