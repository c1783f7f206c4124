"""The whole page: the choice of a photo, tabs that use it, and the address of what is shown."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from demo import api, ui
from demo.address import PickedPhotoState, query_part, refusal, tab_in_query
from demo.backend import Backend
from demo.choice import PhotoChoice
from demo.guarded import GuardedBlocks
from demo.photos import PhotoChooser, check_chosen_photo, chooser_html
from demo.server.first_page import TITLE
from demo.tabs import TABS, pipeline
from demo.tabs.tab import Shared
from demo.views import markup
from model.errors import UserError

SKIP = "<a class='skip' href='#tabs'>Skip to the tabs</a>"


def build_page(backend: Backend, own_pipeline: Callable[..., Any] | None = None) -> GuardedBlocks:
    """The page, with a tab for ``own_pipeline`` if one is given; :mod:`demo.theme` styles it."""
    with GuardedBlocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 7200)
    ) as page:
        page.first_view = Page(backend, page, own_pipeline).tabs[0].first_view
    return page


class Page:
    """The parts of the page, and the events that connect them."""

    def __init__(
        self, backend: Backend, page: gr.Blocks, own_pipeline: Callable[..., Any] | None = None
    ) -> None:
        self.backend = backend
        with gr.Row(elem_id="top", equal_height=False):
            gr.HTML(f"{SKIP}<h1>{TITLE}</h1>", elem_classes=["page-title"])
            self.photo = PhotoChooser(backend.first_photo, chooser_html(backend), elem_id="photo")
            ui.small_button("Copy link", "copy-link", 96).click(
                None, None, None, js="() => detectorPage.copyLink()", **ui.PRIVATE
            )
            known = gr.HTML(markup.known_classes(backend.class_names()), elem_id="known")
        # All tabs use it; it is shown in the Training tab, beside the checkpoint's results.
        checkpoint = ui.Choice(
            list(backend.checkpoints()), value=backend.checkpoint, label="Checkpoint",
            info="used in all tabs", elem_id="checkpoint", render=False,
        )  # fmt: skip
        self.restored = ui.signal()
        controls = {"photo": self.photo, "checkpoint": checkpoint}
        self.shared = Shared(backend, controls, known, ui.signal(), ui.signal())
        self.tabs = self.shared.tabs
        self.tabs += [tab(self.shared) for tab in TABS]
        self._build_tabs(own_pipeline)
        api.build(backend)
        address = self.shared.address
        address.change(
            None, address, None, js="(query) => detectorPage.showInAddress(query)", **ui.PRIVATE
        )
        self._connect_photo()
        self._connect_sending()
        self._restore_from_address(page)

    def _build_tabs(self, own_pipeline: Callable[..., Any] | None) -> None:
        with gr.Tabs(elem_id="tabs") as self.bar:
            for tab in self.tabs:
                with gr.Tab(tab.label, id=tab.name) as place:
                    tab.build()
                signals = tab.redraw if tab is not self.tabs[0] else None  # drawn with the page
                place.select(
                    None, signals, signals,
                    js=f"(signal) => detectorPage.openedTab('{tab.name}', signal)", **ui.PRIVATE,
                )  # fmt: skip
            if own_pipeline:
                with gr.Tab("Your pipeline", id="pipeline") as place:
                    pipeline.build(self.shared, own_pipeline, place)

    def _connect_photo(self) -> None:
        """Read a photo that was offered, then show it in all tabs, with its own boxes."""

        def chosen(choice: PhotoChoice) -> dict[Any, Any]:
            return self.shared.new_photo(check_chosen_photo(self.backend, choice))

        following = {tab.name: tab.redraw for tab in self.tabs if tab.follows_photo}
        signals, names = list(following.values()), json.dumps(list(following))
        self.photo.input(
            chosen, self.photo, self.shared.of_new_photo, **ui.QUIET, **ui.in_order("photo")
        ).success(
            None, signals, signals,
            js=f"(...signals) => detectorPage.photoReplaced({names}, signals)", **ui.PRIVATE,
        )  # fmt: skip

    def _connect_sending(self) -> None:
        """Connect the buttons that open another tab, some of them with the picked photo."""
        buttons = {button: (tab.name, to) for tab in self.tabs for button, to in tab.sends.items()}
        by_id = {button._id: source_and_target for button, source_and_target in buttons.items()}
        picked = {
            tab.name: tab.controls["picked"]
            for tab in self.tabs if isinstance(tab.defaults, PickedPhotoState)
        }  # fmt: skip

        def send(event: gr.EventData, **picked: str) -> dict[Any, Any]:
            if not event.target or event.target._id not in by_id:
                raise UserError("press the button on the page.")
            source, to = by_id[event.target._id]
            updates = self.shared.new_photo(PhotoChoice(picked[source])) if source in picked else {}
            return {**updates, self.bar: gr.Tabs(selected=to)}

        gr.on(
            [button.click for button in buttons], send, inputs_kwargs=picked,
            outputs=[*self.shared.of_new_photo, self.bar], **ui.QUIET, **ui.in_order("photo"),
        )  # fmt: skip

    def _restore_from_address(self, page: gr.Blocks) -> None:
        """Read the address when the page opens, and redraw the tabs it changed."""
        controls = {id(c): c for tab in self.tabs for c in tab.controls.values()}
        names = json.dumps([tab.name for tab in self.tabs])

        def restore(request: gr.Request) -> dict[Any, Any]:
            return self.asked({key: str(v) for key, v in request.query_params.items()})

        # Signals are set in a second step, after the values: their listeners read these at once.
        page.load(
            restore, None, [*controls.values(), self.bar, self.restored],
            show_progress="hidden", **ui.PRIVATE,
        ).then(
            None, self.restored, [tab.redraw for tab in self.tabs],
            js=f"(restored) => detectorPage.addressRestored(restored, {names})", **ui.PRIVATE,
        )  # fmt: skip

    def asked(self, query: Mapping[str, str]) -> dict[Any, Any]:
        """The updates that an address asks for, by component."""
        first, *_ = names = [tab.name for tab in self.tabs]
        name = tab_in_query(query, names)
        tab = self.tabs[names.index(name)]
        state, invalid = tab.defaults.read(query, self.backend.library)
        updates: dict[Any, Any] = {
            component: getattr(state, field)
            for field, component in tab.controls.items()
            if getattr(state, field) != getattr(tab.defaults, field)
        }
        if query.get("tab", name).lower() != name:
            invalid.insert(0, query_part("tab", query))
        if invalid:
            photo = updates.get(self.photo, self.backend.first_photo)
            note = " ".join(filter(None, (refusal(invalid), photo.note)))
            updates[self.photo] = replace(photo, note=note)
        redraw = self.photo in updates or (updates and name == first)
        updates[self.restored] = f"{name} {ui.token() if redraw else ''}"
        if name != first:
            updates[self.bar] = gr.Tabs(selected=name)
        return updates
