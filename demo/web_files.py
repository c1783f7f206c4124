"""The files of ``demo/web`` as they are sent: scripts without comments, templates filled in.

Values are escaped in templates unless they are :class:`markupsafe.Markup`, as templates return.
"""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from model.classes import shown_name
from model.words import counted, percent

WEB = Path(__file__).with_name("web")
_TEMPLATES = Environment(
    loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


def script(*names: str) -> str:
    """Scripts one after the other, without comment lines, since every page contains them.

    Args:
        names: of files in ``demo/web``, without suffix.
    """
    lines = (line for name in names for line in (WEB / f"{name}.js").read_text().splitlines())
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))


def unbroken(text: str) -> str:
    """The text with non-breaking spaces before percent signs."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


_TEMPLATES.filters |= {
    "counted": counted, "percent": percent, "shown_name": shown_name, "unbroken": unbroken
}  # fmt: skip


def render(template: str, **values: Any) -> Markup:
    """The HTML of a template of ``demo/web`` filled with these values."""
    return Markup(_TEMPLATES.get_template(template).render(**values))
