"""The photo and the checkpoint of one request, and the passes of the network."""

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
MAX_BATCH = 8  # single photos in one pass; more only make the first of them wait


@dataclass(frozen=True)
class Timed:
    """A detection and the milliseconds it took."""

    detection: Detection
    decode_ms: float
    network_ms: float


@dataclass(frozen=True)
class Inspection:
    """The photo and the checkpoint of one request; what follows from them is computed once.

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
        """The photo at the size the detector reads."""
        return self.photo.load(self.detector.reading_side())

    @computed_once
    def shown(self) -> LoadedImage:
        """The photo at the size in which it is drawn."""
        return self.photo.load(DRAWN_SIDE)

    @computed_once
    def timed(self) -> Timed:
        """The detection, and the time that decoding and the network took."""
        started = time.perf_counter()
        loaded = self.network_copy
        decoded = time.perf_counter()
        detection = detect(self.checkpoint, loaded)
        done = time.perf_counter()
        return Timed(detection, 1000 * (decoded - started), 1000 * (done - decoded))

    @property
    def detection(self) -> Detection:
        """The detection in the photo."""
        return self.timed.detection

    @computed_once
    def heat_maps(self) -> dict[str, np.ndarray]:
        """See :func:`model.inspect.explanation.explain`."""
        detector, photo = self.detector, self.working_copy
        return on_cores(detector.device, lambda: explanation.explain(detector, photo))


def detector_of(checkpoint: Path, device: str | None = OWN_DEVICE) -> Detector:
    """The detector in a checkpoint file, loaded once."""
    return _detector_on(checkpoint, device)


@lru_cache(maxsize=4)  # without default arguments: a call that omits one has another cache key
def _detector_on(checkpoint: Path, device: str | None) -> Detector:
    return load_detector(checkpoint, device)


def detect(checkpoint: Path, photo: LoadedImage) -> Detection:
    """The detection in a photo; photos of several visitors are predicted in one batch."""
    # Preprocessed in this thread, so that the next batch does not wait for it.
    return _batcher_of(checkpoint)((photo, detector_of(checkpoint).preprocess(photo.image)))


@lru_cache(maxsize=4)
def _batcher_of(checkpoint: Path) -> Batcher[tuple[LoadedImage, Tensor], Detection]:
    detector = detector_of(checkpoint)

    def run(batch: Sequence[tuple[LoadedImage, Tensor]]) -> list[Detection]:
        photos, inputs = zip(*batch, strict=True)
        return on_cores(detector.device, lambda: detector.predict_loaded(photos, inputs=inputs))

    return Batcher(run, MAX_BATCH)


# Functions for batches take the checkpoint's path and not the detector, because on ZeroGPU they run
# in a process of their own, to which all arguments are sent.


@for_batches
def predict_many(
    device: str | None, checkpoint: Path, photos: Sequence[LoadedImage]
) -> list[Detection]:
    """See :meth:`Detector.predict_loaded`."""
    detector = detector_of(checkpoint, device)
    detections: list[Detection] = []
    for start in range(0, len(photos), BATCH_SIZE):
        raise_if_ended()
        work = partial(detector.predict_loaded, photos[start : start + BATCH_SIZE])
        detections += on_cores(detector.device, work, batch=True)
    return detections


@for_batches
def predict_variants_batched(
    device: str | None, checkpoint: Path, variants: Sequence[Variant]
) -> list[VariantPrediction]:
    """See :func:`model.inspect.robustness.predict_variants`."""
    detector = detector_of(checkpoint, device)
    raise_if_ended()
    work = partial(predict_variants, detector, variants)
    return on_cores(detector.device, work, batch=True)
