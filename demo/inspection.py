"""A photo and a checkpoint as one request looks at them, and the network's passes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from torch import Tensor

from demo.choice import Photo
from demo.serving.batching import Batcher
from demo.serving.calls import raise_if_ended
from demo.serving.cores import on_cores
from demo.serving.gpu import OWN_DEVICE, for_batches
from demo.serving.once import computed_once
from model.augment import working_side
from model.data.images import LoadedImage
from model.inference import DRAWN_SIDE, Detection, Detector, load_detector
from model.inspect import explanation
from model.inspect.robustness import VariantPrediction, predict_variants
from model.inspect.variants import Variant

BATCH_SIZE = 16
MAX_TOGETHER = 8  # single photos in one pass; more only make the first of them wait


@dataclass(frozen=True)
class Timed:
    """A detection and the milliseconds it took."""

    detection: Detection
    decode_ms: float
    network_ms: float


@dataclass(frozen=True)
class Inspection:
    """What one request works on; each copy and each answer is computed when asked for, and once.

    Attributes:
        photo: the photo.
        checkpoint: file of the checkpoint.
    """

    photo: Photo
    checkpoint: Path

    @computed_once
    def detector(self) -> Detector:
        """The detector of the checkpoint."""
        return detector_of(self.checkpoint)

    @computed_once
    def working_copy(self) -> LoadedImage:
        """The photo at the size augmentation works on."""
        return self.photo.load(working_side(self.detector.info.image_size))

    @computed_once
    def network_copy(self) -> LoadedImage:
        """The photo at the size the detector reads it in."""
        return self.photo.load(self.detector.reading_side())

    @computed_once
    def shown(self) -> LoadedImage:
        """The photo at the size it is drawn in."""
        return self.photo.load(DRAWN_SIDE)

    @computed_once
    def timed(self) -> Timed:
        """What the network says, and how long reading the photo and the network took."""
        started = time.perf_counter()
        loaded = self.network_copy
        decoded = time.perf_counter()
        detection = detect(self.checkpoint, loaded)
        done = time.perf_counter()
        return Timed(detection, 1000 * (decoded - started), 1000 * (done - decoded))

    @property
    def detection(self) -> Detection:
        """What the network says."""
        return self.timed.detection

    @computed_once
    def heat_maps(self) -> dict[str, np.ndarray]:
        """See :func:`model.inspect.explanation.explain`."""
        detector, photo = self.detector, self.working_copy
        return on_cores(detector.device, lambda: explanation.explain(detector, photo))


def detector_of(checkpoint: Path, device: str | None = OWN_DEVICE) -> Detector:
    """The detector in a checkpoint file, loaded once."""
    return _detector_on(checkpoint, device)


@lru_cache(maxsize=4)  # of a function without defaults: it takes one left out for another call
def _detector_on(checkpoint: Path, device: str | None) -> Detector:
    return load_detector(checkpoint, device)


def detect(checkpoint: Path, photo: LoadedImage) -> Detection:
    """What the network says; photos of several visitors go through it together."""
    # Prepared here, so that the next pass does not wait for it.
    return _network_of(checkpoint)((photo, detector_of(checkpoint).preprocess(photo.image)))


@lru_cache(maxsize=4)
def _network_of(checkpoint: Path) -> Batcher[tuple[LoadedImage, Tensor], Detection]:
    detector = detector_of(checkpoint)

    def run(together: Sequence[tuple[LoadedImage, Tensor]]) -> list[Detection]:
        photos, inputs = zip(*together, strict=True)
        return on_cores(detector.device, lambda: detector.predict_loaded(photos, inputs=inputs))

    return Batcher(run, MAX_TOGETHER)


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
        raise_if_ended()
        some = photos[start : start + BATCH_SIZE]
        found += on_cores(detector.device, partial(detector.predict_loaded, some), batch=True)
    return found


@for_batches
def ask_on_variants(
    device: str | None, checkpoint: Path, variants: Sequence[Variant]
) -> list[VariantPrediction]:
    """See :func:`model.inspect.robustness.predict_variants`."""
    detector = detector_of(checkpoint, device)
    raise_if_ended()
    work = partial(predict_variants, detector, variants)
    return on_cores(detector.device, work, batch=True)
