"""Addresses: ``?tab=augment&sample=000012&seed=7`` restores a view.

The state of every tab is a frozen dataclass, a :class:`TabState`. Only its fields define how they
are written in an address.
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
        read: text of an address -> value; ``ValueError`` or ``UserError`` for invalid text.
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
        """This state changed as an address says, and the parts of the address that are invalid."""
        values: dict[str, Any] = {}
        invalid: list[str] = []
        for name, item in self.addressed().items():
            if name in query:
                try:
                    values[item.name] = item.metadata["read"](query[name])
                except (ValueError, OverflowError, UserError):
                    invalid.append(query_part(name, query))
        if photo := photo_in_query(query, library):
            values |= self.fields_for(photo)
        elif query.get("sample"):
            invalid.append(query_part("sample", query))
        return dataclasses.replace(self, **values), invalid

    def from_query(self: Self, query: Mapping[str, str], library: PhotoLibrary) -> Self:
        """This state changed as an address says; invalid parts are ignored."""
        return self.read(query, library)[0]

    def fields_for(self, photo: PhotoChoice) -> dict[str, Any]:
        """The values of the fields that hold this photo of an address."""
        return {"photo": photo}

    @property
    def photo_of_address(self) -> PhotoChoice:
        """The photo the address names."""
        return self.photo

    def to_query(self, defaults: "TabState") -> str:
        """The query of this state's address, without values that are as in ``defaults``."""
        query = {"tab": self.tab, **self.photo_of_address.to_query()}
        for name, item in self.addressed().items():
            value = getattr(self, item.name)
            if value != getattr(defaults, item.name) and value not in (None, ""):
                query[name] = f"{value:g}" if isinstance(value, float) else str(value)
        return urlencode(query)


@dataclass(frozen=True)
class PickedPhotoState(TabState):
    """State of a tab with photos of its own: ``sample`` in its address is the picked one."""

    picked: str = ""

    def fields_for(self, photo: PhotoChoice) -> dict[str, Any]:
        """See :meth:`TabState.fields_for`."""
        return {"picked": photo.sample}

    @property
    def photo_of_address(self) -> PhotoChoice:
        """See :attr:`TabState.photo_of_address`."""
        return PhotoChoice(self.picked)


def photo_in_query(query: Mapping[str, str], library: PhotoLibrary) -> PhotoChoice | None:
    """The photo an address names; ``None`` if it names none, or none of the library."""
    if query.get("photo") == OWN_PHOTO:
        return PhotoChoice(note=LOST_UPLOAD)
    with suppress(UserError):
        return PhotoChoice(library.get(query["sample"]).name) if query.get("sample") else None
    return None


def query_part(name: str, query: Mapping[str, str]) -> str:
    """One ``name=value`` of an address, shortened for a sentence."""
    return f"{name}={query[name][:40]}"


def refusal(invalid: Sequence[str]) -> str:
    """One sentence on the invalid parts of an address; empty if there are none."""
    if not invalid:
        return ""
    means = "means" if len(invalid) == 1 else "mean"
    return f"This link says {' and '.join(invalid)}, which {means} nothing here: that is left out."


def tab_in_query(query: Mapping[str, str], names: Sequence[str]) -> str:
    """The name of the tab an address opens; the first where it names none."""
    tab = query.get("tab", "").lower()
    return tab if tab in names else names[0]


def whole(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers within a range; it raises ``ValueError`` for others."""
    return lambda text: _within(int(text), low, high)


def number(low: float, high: float) -> Callable[[str], float]:
    """A reader of numbers within a range; it raises ``ValueError`` for others."""
    return lambda text: _within(float(text), low, high)


def one_of(allowed: Collection[str]) -> Callable[[str], str]:
    """A reader of the allowed words; it raises ``ValueError`` for others."""

    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return read


def _within(value: Any, low: float, high: float) -> Any:
    if not low <= value <= high:  # NaN is not within any range
        raise ValueError(value)
    return value
