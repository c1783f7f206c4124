"""The public endpoints, for ``gradio_client`` and ``curl``: small JSON in and out.

They hang on components that are never shown; the names of the parameters below are the API.
"""

import random
from pathlib import Path
from typing import Any

import gradio as gr

from demo import ui
from demo.backend import Backend
from demo.box_editor import EditedBox
from demo.choice import PhotoChoice
from demo.inspection import MAX_BATCH, predict_variants_batched
from demo.server.uploads import PhotoInput, PhotosInput
from demo.views.augment.scene import Scene, scene_of
from demo.views.augment.state import AugmentState
from demo.views.augment.variants import draw_variants
from demo.views.detect import detect_files
from model.augment import AugmentConfig
from model.errors import UserError
from model.inspect.variants import Variant, advice, to_dict


def build(backend: Backend) -> None:
    """Add ``/detect``, ``/augment``, ``/sample`` and ``/detect_many``."""
    with gr.Row(visible=False):
        photos = PhotosInput(label="photos", file_count="multiple")
        fields: ui.Controls = {
            "photo": PhotoInput(label="photo", type="filepath", image_mode=None),
            "sample": gr.Textbox("", label="sample"),
            "bbox_xyxy": gr.JSON(label="bbox_xyxy"),
            "settings": gr.JSON(label="settings"),
            # No precision: rounding a bad value fails; the handler's check gives a clear message.
            "seed": gr.Number(0, label="seed"),
            "count": gr.Number(8, label="count"),
            "ask_detector": gr.Checkbox(False, label="ask_detector"),
            "checkpoint": gr.Textbox("", label="checkpoint"),
        }
        answer = gr.JSON(label="answer")
        button = gr.Button()
    endpoints, checkpoint = Endpoints(backend), fields["checkpoint"]
    button.click(
        endpoints.detect, [fields["photo"], fields["sample"], checkpoint], answer,
        # Some photos are decoded while a batch of others is in the network. The queue lets no
        # address have all places.
        api_name="detect", concurrency_limit=2 * MAX_BATCH + 4,
    )  # fmt: skip
    button.click(endpoints.augment, inputs_kwargs=fields, outputs=answer, api_name="augment")
    button.click(endpoints.sample, [fields["sample"]], answer, api_name="sample")
    button.click(endpoints.detect_many, [photos, checkpoint], answer, api_name="detect_many")


