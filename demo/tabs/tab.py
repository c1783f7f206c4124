"""The base class of the tabs of the page, and the components that all of them share."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import gradio as gr

from demo import ui
from demo.address import TabState
from demo.backend import Backend
from demo.choice import PhotoChoice

State = TypeVar("State", bound=TabState)


@dataclass(frozen=True)
class AddressBar:
    """Writes the state of a tab into the address of the page.

    Attributes:
        field: the browser shows its value as the address (``showInAddress`` in page.js).
        defaults: state of the tab whose values are left out of an address.
    """

    field: gr.Textbox
    defaults: TabState

    def write(self, state: TabState) -> dict[Any, Any]:
        """The update that a handler returns."""
        return {self.field: state.to_query(self.defaults)}


@dataclass
class Shared:
    """What the tabs share.

    Attributes:
        backend: checkpoints and named photos.
        controls: those that several tabs read, by the field of the states that each sets: photo,
            checkpoint, and the threshold once the Detect tab is built.
        known: shows the classes of the checkpoint.
        address: see :class:`AddressBar`.
        rechosen: signal that another checkpoint was chosen, see :func:`demo.ui.signal`.
        tabs: all tabs, in the order of the page.
    """

    backend: Backend
    controls: ui.Controls
    known: gr.HTML
    address: gr.Textbox
    rechosen: gr.Textbox
    tabs: list["Tab"] = field(default_factory=list)

    def new_photo(self, choice: PhotoChoice) -> dict[Any, Any]:
        """The updates that show a photo in all tabs; always of the same components.

        A choice with a note could not be read: only the note is shown.
        """
        values = {self.controls["photo"]: choice}
        # The signal of the first tab comes last: its listener reads all values when it is set.
        for tab in () if choice.note else reversed(self.tabs):
            values |= tab.new_photo(choice)
        return values

    @property
    def of_new_photo(self) -> list[Any]:
        """The components that :meth:`new_photo` sets."""
        return list(self.new_photo(PhotoChoice()))


class Tab(Generic[State]):
    """A tab: its controls, what they change, and what the rest of the page needs of it.

    Created before :meth:`build` is called, because its signals must lie outside of the tab, which
    may not be open yet.

    Attributes:
        label: the heading of the tab.
        follows_photo: whether it is drawn again when another photo is chosen while it is open.
        defaults: the state when the page opens.
        controls: components by the field of the state that each sets.
        redraw: signal to draw the whole tab, see :func:`demo.ui.signal`.
        sends: button -> name of the tab it opens, with the photo picked in this tab, if any.
        first_view: of the first tab: HTML that is shown until the page is built.
    """

    label: ClassVar[str]
    follows_photo: ClassVar[bool] = False

    def __init__(self, shared: Shared, defaults: State) -> None:
        self.shared, self.backend, self.defaults = shared, shared.backend, defaults
        self.address = AddressBar(shared.address, defaults)
        self.controls: ui.Controls = {}
        self.redraw = ui.signal()
        self.sends: dict[gr.Button, str] = {}
        self.first_view = ""

    @property
    def name(self) -> str:
        """The name in addresses and in page.js."""
        return self.defaults.tab

    def build(self) -> None:
        """Create the components and connect their events."""
        raise NotImplementedError

    def send_button(self, label: str, elem_id: str, to: str, **options: Any) -> None:
        """Add a button that opens another tab, see :attr:`sends`."""
        self.sends[ui.small_button(label, elem_id, **options)] = to

    def parts(self, view: Any) -> dict[Any, Any]:
        """The updates that show each field of a view in the attribute of the same name."""
        return {getattr(self, name): html for name, html in vars(view).items()}

    def new_photo(self, choice: PhotoChoice) -> dict[Any, Any]:
        """The updates of this tab for another photo; always of the same components."""
        return {}
