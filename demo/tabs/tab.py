"""What every tab of the page is, and what all of them share."""

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
    """Writes what a tab shows into the address of the page.

    Attributes:
        field: the browser shows what is set here (``showInAddress`` in page.js).
        defaults: of the tab; an address does not say what is as in these.
    """

    field: gr.Textbox
    defaults: TabState

    def write(self, state: TabState) -> dict[Any, Any]:
        """What a handler has to set."""
        return {self.field: state.to_query(self.defaults)}


@dataclass
class Shared:
    """What the tabs share.

    Attributes:
        backend: what stands behind them.
        controls: of more than one tab, by the names of the fields of their states: photo,
            checkpoint, and the threshold once the Detect tab is laid out.
        known: shows the classes of the checkpoint.
        address: see :class:`AddressBar`.
        rechosen: says that another checkpoint was chosen, see :func:`demo.ui.signal`.
        tabs: all of them, in order.
    """

    backend: Backend
    controls: ui.Controls
    known: gr.HTML
    address: gr.Textbox
    rechosen: gr.Textbox
    tabs: list["Tab"] = field(default_factory=list)

    def new_photo(self, choice: PhotoChoice) -> dict[Any, Any]:
        """What a handler has to set so that all tabs look at a photo; always the same components.

        Of one that could not be read only the note is shown.
        """
        values = {self.controls["photo"]: choice}
        # The signal of the first tab is last: what listens to it reads all values at once.
        for tab in () if choice.note else reversed(self.tabs):
            values |= tab.new_photo(choice)
        return values

    @property
    def of_new_photo(self) -> list[Any]:
        """The components that :meth:`new_photo` sets."""
        return list(self.new_photo(PhotoChoice()))


class Tab(Generic[State]):
    """A tab: its controls, what they change, and what the rest of the page needs of it.

    It is made before it is laid out: its signals lie outside, since it may not be open yet.

    Attributes:
        label: what it is called.
        follows_photo: whether it is drawn anew when another photo is chosen while it is open.
        defaults: what it shows when the page opens.
        controls: by the names of the fields of its state.
        redraw: draws all of it, see :func:`demo.ui.signal`.
        sends: buttons, and the name of the tab that each opens; there the photo picked here is
            shown, if one can be picked here.
        first_view: HTML that is seen until the page is built, if it is the first tab.
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
        """In addresses, and in page.js."""
        return self.defaults.tab

    def build(self) -> None:
        """Lay it out, and connect its controls."""
        raise NotImplementedError

    def send_button(self, label: str, elem_id: str, to: str, **options: Any) -> None:
        """A button that opens another tab, see :attr:`sends`."""
        self.sends[ui.small_button(label, elem_id, **options)] = to

    def parts(self, view: Any) -> dict[Any, Any]:
        """What a handler has to set so that each field of a view is shown by its namesake here."""
        return {getattr(self, name): html for name, html in vars(view).items()}

    def new_photo(self, choice: PhotoChoice) -> dict[Any, Any]:
        """What has to be set here when all tabs get another photo; always the same components."""
        return {}
