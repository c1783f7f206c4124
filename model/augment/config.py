"""Settings of the augmentation: what may be drawn, validated and explained."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from model.augment.steps import STEPS, Step
from model.checked import is_number
from model.errors import UserError


def _setting(default: Any, **metadata: Any) -> Any:
    return field(default=default, metadata=metadata)


_OF_ALL_STEPS = [
    ("box_rule", Literal["hull", "ellipse"], _setting(
        "ellipse", choices=("hull", "ellipse"), label="Box of a rotated object",
        help="box of a rotated object: hull of its corners (never cuts it), or of the ellipse"
        " inside (tighter, right for round things)",
    )),
    ("min_visible", float, _setting(
        0.6, low=0, high=1, label="Minimum visible",
        help="share of the box that must stay in the picture, else draw again",
    )),
]  # fmt: skip


def settings_of(steps: Sequence[Step]) -> Any:
    """A frozen dataclass with a field for each setting of ``steps``, and the steps themselves.

    Every field's ``metadata`` holds its label, its range and a one-line explanation.
    """
    fields = [
        (s.name, float, _setting(s.default, low=s.low, high=s.high, label=s.label, help=s.help))
        for step in steps
        for s in step.settings
    ]
    # A dataclass calls __post_init__ only if it is defined when the class is made.
    namespace = {"steps": tuple(steps), "__post_init__": _check_settings}
    return make_dataclass("Settings", [*fields, *_OF_ALL_STEPS], namespace=namespace, frozen=True)


def _check_settings(config: Any) -> None:
    for item in dataclasses.fields(config):
        value, about = getattr(config, item.name), item.metadata
        if choices := about.get("choices"):
            is_allowed, allowed = value in choices, f"one of {', '.join(choices)}"
        else:
            is_allowed = is_number(value) and about["low"] <= value <= about["high"]
            allowed = f"a number from {about['low']:g} to {about['high']:g}"
        if not is_allowed:
            raise UserError(f"{item.name} must be {allowed}, not {value!r:.60}.")


class AugmentConfig(settings_of(STEPS)):
    """Settings of the augmentation, validated on construction.

    The fields are those of the steps in :mod:`model.augment.steps`, ``box_rule`` and
    ``min_visible``.

    Raises:
        UserError: if a value is outside its range; the text names the field and the range.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]  # inherited; repeated for type checkers

    @classmethod
    def none(cls) -> "AugmentConfig":
        """No augmentation at all: what evaluation and prediction use."""
        return cls(**{setting.name: setting.off for step in cls.steps for setting in step.settings})

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
        names = [item.name for item in dataclasses.fields(cls)]
        if unknown := sorted(set(values) - set(names)):
            raise UserError(
                f"unknown augmentation setting {unknown[0]!r:.60}. There is: {', '.join(names)}."
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
