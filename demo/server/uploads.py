"""Fields for photos, and the check of every file path that a request contains.

The browser sends the path of an upload back to the server with each request, so it may be any path.
:func:`uploaded` accepts only files in this server's upload folder.
"""

import stat
from contextlib import suppress
from pathlib import Path

import gradio as gr
from gradio import route_utils
from gradio.data_classes import FileData, ImageData, ListFiles
from gradio.processing_utils import save_base64_to_cache
from gradio.route_utils import GradioMultiPartParser, GradioUploadFile
from gradio.utils import get_upload_folder, is_in_or_equal
from gradio_client.utils import strip_invalid_filename_characters
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException

from demo.server.storage import (
    MAX_FILES,
    MAX_OF_REQUEST,
    MIB,
    STORAGE,
    TOO_MUCH_OF_REQUEST,
    owner,
    stored,
)
from model.errors import UserError

MAX_PATH = 4096  # characters; every folder of a path is looked up on the event loop
MAX_FIELD = 4096  # bytes of a form field that is no file; the page sends none
# The same words for a missing file, a folder, a forbidden file: nobody learns what is on the disk.
NOT_UPLOADED = (
    "this photo is not among the files uploaded to this server, or no longer: upload it again."
)


def uploaded(path: str | None) -> str:
    """The path of an upload, links resolved. The file itself is not opened.

    Raises:
        UserError: if it is no regular file inside the upload folder; always with the same text.
    """
    # Errors of a missing file, a NUL byte in the name, a loop of links.
    with suppress(OSError, ValueError, RuntimeError):
        if len(path or "") > MAX_PATH:
            raise ValueError(path)
        real = Path(path or "").resolve(strict=True)
        if is_in_or_equal(real, get_upload_folder()) and stat.S_ISREG(real.stat().st_mode):
            STORAGE.use(real.parent)
            return str(real)
    raise UserError(NOT_UPLOADED)


class LimitedParser(GradioMultiPartParser):
    """Gradio's parser of uploads, with limits and clean-up.

    Gradio keeps a form field of any size in memory, stores files of any size, and leaves on the
    disk the part of a file whose sender hung up or that did not fit.
    """

    _size = 0  # bytes of files received so far
    _expected = 0  # bytes reserved in STORAGE

    def on_headers_finished(self) -> None:
        """Begin a file or a field.

        Gradio names the folder of a file by the hash of its content. Two visitors with the same
        photo would share it, and could learn each other's file name; so the owner is hashed too.
        """
        super().on_headers_finished()
        if isinstance(file := self._current_part.file, GradioUploadFile):
            file.sha.update(owner().encode())

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Take a piece of a file or a field, unless it is too large or there is no room."""
        super().on_part_data(data, start, end)
        part = self._current_part
        if part.file is None:
            if len(part.data) > MAX_FIELD:
                raise MultiPartException(
                    f"A form field exceeds the maximum allowed size {MAX_FIELD}."
                )
            return
        self._size += end - start
        if self._size > MAX_OF_REQUEST:
            raise MultiPartException(TOO_MUCH_OF_REQUEST)
        while self._size > self._expected:
            self._expect_more()

    def _expect_more(self) -> None:
        STORAGE.expect(owner(), MIB)
        self._expected += MIB

    async def parse(self) -> FormData:
        """Store the files of a request; if that fails, nothing of them is left."""
        self.max_files = min(self.max_files, MAX_FILES)
        try:
            length = self.headers.get("content-length", "")
            if length.isdecimal() and int(length) > MAX_OF_REQUEST + MIB:
                raise MultiPartException(TOO_MUCH_OF_REQUEST)
            self._expect_more()  # for empty files, too
            form = await super().parse()
            _refuse_what_is_not_taken(form)
        except BaseException:
            for file in self._files_to_close_on_error:
                with suppress(OSError):  # the disk is still full when the rest is flushed
                    file.close()
                Path(file.name).unlink(missing_ok=True)
            raise
        finally:
            STORAGE.received(owner(), self._expected)
        for file in form.getlist("files"):
            if isinstance(file, GradioUploadFile):  # Gradio names its folder by this hash
                STORAGE.add(
                    Path(self.upload_dir or "") / file.sha.hexdigest(), owner(), file.size or 0
                )
        return form


def _refuse_what_is_not_taken(form: FormData) -> None:
    """Refuse files that Gradio would ignore and leave on the disk, uncounted.

    Raises:
        MultiPartException: if a file is not in the field that Gradio reads, something else is in
            that field, or the name of a file leads out of its folder.
    """
    for field, file in form.multi_items():
        if isinstance(file, GradioUploadFile) != (field == "files"):
            raise MultiPartException('Send files, and nothing else, in the field "files".')
        name = file if isinstance(file, str) else file.filename or ""
        if strip_invalid_filename_characters(Path(name).name) == "..":
            raise MultiPartException("A file of this upload has no name that it could have.")


def delete_old_files(blocks: gr.Blocks, age: int | None) -> None:
    """Delete files older than ``age`` seconds, or all if it is ``None``; Gradio calls it regularly.

    Also forgets the paths of files that were removed earlier.
    """
    _delete_old_files(blocks, age)
    for paths in blocks.temp_file_sets:
        paths -= {path for path in paths.copy() if not Path(path).exists()}


_delete_old_files = route_utils.delete_files_created_by_app


def use_storage_limits() -> None:
    """Replace Gradio's parser and deletion by those above; it has no setting for them."""
    route_utils.GradioMultiPartParser = LimitedParser  # type: ignore[misc]
    route_utils.delete_files_created_by_app = delete_old_files


class PhotoInput(gr.Image):
    """An upload field whose handler gets the path of the file, unopened.

    ``gr.Image`` takes any path, opens the file with Pillow, and fails with a bare "Error" where
    that does not work; our own loader knows more formats and says what is wrong.
    """

    is_template = True  # drawn as gr.Image

    def preprocess(self, payload: ImageData | None) -> str | None:
        """The path of the uploaded file, ``None`` if there is none."""
        if payload is None:
            return None
        if (payload.url or "").startswith("data:"):
            path = save_base64_to_cache(payload.url or "", self.GRADIO_CACHE)
            self.temp_files.add(path)
            stored(Path(path))
            return path
        return uploaded(payload.path)


class PhotosInput(gr.File):
    """A field for many files whose handler gets their paths."""

    is_template = True  # drawn as gr.File

    def preprocess(self, payload: ListFiles | FileData | None) -> list[str] | None:
        """The paths of the uploaded files, ``None`` if there are none."""
        if payload is None:
            return None
        files = payload.root if isinstance(payload, ListFiles) else [payload]
        return [uploaded(file.path) for file in files]
