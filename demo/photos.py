"""The photo that all tabs show: the field it is chosen with, and how a choice is checked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from demo.annotated import objects_in_annotations
from demo.backend import Backend, user_message
from demo.box_editor import MAX_BOXES
from demo.choice import MAX_PHOTOS, PhotoChoice, UploadedFile
from demo.dropped import is_annotation
from demo.json_html import JsonHtml, is_whole
from demo.server.uploads import uploaded
from demo.views import markup
from demo.web_files import render, script
from model.checked import is_name, is_number
from model.data.records import ObjectAnnotation, objects_from, rows_from
from model.errors import UserError

TILE_SIDE = 104  # pixels of an example's picture: twice its size on the page, for sharp screens
LOOK_SIDE = 64  # pixels: enough to know that a file is a photo
MAX_COORDINATE = 1e6  # pixels; no photo that can be read is so large


class PhotoChooser(JsonHtml):
    """A field to drop, paste, choose or take a photo, with examples to press.

    Files may be dropped anywhere on the page; several at once go to :class:`ManyFiles`. ``input``
    fires when the visitor offers one. The value is a :class:`PhotoChoice`.

    Args:
        value: the photo that is shown when the page opens.
        inside: HTML from :func:`chooser_html`.
    """

    def __init__(self, value: PhotoChoice | None = None, inside: str = "", **options: Any) -> None:
        super().__init__(
            value, html_template=inside, apply_default_css=False,
            js_on_load=script("photo_chooser"), **options,
        )  # fmt: skip

    def preprocess(self, payload: Any) -> PhotoChoice:
        """The photo that is shown, and the one that is offered.

        Raises:
            UserError: for a file that was not uploaded.
        """
        payload = payload if isinstance(payload, dict) else {}
        offered = payload.get("offered")
        return PhotoChoice(
            **_fields(payload), offered=PhotoChoice(**_fields(offered)) if offered else None
        )

    def postprocess(self, value: PhotoChoice | None) -> dict[str, Any]:
        """The choice as JSON for the browser, without an offer."""
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


def _fields(payload: Any) -> dict[str, Any]:
    """The fields of a :class:`PhotoChoice`, from the browser's JSON."""
    payload = payload if isinstance(payload, dict) else {}
    upload, number = payload.get("upload"), payload.get("number")
    fields: dict[str, Any] = {"number": number} if is_whole(number) else {}
    if isinstance(upload, dict):
        boxes = payload.get("boxes")
        return {
            **fields, "upload": uploaded(str(upload.get("path"))),
            "boxes": boxes if isinstance(boxes, str) else "",
            "objects": _objects(payload.get("objects") or ()),
            "name": str(payload.get("name") or ""),
            "annotations": tuple(map(_sent_file, payload.get("annotations") or ())),
        }  # fmt: skip
    return {**fields, "sample": str(payload.get("sample") or "")}


def _objects(rows: Any) -> tuple[ObjectAnnotation, ...]:
    """The annotated objects, which the browser returns as :class:`PhotoChooser` sent them.

    Raises:
        TypeError, ValueError: if they are something else.
    """
    objects = tuple(objects_from(rows))
    if len(objects) > MAX_BOXES or not all(map(_is_valid, objects)):
        raise ValueError("these are no annotated objects")
    return objects


def _is_valid(annotation: ObjectAnnotation) -> bool:
    are_numbers = all(is_number(v, MAX_COORDINATE) for v in annotation.bbox_xyxy)
    return is_name(annotation.class_name) and are_numbers and annotation.area > 0


def _sent_file(payload: Any) -> UploadedFile:
    payload = payload if isinstance(payload, dict) else {}
    path = Path(uploaded(str(payload.get("path"))))
    return UploadedFile(path, str(payload.get("orig_name") or payload.get("name") or path.name))


class ManyFiles(JsonHtml):
    """A field for many photos; ``input`` fires when some were added.

    Only the browser fills it; a handler gets a list of :class:`UploadedFile`.

    Args:
        field_name: its ``elem_id`` is this name with -files, that of its results with -result.
        hint: where else photos may be dropped.
        takes_annotations: whether annotation files are accepted as well.
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

    def preprocess(self, payload: Any) -> list[UploadedFile]:
        """The files that the browser sent.

        Raises:
            UserError: for one that was not uploaded.
        """
        files = payload if isinstance(payload, list) else []
        return [_sent_file(file) for file in files if isinstance(file, dict)]

    def postprocess(self, value: Any) -> list[Any]:
        """An empty list: a handler cannot fill the field."""
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


def check_chosen_photo(backend: Backend, choice: PhotoChoice) -> PhotoChoice:
    """The photo that was offered, if it can be read; else the present one with the reason."""
    if choice.offered is None:
        return choice
    try:
        if is_annotation(choice.offered.name):
            raise UserError(
                f"{choice.offered.name} is no photo: drop an annotation together with its photo."
            )
        photo = backend.photo(choice.offered)
        photo.load(LOOK_SIDE)
        if choice.offered.annotations:
            file = UploadedFile(photo.path, choice.offered.name or photo.path.name)
            objects = objects_in_annotations(file, choice.offered.annotations)
            return replace(choice.offered, objects=objects, annotations=())
    except UserError as error:
        number = choice.offered.number
        return replace(choice, offered=None, note=user_message(error), number=number)
    return choice.offered
