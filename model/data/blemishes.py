"""Everything that can be wrong with a data set: each kind, its effect, and what it means."""

from typing import Literal, NamedTuple

Effect = Literal["mended", "left out", "reported", "stops"]


class Kind(NamedTuple):
    """A kind of blemish: its effect, and a phrase that explains it and may name a remedy."""

    effect: Effect
    text: str


BOXES_DO_NOT_FIT = "boxes do not fit"
KINDS = {
    "counts from 0": Kind("mended", "the boxes count pixels from 0: all were read so"),
    "numbers of another kind": Kind("mended", "boxes fit their photos only if their numbers are"
                                    " read otherwise: all were read so"),
    "more than boxes": Kind("mended", "lines of labels hold more than boxes and outlines: what it"
                            " is was told from all of them, and it is passed over"),
    "corners swapped": Kind("mended", "left and right, or top and bottom, changed places"),
    "sides swapped": Kind("mended", "width and height of the annotation changed places"),
    "box at the edge": Kind("mended", "a box reaches up to two pixels out of the photo: cut"),
    "box outside": Kind("mended", "a box reaches far out of the photo: cut; look at it"),
    "no size": Kind("mended", "the annotation has no size: taken from the photo"),
    "wrong size": Kind("mended", "the annotation's size does not hold its boxes: the photo's does"),
    "other size": Kind("mended", "annotated on a smaller or larger copy: boxes scaled"),
    "turned by EXIF": Kind("mended", "boxes drawn before EXIF turned the photo: turned with it"),
    "other encoding": Kind("mended", "no UTF-8: read in the encoding that it most likely has; look"
                           " at the class names"),
    "other file name": Kind("mended", "the annotation names another photo: that of its own name"),
    "photo missing": Kind("left out", "no photo of that name; add it, or remove the annotation"),
    "photo unreadable": Kind("left out", "the photo cannot be read; save or download it again"),
    "other shape": Kind("left out", "annotated on a photo of another shape; annotate this one"),
    "annotation missing": Kind("left out", "listed without annotation; annotate it"),
    "annotation unreadable": Kind("left out", "the annotation cannot be read; correct it"),
    "not read": Kind("left out", "a folder or file that cannot be read, or that lies too deep"),
    "link not followed": Kind(
        "left out",
        "it leads out of the folder, or to a folder that is read anyway; copy what lies outside",
    ),
    "object without area": Kind("left out", "the box of an object has no area; draw it again"),
    "object without box": Kind("left out", "an object without four usable numbers; draw a box"),
    "object without class": Kind("left out", "an object without usable class name; name it"),
    "no usable object": Kind("left out", "objects of which none can be used, so it is no background"
                             " either; correct one"),
    "name listed twice": Kind("left out", "a list names the photo again; once is enough"),
    "only difficult": Kind("left out", "nothing but difficult objects, so no target"),
    "not annotated": Kind("reported", "a photo beside the others that no annotation names"),
    "no label file": Kind("reported", "taken for a background; annotate it if it shows something"),
    "in no split": Kind("reported", "an annotated photo that no list names is not used"),
    "turn unknown": Kind("reported", "turned by EXIF, and nothing tells how it was annotated"),
    "annotated twice": Kind("reported", "several annotations of one photo: all objects count"),
    "same name twice": Kind("reported", "photos of one name in several places or formats"),
    "in two splits": Kind("reported", "scores on it say too much; take it out of one"),
    "identical photos": Kind("reported", "the same file under two names"),
    "identical across splits": Kind("reported", "the same file in two splits; remove one"),
    "alike across splits": Kind("reported", "nearly the same photo in two splits; remove one"),
    "class spelt twice": Kind("reported", "classes that differ by case or blanks; merge them"),
    "ids count from 1": Kind("mended", "class ids go from 1 to their number: one was taken off"),
    "classes without names": Kind("reported", "nothing names the classes: numbers do, or 'object'"),
    "split of our own": Kind("reported", "no lists: about a fifth is val, by a hash of the name"),
    "no split val": Kind("reported", "nothing is held out: --val-split none, or write lists with"
                         " python -m model.dataset split"),
    "nothing to learn": Kind("stops", "no photo with an object in train; annotate some"),
    BOXES_DO_NOT_FIT: Kind("stops", "most boxes do not lie in their photos, however their numbers"
                           " are read; write them as the format says"),
    "too many classes": Kind("stops", "more classes than a detector holds; merge some"),
    "class not expected": Kind("stops", "not among --class-names; add it there, or rename it"),
}  # fmt: skip


class Blemish(NamedTuple):
    """One blemish: its kind, the photo or file it is about, and details."""

    kind: str
    where: str
    detail: str = ""

    @property
    def effect(self) -> Effect:
        """What the reader does about it."""
        return KINDS[self.kind].effect

    @property
    def words(self) -> str:
        """What is wrong, with the details in parentheses."""
        text = KINDS[self.kind].text
        return f"{text} ({self.detail})" if self.detail else text
