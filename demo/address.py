"""Addresses: ``?tab=augment&sample=000012&seed=7`` restores a view.

Every tab has a frozen dataclass of what it shows, a :class:`TabState`. Its fields say how they are
written in an address; nothing else on the page knows.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

from demo.choice import LOST_UPLOAD, OWN_PHOTO, PhotoChoice
from model.data.samples import PhotoLibrary
from model.errors import UserError

Self = TypeVar("Self", bound="TabState")


def in_address(default: Any, read: Callable[[str], Any], name: str = "") -> Any:
    """A field that is written into the address where it differs from the default.

    Args:
        default: of the field.
        read: text of an address -> value; ``ValueError`` or ``UserError`` for what makes no sense.
        name: in the address, if not that of the field.
    """
    return field(default=default, metadata={"read": read, "name": name})


@dataclass(frozen=True)
class TabState:
    """What a tab shows."""

    tab: ClassVar[str] = ""
    photo: PhotoChoice = field(default_factory=PhotoChoice)

    @classmethod
    def addressed(cls) -> dict[str, dataclasses.Field]:
        """Name in an address -> field."""
        return {
            item.metadata["name"] or item.name: item
            for item in dataclasses.fields(cls)
            if "read" in item.metadata
        }

    def read(self: Self, query: Mapping[str, str], library: PhotoLibrary) -> tuple[Self, list[str]]:
        """This state with whatever an address says, and what of that means nothing here."""
        found: dict[str, Any] = {}
        wrong: list[str] = []
        for name, item in self.addressed().items():
            if name in query:
                try:
                    found[item.name] = item.metadata["read"](query[name])
                except (ValueError, OverflowError, UserError):
                    wrong.append(as_said(name, query))
        if photo := asked_photo(query, library):
            found |= self.fields_for(photo)
        elif query.get("sample"):
            wrong.append(as_said("sample", query))
        return dataclasses.replace(self, **found), wrong

    def from_query(self: Self, query: Mapping[str, str], library: PhotoLibrary) -> Self:
        """This state with whatever an address says; what means nothing here is left out."""
        return self.read(query, library)[0]

    def fields_for(self, photo: PhotoChoice) -> dict[str, Any]:
        """What is set where an address names this photo."""
        return {"photo": photo}

    @property
    def photo_of_address(self) -> PhotoChoice:
        """The photo the address names."""
        return self.photo

    def to_query(self, defaults: "TabState") -> str:
        """The address of this state, without what is as in ``defaults``."""
        said = {"tab": self.tab, **self.photo_of_address.to_query()}
        for name, item in self.addressed().items():
            value = getattr(self, item.name)
            if value != getattr(defaults, item.name) and value not in (None, ""):
                said[name] = f"{value:g}" if isinstance(value, float) else str(value)
        return urlencode(said)


@dataclass(frozen=True)
class PickingState(TabState):
    """A tab with photos of its own: ``sample`` in its address is the one that is picked."""

    picked: str = ""

    def fields_for(self, photo: PhotoChoice) -> dict[str, Any]:
        """As of every tab."""
        return {"picked": photo.sample}

    @property
    def photo_of_address(self) -> PhotoChoice:
        """As of every tab."""
        return PhotoChoice(self.picked)


def asked_photo(query: Mapping[str, str], library: PhotoLibrary) -> PhotoChoice | None:
    """The photo an address names; ``None`` if it names none that is here."""
    if query.get("photo") == OWN_PHOTO:
        return PhotoChoice(note=LOST_UPLOAD)
    with suppress(UserError):
        return PhotoChoice(library.get(query["sample"]).name) if query.get("sample") else None
    return None


def as_said(name: str, query: Mapping[str, str]) -> str:
    """A part of an address, not longer than a sentence can bear."""
    return f"{name}={query[name][:40]}"


def refusal(wrong: Sequence[str]) -> str:
    """One sentence on what an address says that means nothing here; empty if it all does."""
    if not wrong:
        return ""
    means = "means" if len(wrong) == 1 else "mean"
    return f"This link says {' and '.join(wrong)}, which {means} nothing here: that is left out."


def asked_tab(query: Mapping[str, str], names: Sequence[str]) -> str:
    """The name of the tab an address opens; the first where it names none."""
    tab = query.get("tab", "").lower()
    return tab if tab in names else names[0]


def whole(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number of a range."""
    return lambda text: _within(int(text), low, high)


def number(low: float, high: float) -> Callable[[str], float]:
    """Reads a number of a range."""
    return lambda text: _within(float(text), low, high)


def one_of(allowed: Collection[str]) -> Callable[[str], str]:
    """Reads one of some words."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return read


def _within(value: Any, low: float, high: float) -> Any:
    if not low <= value <= high:  # NaN is not within any range
        raise ValueError(value)
    return value