class Endpoints:
    """The handlers of the endpoints; their docstrings are the API's documentation."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def detect(
        self, photo: str | None = None, sample: str = "", checkpoint: str = ""
    ) -> dict[str, Any]:
        """Find the largest object of one photo.

        Args:
            photo: an image file; or leave it out and name a sample.
            sample: name of a photo the server has, e.g. cat, or 000012 where VOC is there.
            checkpoint: name of a checkpoint; empty for the one the server started with.

        Returns:
            class_name, score (0..1), sure (whether the score passes the checkpoint's threshold),
            looks (2 if a window around the object was looked at as well), bbox_xyxy (pixels of the
            upright photo), image_size (width, height), probabilities of all classes, and
            milliseconds spent decoding and in the network.
        """
        timed = self.backend.inspect(PhotoChoice(sample, photo), checkpoint).timed
        durations = {"decode": round(timed.decode_ms, 1), "network": round(timed.network_ms, 1)}
        return {**timed.detection.to_dict(), "milliseconds": durations}

    def augment(
        self,
        photo: str | None = None,
        sample: str = "",
        bbox_xyxy: list[float] | None = None,
        settings: dict[str, Any] | None = None,
        seed: int = 0,
        count: int = 8,
        ask_detector: bool = False,
        checkpoint: str = "",
    ) -> dict[str, Any]:
        """Trace the augmentation of one photo.

        Args:
            photo: an image file; or leave it out and name a sample.
            sample: name of a photo the server has.
            bbox_xyxy: the target, in pixels of the upright photo; left out, the ground truth of a
                sample, else the detector's answer.
            settings: augmentation settings that differ from the training defaults, e.g.
                {"rotation_degrees": 15, "box_rule": "hull"}.
            seed: of the run.
            count: variants, 1 to 16.
            ask_detector: also say what the detector answers on every variant.
            checkpoint: name of a checkpoint.

        Returns:
            bbox_xyxy and its source; objects, the target first, each with class_name and bbox_xyxy;
            settings; advice; and the variants, each with its steps: name, drawn params, image_size,
            bbox_xyxy in pixels of that step, visible, hull_ellipse_iou (how well two estimates of
            the moved box agree, 1 if it was not turned or slanted), and others, bbox_xyxy and
            visible of each of the other objects.
        """
        config = _augment_config(settings)
        state = AugmentState(
            photo=PhotoChoice(sample, photo), checkpoint=checkpoint, seed=seed, count=count,
            **vars(config),
        )  # fmt: skip
        scene = scene_of(self.backend, state, _given_boxes(bbox_xyxy))
        variants = draw_variants(scene)
        rows = [to_dict(variant) for variant in variants]
        if ask_detector:
            for row, prediction in zip(rows, _predict(scene, variants), strict=True):
                row["detector"] = prediction
        return {
            "bbox_xyxy": [round(v, 2) for v in scene.boxes[0]["bbox_xyxy"]],
            "box_from": scene.source,
            "class_name": scene.class_name, "settings": vars(config),
            "objects": [
                {**box, "bbox_xyxy": [round(v, 2) for v in box["bbox_xyxy"]]}
                for box in scene.boxes
            ],
            "advice": advice(config, variants), "variants": rows,
        }  # fmt: skip

    def sample(self, sample: str = "") -> dict[str, Any]:
        """What is known about a photo the server has.

        Args:
            sample: its name; empty for any one.

        Returns:
            sample, file_name, and objects: class_name, bbox_xyxy (pixels), difficult, largest.
        """
        library = self.backend.library
        named = library.get(sample) if sample else random.choice(library.examples())
        objects = [
            {
                "class_name": annotation.class_name, "bbox_xyxy": list(annotation.bbox_xyxy),
                "difficult": annotation.difficult, "largest": annotation is named.largest,
            }
            for annotation in named.objects
        ]  # fmt: skip
        return {"sample": named.name, "file_name": named.path.name, "objects": objects}

    def detect_many(self, photos: list[str] | None, checkpoint: str = "") -> dict[str, Any]:
        """Find the largest object of up to 100 photos.

        Args:
            photos: image files.
            checkpoint: name of a checkpoint.

        Returns:
            detections: one a photo that could be read, as from /detect, with its file name; and
            problems: one sentence for each of the others.
        """
        *_, answers = detect_files(self.backend, [Path(p) for p in photos or []], checkpoint)
        rows = [
            {"file_name": path.name, **detection.to_dict()} for path, detection in answers.found
        ]
        return {"detections": rows, "problems": [sentence for _, sentence in answers.problems]}


def _augment_config(settings: Any) -> AugmentConfig:
    if settings is not None and not isinstance(settings, dict):
        raise UserError('settings must be a JSON object, like {"hue": 0.1}.')
    return AugmentConfig.from_dict(settings or {})


def _given_boxes(bbox_xyxy: Any) -> list[EditedBox]:
    if bbox_xyxy is None:
        return []
    if not isinstance(bbox_xyxy, list) or len(bbox_xyxy) != 4:
        raise UserError("bbox_xyxy must be four numbers: left, top, right, bottom.")
    x1, y1, x2, y2 = bbox_xyxy
    return [EditedBox(bbox_xyxy=(x1, y1, x2, y2), class_name="")]


def _predict(scene: Scene, variants: list[Variant]) -> list[dict[str, Any]]:
    return [
        {
            "class_name": p.class_name, "score": round(p.score, 4),
            "sure": p.score >= scene.threshold,
            "bbox_xyxy": [round(v, 2) for v in p.bbox_xyxy], "iou": round(p.iou, 4),
        }
        for p in predict_variants_batched(scene.inspection.checkpoint, variants)
    ]  # fmt: skip
