"""PASCAL VOC: one XML file a photo, lists of splits in ``ImageSets/Main``.

Also without lists, and with photos and XML files in one folder or in two of any name. Corners in
the XML are 1-based and inclusive, as in the VOC 2007 development kit.
"""

import math
import re
import reprlib
import xml.etree.ElementTree as ElementTree

from model.checked import is_name, is_number
from model.data.blemishes import Blemish
from model.data.formats.listing import (
    MOST,
    Box,
    Entry,
    Format,
    Listing,
    Parsed,
    Reading,
    content_of,
    decoded,
    number_of,
    of_center_and_size,
    other_lists,
    parts_of_side,
    put_in_folder_splits,
    split_lists,
    split_of_list,
    unannotated,
)
from model.data.names import FileIndex, split_named, stem_of
from model.data.tree import Tree

MAX_XML_BYTES = 16 << 20  # of a photo with some 50,000 objects
MAX_SIDE = 1_000_000  # pixels
_TRUE = frozenset({"1", "true", "yes"})


def recognises(tree: Tree) -> bool:
    """Whether there are XML files with the names of photos, or VOC's folders."""
    if voc_roots(tree):
        return True
    some = tree.with_suffix(".xml")[:500]
    named = any(_of_annotations(path) or tree.photo_index.find(path) for path in some)
    some_parsed = (parse(tree.path(path)) for path in some[:20] if not named)
    return named or any(p.objects and tree.photo_index.find(p.file_name) for p in some_parsed)


def _of_annotations(path: str) -> bool:
    return "annotation" in path.rpartition("/")[0].casefold()


def voc_roots(tree: Tree) -> list[str]:
    """Folders below the root, or "" for itself, with both ``Annotations/`` and ``ImageSets/``."""
    parents = [f.rpartition("/")[0] for f in tree.folders if f.rpartition("/")[2] == "Annotations"]
    return sorted(p for p in parents if (f"{p}/ImageSets" if p else "ImageSets") in tree.folders)


def listing(tree: Tree) -> Listing:
    """All listed photos; without lists all that have an XML file."""
    blemishes: list[Blemish] = []
    lists = split_lists(tree) or other_lists(tree)
    # The longest first: mostly the union of others, and its order is kept.
    lists = dict(sorted(lists.items(), key=lambda item: -len(item[1])))
    annotations = FileIndex(tree.with_suffix(".xml"))
    entries = _listed(tree, lists, annotations, blemishes)
    known = {entry.annotation for entry in entries}
    for path in tree.with_suffix(".xml"):
        if path not in known and (not lists or _of_annotations(path)):
            entries.append(Entry(stem_of(path), _photo_of(tree, path, path), path))
            if lists:
                blemishes.append(Blemish("in no split", path))
    if not lists:
        put_in_folder_splits(entries)
    return Listing(entries, blemishes + unannotated(tree, entries))


_LABELLED = re.compile(r"(?P<name>.*\S)\s+(?P<label>-1|0|1)")


def _listed(
    tree: Tree, lists: dict[str, list[str]], annotations: FileIndex, blemishes: list[Blemish]
) -> list[Entry]:
    """One entry a photo; VOC's per-class lists count only where there are no other lists."""
    entries: dict[str, Entry] = {}
    labelled = {path for path, lines in lists.items() if _is_labelled(lines, annotations)}
    for path, lines in lists.items():
        split = split_of_list(path)
        if path in labelled and labelled != set(lists):
            continue
        if path in labelled and len(labelled) > 1:
            # Each class has a list of all photos of the split: the list's name tells which.
            split = split_named(split) or split
        near = path.rpartition("ImageSets")[0] + "Annotations"
        seen = set()
        for line in lines:
            name = line
            if path in labelled and (found := _LABELLED.fullmatch(line)):
                name = found["name"]
                if len(labelled) == 1 and found["label"] != "1":
                    continue
            annotation = annotations.find(name, near)
            key = annotation or stem_of(name)
            if key in seen:
                blemishes.append(Blemish("name listed twice", name, path))
                continue
            seen.add(key)
            if key not in entries:
                photo = _photo_of(tree, name, annotation)
                entries[key] = Entry(stem_of(name), photo, annotation)
            if split not in entries[key].splits:
                entries[key].splits.append(split)
    return list(entries.values())


def _is_labelled(lines: list[str], annotations: FileIndex) -> bool:
    """Whether it is a list with 1, 0 or -1 behind every name, as VOC has for each class."""
    return bool(lines) and all(
        _LABELLED.fullmatch(line) and not annotations.find(line) for line in lines
    )


def _photo_of(tree: Tree, name: str, annotation: str | None) -> str | None:
    folder = (annotation or "").rpartition("/")[0]
    beside = folder.rpartition("/")[0]
    photos = f"{beside}/JPEGImages" if beside else "JPEGImages"
    return tree.photo_index.find(name, photos if photos in tree.folders else folder)


