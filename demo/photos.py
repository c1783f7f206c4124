"""The one photo all tabs look at: how it is chosen, and the field it is chosen with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from demo.annotated import objects_beside
from demo.backend import Backend, user_message
from demo.box_editor import MAX_BOXES
from demo.choice import MAX_PHOTOS, PhotoChoice, SentFile
from demo.json_html import JsonHtml, is_whole
from demo.server.uploads import uploaded
from demo.views import markup
from demo.web_files import render, script
from model.checked import is_name, is_number
from model.data.records import ObjectAnnotation, objects_from, rows_from
from model.errors import UserError

TILE_SIDE = 104  # pixels of an example, which takes up about 50: twice that on sharp screens
LOOK_SIDE = 64  # pixels: enough to know that a file is a photo
MAX_COORDINATE = 1e6  # pixels; no photo that can be read is so large


class PhotoChooser(JsonHtml):
    """Drop, paste, choose or photograph a photo, or press an example.

    Files may be dropped anywhere on the page; several at once go to :class:`ManyFiles`. ``input``
    fires when the visitor offers one. The value is a :class:`PhotoChoice`.

    Args:
        value: the photo that is there when the page opens.
        inside: from :func:`chooser_html`.
    """

    def __init__(self, value: PhotoChoice | None = None, inside: str = "", **options: Any) -> None:
        super().__init__(
            value, html_template=inside, apply_default_css=False,
            js_on_load=script("photo_chooser"), **options,
        )  # fmt: skip

    def preprocess(self, payload: Any) -> PhotoChoice:
        """Which photo is shown, and which is offered.

        Raises:
            UserError: for a file that was not uploaded.
        """
        payload = payload if isinstance(payload, dict) else {}
        offered = payload.get("offered")
        return PhotoChoice(
            **_sent(payload), offered=PhotoChoice(**_sent(offered)) if offered else None
        )

    def postprocess(self, value: PhotoChoice | None) -> dict[str, Any]:
        """For the browser."""
        value = value or PhotoChoice()
        upload = None
        if value.upload:
            upload = {
                "path": value.upload, "orig_name": Path(value.upload).name,
                "meta": {"_type": "gradio.FileData"},
            }  # fmt: skip
        return {
            "sample": value.sample, "upload": upload, "offered": None, "note": value.note,
            "number": value.number, "boxes": value.boxes, "objects": rows_from(value.objects),
        }  # fmt: skip


def _sent(payload: Any) -> dict[str, Any]:
    payload = payload if isinstance(payload, dict) else {}
    upload, number = payload.get("upload"), payload.get("number")
    sent: dict[str, Any] = {"number": number} if is_whole(number) else {}
    if isinstance(upload, dict):
        boxes = payload.get("boxes")
        return {
            **sent, "upload": uploaded(str(upload.get("path"))),
            "boxes": boxes if isinstance(boxes, str) else "",
            "objects": _sent_objects(payload.get("objects") or ()),
            "name": str(payload.get("name") or ""),
            "annotations": tuple(map(_sent_file, payload.get("annotations") or ())),
        }  # fmt: skip
    return {**sent, "sample": str(payload.get("sample") or "")}


def _sent_objects(rows: Any) -> tuple[ObjectAnnotation, ...]:
    """As :class:`PhotoChooser` sent them to the browser.

    Raises:
        UserError: if they are something else.
    """
    try:
        objects = tuple(objects_from(rows))
        if len(objects) > MAX_BOXES or not all(map(_can_be_annotated, objects)):
            raise ValueError(rows)
    except (TypeError, ValueError):
        message = "what is annotated in this photo cannot be read: drop it here again."
        raise UserError(message) from None
    return objects


def _can_be_annotated(thing: ObjectAnnotation) -> bool:
    numbers = all(is_number(v, MAX_COORDINATE) for v in thing.bbox_xyxy)
    return is_name(thing.class_name) and numbers and thing.area > 0


def _sent_file(payload: Any) -> SentFile:
    payload = payload if isinstance(payload, dict) else {}
    path = Path(uploaded(str(payload.get("path"))))
    return SentFile(path, str(payload.get("orig_name") or payload.get("name") or path.name))


class ManyFiles(JsonHtml):
    """A field for many photos; ``input`` fires when some were added.

    It is only ever filled by the browser, and a handler gets each as a :class:`SentFile`.

    Args:
        field_name: ``elem_id`` is this with -files; what comes of them has -result.
        hint: where else photos may be dropped.
        takes_annotations: of the photos as well.
    """

    def __init__(self, field_name: str, hint: str, takes_annotations: bool = False) -> None:
        inside = render(
            "many_photos.html", name=field_name, most=MAX_PHOTOS, hint=hint,
            annotations=takes_annotations,
        )  # fmt: skip
        super().__init__(
            html_template=inside, apply_default_css=False, elem_id=f"{field_name}-files",
            js_on_load=script("many_photos"),
        )  # fmt: skip

    def preprocess(self, payload: Any) -> list[SentFile]:
        """The files.

        Raises:
            UserError: for one that was not uploaded.
        """
        files = payload if isinstance(payload, list) else []
        return [_sent_file(file) for file in files if isinstance(file, dict)]

    def postprocess(self, value: Any) -> list[Any]:
        """None."""
        return []

    def api_info(self) -> dict[str, Any]:
        """JSON schema of the value."""
        return {"type": "array", "items": {}}


def chooser_html(backend: Backend) -> str:
    """The inside of a :class:`PhotoChooser`."""
    tiles = []
    for named in backend.library.examples():
        alt = f"example {named.name}" + (f", a {named.largest.class_name}" if named.largest else "")
        tiles.append(markup.tile(named.name, markup.thumbnail(named.path, TILE_SIDE), alt))
    return render("photo_chooser.html", tiles=markup.join(tiles))


def accept_offer(backend: Backend, choice: PhotoChoice) -> PhotoChoice:
    """What was offered if it can be read; else what was there, and why."""
    if choice.offered is None:
        return choice
    try:
        photo = backend.photo(choice.offered)
        photo.load(LOOK_SIDE)
        if choice.offered.annotations:
            sent = SentFile(photo.path, choice.offered.name or photo.path.name)
            objects = objects_beside(sent, choice.offered.annotations)
            note = _numbers_for_names(objects, choice.offered.annotations)
            return replace(choice.offered, objects=objects, annotations=(), note=note)
    except UserError as error:
        number = choice.offered.number
        return replace(choice, offered=None, note=user_message(error), number=number)
    return choice.offered


def _numbers_for_names(objects: Sequence[ObjectAnnotation], files: Sequence[SentFile]) -> str:
    """A sentence if a label file of YOLO came without the names of its classes; else empty."""
    if len(files) > 1 or not all(each.class_name.isdecimal() for each in objects):
        return ""
    return (
        f"{files[0].name} has numbers for classes: drop the photo with it and classes.txt or"
        " data.yaml to see their names."
    )
