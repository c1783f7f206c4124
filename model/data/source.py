"""One folder of a data set: its photos with mended annotations, and its blemishes."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from model.checked import is_name
from model.data.blemishes import Blemish
from model.data.formats import format_of
from model.data.formats.listing import Entry, Listing, Parsed, put_in_listed_splits
from model.data.formats.voc import voc_roots
from model.data.likeness import identical_files
from model.data.mending import Habits, habits_of, mended
from model.data.names import key_of, shares_of
from model.data.photo_headers import PhotoHeader, read_photo_header, read_photo_headers
from model.data.records import ImageAnnotation
from model.data.remembered import Progress, in_all_cores, read_remembered, with_bar
from model.data.tree import Tree
from model.errors import UserError

VAL_SHARE = 0.2  # of a set that has no lists
JUDGED_PHOTOS = 500  # sampled to tell how a set was annotated

Found = tuple[str, ImageAnnotation, tuple[str, ...], PhotoHeader]
"""Path, annotation with the path below the folder as its name, splits, header."""


class Source:
    """One folder. Its files are listed at once, its photos and splits when first needed.

    Attributes:
        together: all folders of the set; :class:`Dataset` adds the others.
        blemishes: of photos and annotations, noted by :meth:`photos`; others are in the listing.

    Args:
        folder: of the data set, or one above it.
        format: see :func:`model.data.formats.format_of`.

    Raises:
        UserError: if the folder is missing, or holds no data set or more than one.
    """

    def __init__(self, folder: Path, format: str, progress: bool) -> None:
        tree = Tree(folder, progress)
        roots = voc_roots(tree) if format in ("auto", "voc") else []
        if roots and "" not in roots:
            tree = Tree(tree.root / _the_root(tree, roots), progress)
        self.tree, self.format = tree, format_of(tree, format)
        self.together: Sequence[Source] = [self]
        self.blemishes: list[Blemish] = []
        self.known_parsed: dict[str, Parsed] = {}
        self.known_headers: dict[str, PhotoHeader] = {}

    @cached_property
    def listing(self) -> Listing:
        """All photos, each in a split."""
        _draw_splits([each for each in self.together if each.as_listed.entries])
        return self.as_listed

    @cached_property
    def as_listed(self) -> Listing:
        """All photos; those of a folder that names no splits are in none yet."""
        listing = self.format.listing(self.tree)
        if self.format.name != "voc":
            listing.blemishes.extend(put_in_listed_splits(self.tree, listing.entries))
        links = self.tree.links_out
        listing.blemishes.extend(Blemish("link not followed", link) for link in links)
        listing.blemishes.extend(Blemish("not read", *item) for item in self.tree.unread.items())
        return listing

    @cached_property
    def by_photo(self) -> dict[str, Entry]:
        """The entry of each photo; the first where there are several."""
        entries = self.listing.entries
        return {entry.photo: entry for entry in reversed(entries) if entry.photo}

    @cached_property
    def habits(self) -> Habits:
        """How the set was annotated, judged by a sample of its photos."""
        entries = [entry for entry in self.listing.entries if entry.photo]
        some = entries[:: max(1, len(entries) // JUDGED_PHOTOS)]
        pairs = zip(map(self.parsed, some), self.headers(some), strict=True)
        usable = [(p, h) for p, h in pairs if p and not h.problem]
        return habits_of(self.format, [p for p, _ in usable], [h for _, h in usable])

    @property
    def parse(self) -> Callable[[str], Parsed] | None:
        """Reads one annotation; ``None`` where one file holds those of all photos."""
        return self.listing.parse or self.format.parse

    def parsed(self, entry: Entry) -> Parsed | None:
        """The parsed annotation of a photo; ``None`` if there is none."""
        if self.parse is None:
            return entry.parsed
        if entry.annotation is None:
            return self.nothing
        if known := self.known_parsed.get(entry.annotation):
            return known
        return self.named(self.parse(self.tree.path(entry.annotation)))

    def header(self, entry: Entry) -> PhotoHeader:
        """The header of a photo that exists, read within the current visitor's request if any."""
        name = str(entry.photo)
        if name not in self.known_headers:
            self.known_headers[name] = read_photo_header(self.tree.path(name))
        return self.known_headers[name]

    def headers(self, entries: Sequence[Entry]) -> list[PhotoHeader]:
        """The headers of photos that exist, in order."""
        new = [name for e in entries if (name := str(e.photo)) not in self.known_headers]
        values = read_photo_headers([self.tree.path(name) for name in new])
        self.known_headers.update(zip(new, (PhotoHeader(*v) for v in values), strict=True))
        return [self.known_headers[str(entry.photo)] for entry in entries]

    @cached_property
    def ids_from_1(self) -> bool:
        """Whether class ids go from 1 to the number of classes in a sample of the annotations."""
        names, parse = self.listing.class_names, self.parse
        if not names or parse is None:
            return False
        files = [entry.annotation for entry in self.listing.entries if entry.annotation]
        some = files[:: max(1, len(files) // JUDGED_PHOTOS)]
        words = {o[0] for file in some for o in parse(self.tree.path(file)).objects}
        ids = {int(word) for word in words if word.isdecimal()}
        return bool(ids) and min(ids) == 1 and max(ids) == len(names)

    @cached_property
    def class_of(self) -> dict[str, str]:
        """Class id or name, as annotations write it -> class name."""
        names = self.listing.class_names or []
        counts = Counter(name.casefold() for name in names)
        folded = {name.casefold(): name for name in names if counts[name.casefold()] == 1}
        ids = {str(i): name for i, name in enumerate(names, int(self.ids_from_1))}
        return folded | {name: name for name in names} | ids

    def named(self, parsed: Parsed) -> Parsed:
        """Class ids replaced by their names; objects of unknown ones are left out."""
        if (names := self.listing.class_names) is None:
            return parsed
        objects, problems = [], list(parsed.problems)
        for class_id, *rest in parsed.objects:
            name = self.class_of.get(class_id) or self.class_of.get(class_id.casefold())
            if is_name(name):
                objects.append([name, *rest])
            else:
                problems.append(["object without class", f"id {class_id}; there are {len(names)}"])
        return Parsed(parsed.size, parsed.file_name, objects, problems)

    @property
    def nothing(self) -> Parsed | None:
        """The annotation of a photo without annotation file: in YOLO, that it has no object."""
        return Parsed(None, "", [], []) if self.format.units == "shares" else None

    def photo(self, path: str) -> Found | None:
        """A photo by its path below the folder, read alone; ``None`` if it cannot be used."""
        found = self.photo_or_why(path)
        return None if isinstance(found, Blemish) else found

    def photo_or_why(self, path: str) -> Found | Blemish:
        """As :meth:`photo`, or why it cannot be used."""
        entry = self.by_photo[path]
        parsed, header = self.parsed(entry), self.header(entry)
        if parsed is None:
            return Blemish("annotation missing", path)
        if broken := _unreadable(parsed):
            return Blemish("annotation unreadable", entry.annotation or path, broken)
        if header.problem:
            return Blemish("photo unreadable", path, header.problem)
        image, problems = mended(path, parsed, header, self.habits)
        if image:
            return self.tree.path(path), image, tuple(entry.splits), header
        blemishes = (Blemish(kind, path, detail) for kind, detail in problems)
        return next(blemish for blemish in blemishes if blemish.effect == "left out")

    def photos(self, cache_dir: str | Path | None, progress: Progress) -> list[Found]:
        """All usable photos; fills :attr:`blemishes`. Arguments: see :class:`Dataset`."""
        self.blemishes = []
        pairs = []
        annotations = self._all_parsed(cache_dir, progress)
        for entry, annotation in zip(self.listing.entries, annotations, strict=True):
            if annotation is None:
                self._note("annotation missing", entry.name)
            elif broken := _unreadable(annotation):
                self._note("annotation unreadable", entry.annotation or entry.name, broken)
            elif self._has_photo(entry, annotation):
                pairs.append((entry, annotation))
        headers = self._all_headers([entry for entry, _ in pairs], cache_dir, progress)
        readable = []
        for (entry, annotation), header in zip(pairs, headers, strict=True):
            if header.problem:
                self._note("photo unreadable", str(entry.photo), header.problem)
            else:
                readable.append((entry, annotation, header))
        found = self._all_mended(readable, progress)
        self.known_parsed = {}  # may be 100,000s, hardly one of which is needed again
        return found

    def _note(self, kind: str, where: str, detail: str = "") -> None:
        self.blemishes.append(Blemish(kind, where, detail))

    def _all_parsed(self, cache_dir: str | Path | None, progress: Progress) -> list[Parsed | None]:
        """The parsed annotation of each entry."""
        entries = self.listing.entries
        if self.parse is None:
            return [entry.parsed for entry in entries]
        files = list(dict.fromkeys(e.annotation for e in entries if e.annotation))
        what, root = "reading annotations", self.tree.root
        values = read_remembered(in_all_cores(self.parse), root, files, what, cache_dir, progress)
        parsed = (self.named(Parsed(*value)) for value in values)
        self.known_parsed = known = dict(zip(files, parsed, strict=True))
        return [known[e.annotation] if e.annotation else self.nothing for e in entries]

    def _has_photo(self, entry: Entry, parsed: Parsed) -> bool:
        """Whether the photo of an entry exists; finds it by the annotation if needed."""
        if entry.photo is None and parsed.file_name:
            near = (entry.annotation or "").rpartition("/")[0]
            entry.photo = self.tree.photo_index.find(parsed.file_name, near)
        if entry.photo is None:
            name = parsed.file_name.strip() or entry.name.strip()
            self._note("photo missing", name or f"{entry.annotation}: an image without a name")
            return False
        name, photo = parsed.file_name, entry.photo
        if name and not f"/{photo}".endswith(f"/{name}") and key_of(name) != key_of(photo):
            self._note("other file name", photo, f"{name.strip()[:100]!r} in {entry.annotation}")
        return True

    def _all_headers(
        self, entries: list[Entry], cache_dir: str | Path | None, progress: Progress
    ) -> list[PhotoHeader]:
        names = list(dict.fromkeys(str(entry.photo) for entry in entries))
        values = read_remembered(
            read_photo_headers, self.tree.root, names, "reading the sizes of photos",
            cache_dir, progress,
        )  # fmt: skip
        self.known_headers.update(zip(names, (PhotoHeader(*v) for v in values), strict=True))
        return self.headers(entries)

    def _all_mended(
        self, readable: list[tuple[Entry, Parsed, PhotoHeader]], progress: Progress
    ) -> list[Found]:
        habits, name = self.habits, self.tree.root.name
        if self.ids_from_1:
            self._note("ids count from 1", name)
        if habits.blemish:
            self._note(habits.blemish, name, habits.detail)
        found: dict[str, Found] = {}
        what = "comparing boxes and photos"
        for entry, parsed, header in with_bar(readable, what, len(readable), progress):
            photo = str(entry.photo)
            image, problems = mended(photo, parsed, header, habits)
            self.blemishes += [Blemish(kind, photo, detail) for kind, detail in problems]
            if image is None:
                continue
            if photo in found:
                self._note("same name twice", photo, "two annotations")
                continue
            found[photo] = (self.tree.path(photo), image, tuple(entry.splits), header)
            if image.objects and all(each.difficult for each in image.objects):
                self._note("only difficult", photo)
        return list(found.values())


def _the_root(tree: Tree, roots: list[str]) -> str:
    """The VOC folder to read, of those below the folder given; raises ``UserError`` if unclear."""
    usual = [root for root in ("VOC2007", "VOCdevkit/VOC2007") if root in roots]
    if len(roots) == 1 or usual:
        return (usual or roots)[0]
    raise UserError(
        f"{tree.root} holds {len(roots)} data sets: {', '.join(roots[:5])}. Name the folder of each"
        " you want, with --data for each."
    )


def _draw_splits(sources: Sequence[Source]) -> None:
    """Assign train or val by a hash of the name, so that a photo's split never changes.

    Only in folders that name no splits; a copy of another folder's photo gets the splits of that.
    """
    drawn = [s for s in sources if not any(entry.splits for entry in s.as_listed.entries)]
    if not drawn:
        return
    entries = [entry for source in drawn for entry in source.as_listed.entries]
    by_path = {s.tree.path(e.photo): e for s in sources for e in s.as_listed.entries if e.photo}
    groups = [[by_path[path] for path in group] for group in identical_files(by_path)]
    copies = [[entry.name for entry in group if not entry.splits] for group in groups]
    shares = shares_of([entry.name for entry in entries], [names for names in copies if names])
    found = {shares[entry.name] for entry in entries if entry.annotation or entry.photo}
    lowest = min(found, default=0.0) if len(found) > 1 else -1.0
    of_copies = {
        id(e): s for g in groups if (s := next((e.splits for e in g if e.splits), [])) for e in g
    }
    for entry in entries:
        is_val = len(found) > 1 and shares[entry.name] < max(VAL_SHARE, lowest + 1e-12)
        entry.splits += of_copies.get(id(entry)) or ["val" if is_val else "train"]
    for source in drawn:
        source.as_listed.blemishes.append(Blemish("split of our own", source.tree.root.name))


def _unreadable(parsed: Parsed) -> str:
    """Why an annotation cannot be read; empty if it can."""
    return next((d for kind, d in parsed.problems if kind == "annotation unreadable"), "")