_OF_AN_OBJECT = frozenset({"bndbox", "xmin", "robndbox", "polygon", "points", "box"})


_DECLARED = re.compile(rb"<\?xml[^>]*\bencoding\s*=\s*[\"']([\w.-]+)[\"']")
_UNICODE = frozenset({"utf-8", "utf8", "utf-16"})  # which some files declare wrongly
# Encodings of several bytes a letter, which expat does not know.
_OF_EAST_ASIA = frozenset({"gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"})


class _TreeWithoutDoctype(ElementTree.TreeBuilder):
    def doctype(self, _name: str, _public_id: str | None, _system: str | None) -> None:
        raise ValueError("it has a <!DOCTYPE>, which VOC annotations do not need")


def parse(path: str) -> Parsed:
    """Read one XML file.

    A DOCTYPE is refused: VOC has none, and it can make a parser read other files or swell without
    end.
    """
    try:
        parser = ElementTree.XMLParser(target=_TreeWithoutDoctype())
        content = content_of(path, MAX_XML_BYTES).lstrip()
        declared = found[1].decode().lower() if (found := _DECLARED.match(content)) else "utf-8"
        text, guessed = decoded(content) if declared in _UNICODE else (content, "")
        if declared in _OF_EAST_ASIA:
            text = content.decode(declared)
        root = ElementTree.fromstring(text, parser)
    # An unknown encoding is a LookupError, one that expat cannot read a ValueError.
    except (ElementTree.ParseError, LookupError, ValueError, OSError, RecursionError) as error:
        return Parsed(None, "", [], [["annotation unreadable", f"not readable XML ({error})"]])
    tags = _plain_tags(root)
    if "object" not in tags and (root.tag != "annotation" or tags & _OF_AN_OBJECT):
        what = f"<{root.tag[:40]}> without <object>; export it as PASCAL VOC"
        return Parsed(None, "", [], [["annotation unreadable", what]])
    size = [number_of(root.findtext(f"size/{side}") or "") or 0.0 for side in ("width", "height")]
    usable = all(1 <= side <= MAX_SIDE for side in size)
    objects, problems = [], [["other encoding", guessed]] if guessed else []
    for node in root.iter("object"):
        name = (node.findtext("name") or "").strip()
        corners = _numbers(node, "bndbox", "xmin", "ymin", "xmax", "ymax")
        corners = corners or _rotated(node, size if usable else [MOST, MOST])
        if not is_name(name):
            problems.append(["object without class", reprlib.repr(name)])
        elif not corners:
            problems.append(["object without box", name])
        else:
            difficult = (node.findtext("difficult") or "").strip().casefold() in _TRUE
            objects.append([name, *corners, int(difficult)])
    file_name = root.findtext("filename") or root.findtext("path") or ""
    return Parsed(size if usable else None, file_name, objects, problems)


def _numbers(node: ElementTree.Element, box: str, *tags: str) -> list[float]:
    """The numbers of a box under these tags; empty if one of them is missing, or is none."""
    found = [number_of(node.findtext(f"{box}/{tag}") or "") for tag in tags]
    numbers = [number for number in found if is_number(number, MOST)]
    return numbers if len(numbers) == len(tags) else []


def _rotated(node: ElementTree.Element, size: list[float]) -> list[float]:
    """The upright box around a rotated one, as roLabelImg writes it; empty if there is none.

    It is cut at the edges of the photo, which the corners of a rotated box often pass.
    """
    if not (numbers := _numbers(node, "robndbox", "cx", "cy", "w", "h", "angle")):
        return []
    x, y, width, height, angle = numbers
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    half_x, half_y = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    right, bottom = min(x + half_x, size[0]), min(y + half_y, size[1])
    return [max(x - half_x, 1.0), max(y - half_y, 1.0), right, bottom]


def _plain_tags(root: ElementTree.Element) -> set[str]:
    """All tags, once they are in small letters and without namespaces."""
    tags = set()
    for node in root.iter():
        node.tag = tag = node.tag.rpartition("}")[2].lower()
        tags.add(tag)
    return tags


def _of_width_and_height(box: Box) -> Box:
    left, top, width, height = box
    return left, top, left + width - 1, top + height - 1


OTHERS = (
    Reading("left, top, width, height", "from 1", _of_width_and_height),
    Reading("center and size", "from 0", of_center_and_size),
    Reading("shares of the photo's sides", "shares"),
    parts_of_side(100, "percent of the photo's sides"),
    parts_of_side(1000, "thousandths of the photo's sides"),
    Reading("center and size as shares", "shares", of_center_and_size),
)
VOC = Format("voc", recognises, listing, parse, "from 1", OTHERS)
