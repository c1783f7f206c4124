"""The photo the Augment tab works on, and its boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from demo.backend import Backend
from demo.box_editor import MAX_BOXES, EditedBox, EditorValue
from demo.inspection import Inspection
from demo.views import markup
from demo.views.augment.boxes import parse_boxes, usable_box, usable_boxes
from demo.views.augment.state import DETECTOR, GROUND_TRUTH, OWN, AugmentState, read_settings
from model.augment import AugmentConfig
from model.data.records import ObjectAnnotation

EDITOR_SIDE = 640  # pixels of the photo that is shown before
SKETCH_SIDE = 24  # pixels of placeholder pictures


@dataclass(frozen=True)
class Scene:
    """All that determines what the Augment tab draws: photo, checkpoint, boxes and settings.

    Attributes:
        state: what the tab shows.
        inspection: its photo and checkpoint.
        boxes: in pixels of the original upright photo, the target first.
        source: one of :data:`BOX_SOURCES`.
        difficult: indices of the boxes that the data set marks as difficult.
    """

    state: AugmentState = field(compare=False)
    inspection: Inspection
    boxes: tuple[EditedBox, ...]
    source: str
    difficult: frozenset[int] = frozenset()

    @property
    def objects(self) -> list[ObjectAnnotation]:
        """The boxes as annotated objects."""
        return [
            ObjectAnnotation(box["class_name"], box["bbox_xyxy"], i in self.difficult)
            for i, box in enumerate(self.boxes)
        ]

    @property
    def threshold(self) -> float:
        """The score from which the detector counts as sure."""
        return self.state.threshold_of(self.inspection.detector)

    @property
    def is_guess(self) -> bool:
        """Whether the box and class are a detection below the threshold."""
        return self.source == DETECTOR and self.inspection.detection.score < self.threshold

    @property
    def pinned(self) -> "Scene | None":
        """The scene with the settings pinned as A; ``None`` if none are."""
        if not self.state.pinned:
            return None
        return self.with_settings(read_settings(self.state.pinned))

    def with_settings(self, config: AugmentConfig) -> "Scene":
        """The same photo and boxes, with other settings."""
        return replace(self, state=replace(self.state, pinned="", **vars(config)))

    @property
    def class_name(self) -> str:
        """Class of the target; empty if unknown."""
        return self.boxes[0]["class_name"]

    @property
    def working_boxes(self) -> list[list[float]]:
        """The boxes in pixels of the working copy."""
        return self.boxes_on(self.inspection.working_copy.image.size)

    @property
    def own_box(self) -> list[float]:
        """The annotated target, else the predicted box, in pixels of the working copy."""
        own = self.inspection.photo.largest or self.inspection.detection
        return self._on(self.inspection.working_copy.image.size, own.bbox_xyxy)

    def boxes_on(self, size: tuple[int, int]) -> list[list[float]]:
        """The boxes in pixels of a copy of the photo of this ``(width, height)``."""
        return [self._on(size, box["bbox_xyxy"]) for box in self.boxes]

    def _on(self, size: tuple[int, int], bbox_xyxy: Sequence[float]) -> list[float]:
        (w, h), (full_w, full_h) = size, self.inspection.working_copy.original_size
        return [v * s for v, s in zip(bbox_xyxy, (w / full_w, h / full_h) * 2, strict=True)]


def scene_of(backend: Backend, state: AugmentState, given: Sequence[EditedBox] = ()) -> Scene:
    """The scene of a state, with the boxes given, else those of the state or its box source.

    Raises:
        UserError: if there is no photo, or a box is unusable.
    """
    inspection = backend.inspect(state.photo, state.checkpoint)
    photo, loaded = inspection.photo, inspection.working_copy
    # For annotated boxes the text is only a rounded copy without the difficult flag.
    has_truth = photo.largest and state.box_source == GROUND_TRUTH
    if given or (state.boxes and not has_truth):
        boxes = given or parse_boxes(state.boxes)
        source = OWN if given else state.box_source
        return Scene(state, inspection, usable_boxes(boxes, loaded), source)
    if photo.largest and state.box_source != DETECTOR:
        # The target is the largest that is not difficult, whatever else is larger.
        objects = sorted(photo.objects, key=lambda each: each is not photo.largest)[:MAX_BOXES]
        boxes = tuple(
            EditedBox(bbox_xyxy=each.bbox_xyxy, class_name=each.class_name) for each in objects
        )
        difficult = frozenset(i for i, each in enumerate(objects) if each.difficult)
        return Scene(state, inspection, boxes, GROUND_TRUTH, difficult)
    detection = inspection.detection
    bbox_xyxy = usable_box(detection.bbox_xyxy, loaded)
    box = EditedBox(bbox_xyxy=bbox_xyxy, class_name=detection.class_name)
    return Scene(state, inspection, (box,), DETECTOR)


def offered_class_names(backend: Backend) -> list[str]:
    """Class names offered by the box editor: those of the checkpoint and of the data set."""
    return sorted({*backend.class_names(), *backend.library.class_names()})


def editor_value(scene: Scene, side: int = EDITOR_SIDE) -> EditorValue:
    """The original photo with its boxes, for the box editor."""
    shown = scene.inspection.photo.load(side)
    width, height = shown.original_size
    return EditorValue(
        image=markup.data_uri(shown.image), image_size=shown.original_size,
        alt=f"The photo before, {width} x {height} pixels.", boxes=list(scene.boxes), selected=0,
        photo=scene.state.photo.key,
    )  # fmt: skip
