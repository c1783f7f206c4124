"""What all tabs share: the checkpoints, the detectors, the named photos, files to take away."""

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from demo.serving.batching import Batcher
from demo.serving.calls import CallEndedError, go_on
from demo.serving.cores import shared_cores
from demo.serving.gpu import OWN_DEVICE, for_batches
from model.augment import working_side
from model.checkpoint import CHECKPOINT_FOLDER, DEFAULT_CHECKPOINT
from model.data.dataset import list_splits
from model.data.images import LoadedImage, load_fitted
from model.data.records import ObjectAnnotation
from model.data.samples import NamedPhoto, PhotoLibrary
from model.errors import UserError
from model.evaluation.per_photo import PerPhoto
from model.inference import DRAWN_SIDE, Detection, Detector, load_detector
from model.inspect import explanation as explaining
from model.inspect.robustness import VariantPrediction, predict_variants
from model.inspect.variants import Variant

log = logging.getLogger("demo")

BATCH_SIZE = 16
MOST_TOGETHER = 8  # single photos in one pass; more only make the first of them wait


@dataclass(frozen=True)
class Photo:
    """The photo someone looks at.

    Attributes:
        path: of the file.
        sample: its name in the library; empty for an upload.
        objects: annotated objects, in pixels of the upright photo.
    """

    path: Path
    sample: str = ""
    objects: tuple[ObjectAnnotation, ...] = ()
    largest: ObjectAnnotation | None = None

    @property
    def file_name(self) -> str:
        """For :func:`model.augment.photo_seed`: uploads are all alike, whatever they are called."""
        return self.path.name if self.sample else ""


@dataclass(frozen=True)
class Timed:
    """A detection and the milliseconds it took."""

    detection: Detection
    decode_ms: float
    network_ms: float


@dataclass
class Backend:
    """Shared by all visitors; holds nothing of theirs.

    Attributes:
        library: photos with a name.
        checkpoint: name of the one to start with.
        folder: where checkpoints are chosen from, by name.
        extra: a checkpoint file given on the command line, if it lies elsewhere.
        per_photo: what was predicted for each photo of a split, if somebody gave the CSV.
    """

    library: PhotoLibrary
    checkpoint: str = DEFAULT_CHECKPOINT.stem
    folder: Path = CHECKPOINT_FOLDER
    extra: Path | None = None
    per_photo: PerPhoto | None = None

    def __post_init__(self) -> None:
        """Note the folders visitors need not hear of."""
        root = self.library.voc_root
        _named_without_parents.update(filter(None, (root, self.folder, self.extra)))

    def checkpoints(self) -> dict[str, Path]:
        """Name -> file; names are all a visitor can choose."""
        found = {path.stem: path for path in sorted(self.folder.glob("*.safetensors"))}
        return found | ({self.extra.stem: self.extra} if self.extra else {})

    def checkpoint_file(self, name: str = "") -> Path:
        """The file of a checkpoint.

        Raises:
            UserError: for an unknown name.
        """
        known = self.checkpoints()
        name = name or self.checkpoint
        if name not in known:
            raise UserError(
                f"there is no checkpoint {name[:60]!r}. There is: {', '.join(known) or 'none'}."
            )
        return known[name]

    def detector(self, name: str = "") -> Detector:
        """The detector of a checkpoint, loaded once."""
        return detector_of(self.checkpoint_file(name))

    def class_names(self) -> tuple[str, ...]:
        """Of the checkpoint the page starts with."""
        return self.detector().class_names

    def split(self, name: str) -> pd.DataFrame:
        """The rows of a VOC split, one a photo.

        Raises:
            UserError: without VOC, or if it has no such split.
        """
        root = self.library.voc_root
        # A name becomes part of a path, so only those that are there are let through.
        if root and name not in (known := list_splits(root)):
            raise UserError(f"there is no split {name[:40]!r}. There is: {', '.join(known)}.")
        return self.library.split(name).frame

    def photo(self, sample: str, upload: str | None) -> Photo:
        """What a visitor chose: a sample if one is named, else the upload.

        Raises:
            UserError: if there is neither.
        """
        if sample:
            named: NamedPhoto = self.library.get(sample)
            return Photo(named.path, sample, named.objects, named.largest)
        if not upload:
            raise UserError(
                "choose a photo first: drop one anywhere on the page, or press an example."
            )
        return Photo(Path(upload))

    def load(self, photo: Photo, longest_side: int | None) -> LoadedImage:
        """Read a photo; problems name it as its owner knows it."""
        go_on()
        try:
            return load_fitted(photo.path, longest_side)
        except UserError as error:
            raise UserError(str(error).replace(str(photo.path), photo.path.name)) from error

    def shown(self, photo: Photo) -> LoadedImage:
        """A photo at the size it is drawn in."""
        return self.load(photo, DRAWN_SIDE)

    def working_copy(self, photo: Photo, checkpoint: str = "") -> LoadedImage:
        """A photo at the size augmentation and network work on."""
        return self.load(photo, working_side(self.detector(checkpoint).info.image_size))

    def detect(self, photo: Photo, checkpoint: str = "") -> Timed:
        """Ask the network about one photo."""
        started = time.perf_counter()
        loaded = self.working_copy(photo, checkpoint)
        decoded = time.perf_counter()
        detection = network_of(self.checkpoint_file(checkpoint))(loaded)
        done = time.perf_counter()
        return Timed(detection, 1000 * (decoded - started), 1000 * (done - decoded))


