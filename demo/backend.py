"""What all tabs share: the checkpoints, their detectors, the named photos."""

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from demo.choice import Photo, PhotoChoice
from demo.inspection import Inspection, detector_of
from demo.serving.background import BackgroundWork
from demo.serving.calls import CallEndedError
from model.checkpoint import CHECKPOINT_FOLDER, DEFAULT_CHECKPOINT
from model.data.check import Report, check
from model.data.dataset import Dataset
from model.data.records import ImageAnnotation
from model.data.samples import PhotoLibrary
from model.errors import UserError
from model.evaluation.per_photo import PerPhoto
from model.inference import Detector

log = logging.getLogger("demo")
NUMBERS_FOR_CLASSES = (
    "The annotation has numbers for classes: drop the photo with it and classes.txt or data.yaml to"
    " see their names."
)


@dataclass
class Backend:
    """Shared by all visitors; holds no data of theirs.

    Attributes:
        library: photos with a name.
        checkpoint: name of the default one.
        folder: of the checkpoints that can be chosen by name.
        extra: a checkpoint file given on the command line, if it lies elsewhere.
        per_photo: predictions for each photo of a split, if the CSV of an evaluation was given.
        reading: background work, if there is a data set: reads all annotations, which takes
            seconds for thousands, and makes the table of the split that is shown first.
        checking: background work, if there is a data set: checks it.
    """

    library: PhotoLibrary
    checkpoint: str = DEFAULT_CHECKPOINT.stem
    folder: Path = CHECKPOINT_FOLDER
    extra: Path | None = None
    per_photo: PerPhoto | None = None

    def __post_init__(self) -> None:
        """Prepare the background work, and register folders that messages must not show."""
        dataset = self.library.dataset
        self.reading = BackgroundWork(partial(_read, self.library)) if dataset else None
        self.checking = BackgroundWork(partial(_check, dataset)) if dataset else None
        roots = dataset.folders if dataset else ()
        _shown_without_parents.update(filter(None, (*roots, self.folder, self.extra)))

    @property
    def first_photo(self) -> PhotoChoice:
        """The photo that is shown when the page opens."""
        return PhotoChoice(self.library.examples()[0].name)

    def checkpoints(self) -> dict[str, Path]:
        """Name -> file of all checkpoints; visitors choose by name only."""
        files = {path.stem: path for path in sorted(self.folder.glob("*.safetensors"))}
        return files | ({self.extra.stem: self.extra} if self.extra else {})

    def checkpoint_file(self, name: str = "") -> Path:
        """The file of a checkpoint.

        Raises:
            UserError: for an unknown name.
        """
        files = self.checkpoints()
        name = name or self.checkpoint
        if name not in files:
            raise UserError(
                f"there is no checkpoint {name[:60]!r}. There is: {', '.join(files) or 'none'}."
            )
        return files[name]

    def detector(self, name: str = "") -> Detector:
        """The detector of a checkpoint, loaded once."""
        return detector_of(self.checkpoint_file(name))

    def threshold(self, name: str = "") -> float:
        """The score from which on a checkpoint's detector is sure, rounded as sliders show it."""
        return round(self.detector(name).threshold, 2)

    def class_names(self) -> tuple[str, ...]:
        """The class names of the default checkpoint."""
        return self.detector().class_names

    def inspect(self, photo: PhotoChoice, checkpoint: str = "") -> Inspection:
        """The photo and the checkpoint of a request; an empty name means the default checkpoint.

        Raises:
            UserError: if there is no such photo or checkpoint.
        """
        return Inspection(self.photo(photo), self.checkpoint_file(checkpoint))

    def photo(self, choice: PhotoChoice) -> Photo:
        """The photo a visitor chose: a sample if one is named, else the upload.

        Raises:
            UserError: if there is neither.
        """
        if choice.sample:
            named = self.library.get(choice.sample)
            return Photo(named.path, choice.sample, named.objects, named.largest, named.note)
        if not choice.upload:
            raise UserError(
                "choose a photo first: drop one anywhere on the page, or press an example."
            )
        path = Path(choice.upload)
        largest = ImageAnnotation(path.name, 0, 0, choice.objects).largest
        numbered = largest and all(o.class_name.isdecimal() for o in choice.objects)
        note = NUMBERS_FOR_CLASSES if numbered else ""
        return Photo(path, objects=choice.objects, largest=largest, note=note)


def first_checkpoint(folder: Path = CHECKPOINT_FOLDER) -> str:
    """The name of the shipped checkpoint, or of the first one if the folder lacks it."""
    names = sorted(path.stem for path in folder.glob("*.safetensors"))
    return DEFAULT_CHECKPOINT.stem if DEFAULT_CHECKPOINT.stem in names or not names else names[0]


# Folders of this server that occur in messages of readers; :func:`user_message` shortens them.
_shown_without_parents: set[Path] = set()
_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^/\s]+/)+")


def _without_folders(text: str) -> str:
    """A sentence without folders of this server, but with paths inside its registered folders."""
    names = {
        str(form): path.name
        for path in _shown_without_parents
        for form in (path, path.resolve())
        if len(form.parts) > 1
    }
    for full_path in sorted(names, key=len, reverse=True):
        text = text.replace(full_path, names[full_path])
    return _FOLDERS.sub("", text)


def user_message(error: Exception) -> str:
    """One friendly sentence for any failure; unexpected ones are logged."""
    if isinstance(error, UserError):
        text = _without_folders(str(error))
        # A sentence starts with a capital letter, unless its first word is a file name.
        return text if "." in text.split()[0] else text[:1].upper() + text[1:]
    if isinstance(error, CallEndedError):
        return str(error)
    log.error("unexpected failure", exc_info=error)
    return (
        f"Something unexpected went wrong here ({type(error).__name__}). Try another photo, or load"
        " the page again."
    )


def _read(library: PhotoLibrary, tell: Callable[[str, int, int], None]) -> int:
    dataset = library.dataset
    assert dataset
    dataset.progress = tell
    count = len(dataset.photos)
    with suppress(UserError):  # problems of a split are reported when it is shown
        library.split(dataset.first_split)
    return count


def _check(dataset: Dataset, tell: Callable[[str, int, int], None]) -> Report:
    dataset.progress = tell
    return check(dataset, progress=tell)
