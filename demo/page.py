"""The whole page: a photo, four tabs that look at it, and the address of what is shown."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components.base import Component

from demo import api
from demo.address import TABS, TabState, as_said, asked_tab, refusal
from demo.backend import Backend
from demo.choice import PhotoChoice
from demo.components import (
    PRIVATE,
    QUIET,
    Controls,
    forward_choices,
    in_order,
    signal,
    token,
)
from demo.guarded import GuardedBlocks
from demo.photos import PhotoChooser, accept_offer, chooser_html
from demo.server.first_page import TITLE
from demo.tabs import augment, dataset, detect, pipeline, training
from demo.views import markup
from demo.views.augment.state import GROUND_TRUTH, OWN
from model.errors import UserError

SKIP = "<a class='skip' href='#tabs'>Skip to the tabs</a>"


def build_page(backend: Backend, own_pipeline: Callable[..., Any] | None = None) -> GuardedBlocks:
    """All of the demo; ``launch`` it with :mod:`demo.theme`.

    Args:
        backend: what stands behind it.
        own_pipeline: of torchvision, which gets a tab of its own.
    """
    with GuardedBlocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 7200)
    ) as page:
        page.first_view = Page(backend, page, own_pipeline).detect.first_view
    return page


class Page:
    """The parts of the page, and what connects them."""

    def __init__(
        self, backend: Backend, page: gr.Blocks, own_pipeline: Callable[..., Any] | None = None
    ) -> None:
        self.backend = backend
        first = PhotoChoice(backend.library.examples()[0].name)
        with gr.Row(elem_id="top", equal_height=False):
            gr.HTML(f"{SKIP}<h1>{TITLE}</h1>", elem_classes=["page-title"])
            self.photo = PhotoChooser(first, inside=chooser_html(backend), elem_id="photo")
            gr.Button("Copy link", size="sm", elem_id="copy-link", min_width=96).click(
                None, None, None, js="() => detectorPage.copyLink()", **PRIVATE
            )
            known = gr.HTML(markup.known_classes(backend.class_names()), elem_id="known")
        # All tabs listen to it; it is shown in the Training tab, beside what it is worth.
        checkpoint = gr.Dropdown(
            list(backend.checkpoints()), value=backend.checkpoint, label="Checkpoint",
            info="used in all tabs", elem_id="checkpoint", render=False,
        )  # fmt: skip
        self.address, self.restored = signal(), signal()
        # A tab is drawn when it is opened; Detect is finished when the page opens.
        self.opened = {name: signal() for name in TABS[1:]}
        redraw, repick, rechosen = signal(), signal(), signal()
        forward_choices([checkpoint], rechosen, self.opened["training"])
        shared: Controls = {"photo": self.photo, "checkpoint": checkpoint}
        with gr.Tabs(elem_id="tabs") as self.tabs:
            with gr.Tab("Detect", id="detect") as detect_page:
                self.detect = detect.build(backend, shared, rechosen, self.address)
            with gr.Tab("Augment", id="augment") as augment_page:
                with_threshold = {**shared, "threshold": self.detect.controls["threshold"]}
                signals = augment.Signals(
                    self.opened["augment"], redraw, repick, self.detect.redraw
                )  # fmt: skip
                self.augment = augment.build(backend, with_threshold, self.address, signals)
            with gr.Tab("Data set", id="dataset") as dataset_page:
                self.dataset = dataset.build(
                    backend, self.photo, self.address, self.opened["dataset"]
                )
            with gr.Tab("Training", id="training") as training_page:
                self.training = training.build(
                    backend, checkpoint, known, self.address, self.opened["training"]
                )
            if own_pipeline:
                with gr.Tab("Your pipeline", id="pipeline") as pipeline_page:
                    another = pipeline.AnotherPhoto(self._new_photo, self._of_new_photo())
                    pipeline.build(backend, own_pipeline, shared, pipeline_page, another)
        api.build(backend)
        for name, tab in zip(
            TABS, (detect_page, augment_page, dataset_page, training_page), strict=True
        ):
            changed_signal = self.opened.get(name)
            tab.select(
                None,
                changed_signal,
                changed_signal,
                js=f"(signal) => detectorPage.openedTab('{name}', signal)",
                **PRIVATE,
            )
        self.address.change(
            None, self.address, None, js="(query) => detectorPage.showInAddress(query)", **PRIVATE
        )
        self._connect_photo()
        self._restore_from_address(page)

    def _connect_photo(self) -> None:
        """A photo that was chosen is looked at, then shown in all tabs, with its own boxes."""
        fresh = self._of_new_photo()
        turn = {**QUIET, **in_order("photo")}

        def chosen(choice: PhotoChoice) -> dict[Any, Any]:
            return self._new_photo(accept_offer(self.backend, choice))

        # By the number of the button: the tab it opens, and the tab whose photo it sends there.
        destinations = {
            self.detect.to_augment._id: ("augment", None),
            self.dataset.to_detect._id: ("detect", "dataset"),
            self.dataset.to_augment._id: ("augment", "dataset"),
            self.training.to_detect._id: ("detect", "training"),
        }
        picked = {tab: getattr(self, tab).controls["picked"] for tab in ("dataset", "training")}

        def send(event: gr.EventData, **picked: str) -> dict[Any, Any]:
            if not event.target or event.target._id not in destinations:
                raise UserError("press the button on the page.")
            tab, source = destinations[event.target._id]
            sent = self._new_photo(PhotoChoice(picked[source])) if source else {}
            return {**sent, self.tabs: gr.Tabs(selected=tab)}

        open_ones = [self.opened[tab] for tab in ("augment", "dataset")]
        self.photo.input(chosen, self.photo, fresh, **turn).success(
            None, open_ones, open_ones,
            js="(...signals) => detectorPage.photoReplaced(signals)", **PRIVATE,
        )  # fmt: skip
        gr.on(
            [self.detect.to_augment.click, self.dataset.to_detect.click,
             self.dataset.to_augment.click, self.training.to_detect.click],
            send, inputs_kwargs=picked, outputs=[*fresh, self.tabs], **turn,
        )  # fmt: skip

    def _of_new_photo(self) -> list[Component]:
        """What :meth:`_new_photo` may set."""
        controls = self.augment.controls
        return [self.photo, controls["box_source"], controls["boxes"], self.detect.redraw]

    def _new_photo(self, choice: PhotoChoice) -> dict[Any, Any]:
        if choice.note:
            return {self.photo: choice}
        controls = self.augment.controls
        return {
            self.photo: choice, controls["boxes"]: choice.boxes,
            controls["box_source"]: OWN if choice.boxes else GROUND_TRUTH,
            self.detect.redraw: token(),
        }  # fmt: skip

    def _restore_from_address(self, page: gr.Blocks) -> None:
        """Read the address when the page opens, and draw anew what it changed."""
        tabs = (self.detect, self.augment, self.dataset, self.training)
        controls = {id(c): c for tab in tabs for c in tab.controls.values()}
        outputs = [*controls.values(), self.tabs, self.restored]

        def restore(request: gr.Request) -> dict[Any, Any]:
            return self.asked({key: str(v) for key, v in request.query_params.items()})

        # The signals come a step later: what listens to one reads all values as soon as it is set.
        page.load(restore, None, outputs, show_progress="hidden", **PRIVATE).then(
            None, self.restored, [self.detect.redraw, *self.opened.values()],
            js="(restored) => detectorPage.addressRestored(restored)", **PRIVATE,
        )  # fmt: skip

    def asked(self, query: Mapping[str, str]) -> dict[Any, Any]:
        """What an address changes, by component."""
        name = asked_tab(query)
        updates: dict[Any, Any] = {}
        wrong: list[str] = []
        for tab in (self.detect, self.augment, self.dataset, self.training):
            if tab.defaults.tab == name:
                state, wrong = tab.defaults.read(query, self.backend.library)
                updates |= _differences(state, tab.defaults, tab.controls)
        if query.get("tab", name).lower() != name:
            wrong.insert(0, as_said("tab", query))
        if wrong:
            photo = updates.get(self.photo, self.detect.defaults.photo)
            words = " ".join(filter(None, (refusal(wrong), photo.note)))
            updates[self.photo] = replace(photo, note=words)
        redraw = self.photo in updates or (updates and name == "detect")
        updates[self.restored] = f"{name} {token() if redraw else ''}"
        if name != TABS[0]:
            updates[self.tabs] = gr.Tabs(selected=name)
        return updates


def _differences(state: TabState, defaults: TabState, controls: Controls) -> dict[Any, Any]:
    return {
        component: getattr(state, name)
        for name, component in controls.items()
        if getattr(state, name) != getattr(defaults, name)
    }
