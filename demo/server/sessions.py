"""What Gradio remembers of each visitor."""

from types import SimpleNamespace
from typing import cast

import gradio as gr
from gradio.state_holder import SessionState, StateHolder

MAX_NAME = 100  # characters of a session's name; browsers make up 11, gradio_client 36


class LightSessions(StateHolder):
    """Sessions that begin empty.

    Gradio describes every component of the page in every new session, for links that restore a
    page, which this page makes by itself. An API call is a new session, and on this page that took
    a fifth of the processor time of a detection, and 200 KiB. Components a handler changes are
    still described, when that happens.
    """

    def set_blocks(self, blocks: gr.Blocks) -> None:
        """Begin to hold sessions of this page."""
        super().set_blocks(blocks)
        # All that a session reads of it, with nothing to describe.
        page = SimpleNamespace(default_config=blocks.default_config, blocks={})
        self.blocks = cast(gr.Blocks, page)

    def __getitem__(self, session_id: str) -> SessionState:
        """What is remembered of a visitor, under a name of limited length."""
        return super().__getitem__(session_id[:MAX_NAME])
