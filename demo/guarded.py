"""The page as Gradio's ``Blocks``: checks the input of every handler, and words its failures.

All calls of the page and of the API pass through here, so no handler can forget it.
"""

import asyncio
import logging
from typing import Any, cast

import gradio as gr
from gradio_client.utils import is_file_obj, traverse

from demo.backend import user_message
from demo.server.queue import FairQueue
from demo.server.uploads import uploaded
from demo.serving import calls
from model.data.decoding.pool import for_visitor
from model.errors import UserError

log = logging.getLogger("demo")

BAD_VALUE = "a value in this request is not one the page can use: check its numbers and names."
MAX_SENTENCE = 300  # characters


class GuardedBlocks(gr.Blocks):
    """A page whose handlers get only uploaded files, and whose failures are one sentence each.

    Attributes:
        first_view: HTML that is shown until the page is built.
    """

    first_view: str = ""

    def queue(self, *_args: Any, **_options: Any) -> "GuardedBlocks":
        """Make the queue; Gradio calls this when the page is built, before there is a server."""
        self._queue = FairQueue(self)
        return self

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any
    ) -> list[Any]:
        """Check the files of a request before Gradio touches them, then do what Gradio does.

        Raises:
            UserError: for a file that was not uploaded, and for a value a component refuses.
        """
        try:
            traverse(inputs, _check_file, is_file_obj)
            traverse(inputs, _check_text, lambda value: isinstance(value, str))
            return await super().preprocess_data(block_fn, inputs, *args, **kwargs)
        except (UserError, gr.Error):
            raise
        except OSError as error:
            raise UserError(f"this server cannot store a file ({error.strerror}).") from error
        except Exception as error:
            # Gradio does not document what its components raise for a value they refuse. The log
            # helps to tell a mistake of the page from one of the request.
            log.warning("a request was refused: %.200r", error)
            raise UserError(BAD_VALUE) from error

    async def process_api(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run the handler of a call, or its generator's next step.

        Raises:
            gr.Error: for any failure; its text is for the visitor.
        """
        # For calls that bypass the queue, RequestGuard has set the current call.
        call = cast(FairQueue, self._queue).call(kwargs.get("event_id"))
        if call:
            calls.current.set(call)  # for this task, and for the threads that it starts
        try:
            caller = calls.this_call()
            if caller.ended:
                raise calls.CallEndedError(calls.NOBODY_WAITS)
            with for_visitor(caller.address or "somebody", caller.session):
                return await super().process_api(*args, **kwargs)
        except asyncio.CancelledError:  # by its client; the working thread checks `ended`
            if call:
                call.ended = True
            raise
        except gr.Error as error:
            raise gr.Error(_short(error.message), print_exception=False) from error
        except Exception as error:  # user_message logs unexpected ones
            raise gr.Error(_short(user_message(error)), print_exception=False) from error


def _check_file(file: dict[str, Any]) -> dict[str, Any]:
    uploaded(file["path"])
    return file


def _check_text(text: str) -> str:
    text.encode()  # raises for a lone surrogate, which would break the stream that repeats it
    return text


def _short(sentence: str) -> str:
    # Messages of Gradio repeat the value that was sent, whatever its length.
    return sentence if len(sentence) <= MAX_SENTENCE else sentence[: MAX_SENTENCE - 4] + " ..."
