"""Which photo a visitor chose, and that photo as this server has it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from demo.serving.calls import raise_if_ended
from model.data.images import LoadedImage, load_fitted
from model.data.records import ObjectAnnotation
from model.errors import UserError

MAX_PHOTOS = 100  # of one upload
OWN_PHOTO = "own"  # ``photo`` in an address, which cannot hold an upload
LOST_UPLOAD = (
    "This link was made with a photo of somebody's own, which an address cannot hold: drop it here"
    " again. All settings are as they were."
)


class UploadedFile(NamedTuple):
    """An uploaded file: its path on this server, and the name it had at the visitor's."""

    path: Path
    name: str


@dataclass(frozen=True)
class PhotoChoice:
    """A photo of the library by name (``sample``), or the path of an ``upload``.

    ``offered`` is a new choice of the visitor that the server has not read yet; ``note`` is a
    sentence for the visitor. The browser numbers its offers; ``number`` is that of this offer, or
    of the offer this is the answer to. ``boxes``, in the format of addresses, are those the visitor
    drew on a photo that the browser had kept. ``annotations`` are files that were dropped with the
    photo, ``objects`` those annotated in them, and ``name`` is the photo's file name.
    """

    sample: str = ""
    upload: str | None = None
    offered: "PhotoChoice | None" = None
    note: str = ""
    number: int = field(default=0, compare=False)
    boxes: str = field(default="", compare=False)
    annotations: tuple[UploadedFile, ...] = field(default=(), compare=False)
    objects: tuple[ObjectAnnotation, ...] = ()
    name: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """Identifies the photo on the page: its sample name, or the path of the upload."""
        return self.sample or self.upload or ""

    def to_query(self) -> dict[str, str]:
        """The part of an address that names this photo."""
        if self.sample:
            return {"sample": self.sample}
        return {"photo": OWN_PHOTO} if self.upload else {}


@dataclass(frozen=True)
class Photo:
    """The photo that a visitor looks at.

    Attributes:
        path: of the file.
        sample: its name in the library; empty for an upload.
        objects: annotated objects, in pixels of the upright photo; of an upload those of the
            annotation that was dropped with it.
        largest: the target among them.
        note: a sentence about the photo for the visitor.
    """

    path: Path
    sample: str = ""
    objects: tuple[ObjectAnnotation, ...] = ()
    largest: ObjectAnnotation | None = None
    note: str = ""

    @property
    def seed_name(self) -> str:
        """The name for :func:`model.augment.photo_seed`; empty for uploads, whatever their name."""
        return self.path.name if self.sample else ""

    def load(self, longest_side: int | None) -> LoadedImage:
        """Read the photo, with ``longest_side`` pixels at most.

        Raises:
            UserError: if it cannot be read; the message has its name without the folder.
        """
        raise_if_ended()
        try:
            return load_fitted(self.path, longest_side)
        except UserError as error:
            raise UserError(str(error).replace(str(self.path), self.path.name)) from error
