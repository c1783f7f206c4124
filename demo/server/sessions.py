"""Gradio's session state of each visitor."""

from types import SimpleNamespace
from typing import cast

import gradio as gr
from gradio.state_holder import SessionState, StateHolder

MAX_NAME = 100  # characters of a session's name; browsers make up 11, gradio_client 36


class LightSessions(StateHolder):
    """Sessions that begin without a description of the page's components.

    Gradio describes every component in every new session, for its deep links; this page has its
    own. An API call is a new session, and the description took 200 KiB and a fifth of the processor
    time of a detection. Components that a handler changes are still described at that time.
    """

    def set_blocks(self, blocks: gr.Blocks) -> None:
        """Begin to hold sessions of this page."""
        super().set_blocks(blocks)
        # All that a session reads of the page, without components to describe.
        page = SimpleNamespace(default_config=blocks.default_config, blocks={})
        self.blocks = cast(gr.Blocks, page)

    def __getitem__(self, session_id: str) -> SessionState:
        """The state of a session, under a name of limited length."""
        return super().__getitem__(session_id[:MAX_NAME])
