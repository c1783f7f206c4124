"""Settings of the augmentation: what may be drawn, validated and explained."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from model.errors import UserError


def _setting(default: Any, low: float, high: float, text: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "help": text})


@dataclass(frozen=True)
class AugmentConfig:
    """Settings of the augmentation, validated on construction.

    Every field's ``metadata`` holds its allowed range and a one-line explanation.

    Raises:
        UserError: if a value is outside its range; the text names the field and the range.
    """

    flip_probability: float = _setting(0.5, 0, 1, "chance that the photo is mirrored")
    rotation_degrees: float = _setting(
        4.0, 0, 180, "the photo is turned by up to this many degrees, either way"
    )
    zoom: float = _setting(
        1.8, 1, 4, "width and height are zoomed by up to this factor, in or out; 1 = off"
    )
    brightness: float = _setting(0.4, 0, 1, "brightness factor drawn from 1 ± this")
    contrast: float = _setting(0.4, 0, 1, "contrast factor drawn from 1 ± this")
    saturation: float = _setting(0.4, 0, 1, "saturation factor drawn from 1 ± this")
    hue: float = _setting(0.0, 0, 0.5, "hue shifted by up to this share of the colour circle")
    box_rule: Literal["hull", "ellipse"] = field(
        default="ellipse",
        metadata={
            "choices": ("hull", "ellipse"),
            "help": "box of a rotated object: hull of its corners (never cuts it), or of the"
            " ellipse inside (tighter, right for round things)",
        },
    )
    min_visible: float = _setting(
        0.6, 0, 1, "share of the box that must stay in the picture, else draw again"
    )

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            _check_setting(item, getattr(self, item.name))

    @classmethod
    def none(cls) -> "AugmentConfig":
        """No augmentation at all: what evaluation and prediction use."""
        return cls(
            flip_probability=0, rotation_degrees=0, zoom=1,
            brightness=0, contrast=0, saturation=0, hue=0,
        )  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> "AugmentConfig":
        """Read what :meth:`to_json` wrote; fields left out keep their default.

        Raises:
            UserError: if it is not a JSON object, or names an unknown or bad setting.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"the augmentation settings are not JSON: {error}.") from None
        if not isinstance(values, dict):
            raise UserError('the augmentation settings must be a JSON object, like {"hue": 0.1}.')
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "AugmentConfig":
        """From field names and values; fields left out keep their default.

        Raises:
            UserError: for an unknown or bad setting.
        """
        known = [item.name for item in dataclasses.fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise UserError(
                f"unknown augmentation setting {unknown[0]!r:.60}. There is: {', '.join(known)}."
            )
        return cls(**values)

    @classmethod
    def from_file(cls, path: str | Path) -> "AugmentConfig":
        """:meth:`from_json` of a file."""
        try:
            return cls.from_json(Path(path).read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read the augmentation settings {path}: {error}.") from None
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def to_json(self) -> str:
        """All settings as indented JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)


def _check_setting(item: dataclasses.Field, value: Any) -> None:
    if choices := item.metadata.get("choices"):
        if value not in choices:
            raise UserError(f"{item.name} must be one of {', '.join(choices)}, not {value!r:.60}.")
        return
    low, high = item.metadata["low"], item.metadata["high"]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # NaN is not within any range
        shown = f"{value!r:.60}"
        raise UserError(f"{item.name} must be a number from {low:g} to {high:g}, not {shown}.")
