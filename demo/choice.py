"""Which photo a visitor chose, and that photo as this server has it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from demo.serving.calls import raise_if_ended
from model.data.images import LoadedImage, load_fitted
from model.data.records import ObjectAnnotation
from model.errors import UserError

MAX_PHOTOS = 100  # that may be sent together
OWN_PHOTO = "own"  # what an address says instead of an upload, which it cannot hold
LOST_UPLOAD = (
    "This link was made with a photo of somebody's own, which an address cannot hold: drop it here"
    " again. All settings are as they were."
)


class SentFile(NamedTuple):
    """A file of a visitor: its path here, and the name that it had there."""

    path: Path
    name: str


@dataclass(frozen=True)
class PhotoChoice:
    """A photo of the library by name, or the path of an upload.

    ``offered`` is what the visitor has just chosen and nobody has read yet; ``note`` is a sentence
    for them. The browser counts what is offered, and ``number`` says which of them this is, or
    answers. ``boxes``, as an address has them, are those that the visitor drew on a photo the
    browser had kept. ``annotations`` are files that were dropped with the photo, and ``objects``
    what they say is in it; ``name`` is what the photo was called.
    """

    sample: str = ""
    upload: str | None = None
    offered: "PhotoChoice | None" = None
    note: str = ""
    number: int = field(default=0, compare=False)
    boxes: str = field(default="", compare=False)
    annotations: tuple[SentFile, ...] = field(default=(), compare=False)
    objects: tuple[ObjectAnnotation, ...] = ()
    name: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """What tells it from another one on the same page."""
        return self.sample or self.upload or ""

    def to_query(self) -> dict[str, str]:
        """As part of an address."""
        if self.sample:
            return {"sample": self.sample}
        return {"photo": OWN_PHOTO} if self.upload else {}


@dataclass(frozen=True)
class Photo:
    """The photo someone looks at.

    Attributes:
        path: of the file.
        sample: its name in the library; empty for an upload.
        objects: annotated objects, in pixels of the upright photo; of an upload those of the
            annotation that was dropped with it.
        largest: the target among them.
        note: a sentence on it.
    """

    path: Path
    sample: str = ""
    objects: tuple[ObjectAnnotation, ...] = ()
    largest: ObjectAnnotation | None = None
    note: str = ""

    @property
    def seed_name(self) -> str:
        """For :func:`model.augment.photo_seed`: uploads are all alike, whatever they are called."""
        return self.path.name if self.sample else ""

    def load(self, longest_side: int | None) -> LoadedImage:
        """Read it, at most so large.

        Raises:
            UserError: if it cannot be read; the sentence names it as its owner knows it.
        """
        raise_if_ended()
        try:
            return load_fitted(self.path, longest_side)
        except UserError as error:
            raise UserError(str(error).replace(str(self.path), self.path.name)) from error