@lru_cache(maxsize=4)
def detector_of(checkpoint: Path, device: str | None = OWN_DEVICE) -> Detector:
    """The detector in a checkpoint file, loaded once."""
    return load_detector(checkpoint, device)


@lru_cache(maxsize=4)
def network_of(checkpoint: Path) -> Batcher[LoadedImage, Detection]:
    """Detects in single photos; those of several visitors go through the network together."""
    detector = detector_of(checkpoint)

    def detect(photos: Sequence[LoadedImage]) -> list[Detection]:
        with shared_cores(detector.device):
            return detector.predict_loaded(photos)

    return Batcher(detect, MOST_TOGETHER)


# Batches get the checkpoint's path and not the detector, because on ZeroGPU they run in a process
# of their own, and whatever is passed has to travel there.


@for_batches
def predict_many(
    device: str | None, checkpoint: Path, photos: Sequence[LoadedImage]
) -> list[Detection]:
    """See :meth:`Detector.predict_loaded`."""
    detector = detector_of(checkpoint, device)
    found: list[Detection] = []
    for start in range(0, len(photos), BATCH_SIZE):
        go_on()
        with shared_cores(detector.device, batch=True):
            found += detector.predict_loaded(photos[start : start + BATCH_SIZE])
    return found


@for_batches
def robustness(
    device: str | None, checkpoint: Path, variants: Sequence[Variant]
) -> list[VariantPrediction]:
    """See :func:`model.inspect.robustness.predict_variants`."""
    detector = detector_of(checkpoint, device)
    go_on()
    with shared_cores(detector.device, batch=True):
        return predict_variants(detector, variants)


def explain(checkpoint: Path, photo: LoadedImage) -> dict[str, np.ndarray]:
    """See :func:`model.inspect.explanation.explain`."""
    detector = detector_of(checkpoint)
    with shared_cores(detector.device):
        return explaining.explain(detector, photo)


# Folders of this server that stand in what the model's readers say; :func:`in_words` shortens them.
_named_without_parents: set[Path] = set()
_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^/\s]+/)+")


def _without_folders(text: str) -> str:
    """A sentence without the paths of this server; what lies inside its folders is still named."""
    known = {
        str(form): path.name
        for path in _named_without_parents
        for form in (path, path.resolve())
        if len(form.parts) > 1
    }
    for whole in sorted(known, key=len, reverse=True):
        text = text.replace(whole, known[whole])
    return _FOLDERS.sub("", text)


def in_words(error: Exception) -> str:
    """One friendly sentence for any failure; what was not foreseen goes to the log."""
    if isinstance(error, UserError):
        text = _without_folders(str(error))
        # A sentence starts with a capital; a file keeps the name its owner gave it.
        return text if "." in text.split()[0] else text[:1].upper() + text[1:]
    if isinstance(error, CallEndedError):
        return str(error)
    log.error("unexpected failure", exc_info=error)
    return (
        f"Something unexpected went wrong here ({type(error).__name__}). Try another photo, or load"
        " the page again."
    )
