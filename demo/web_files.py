"""The files of ``demo/web`` as they are sent: scripts without comments, templates filled in.

Whatever is put into a template is escaped unless it is :class:`markupsafe.Markup`, which only
templates return.
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
    """Some scripts one after the other, without lines that are comments: every page has them.

    Args:
        names: of files in ``demo/web``, without suffix.
    """
    lines = (line for name in names for line in (WEB / f"{name}.js").read_text().splitlines())
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))


def unbroken(text: str) -> str:
    """Numbers and their percent signs stay on one line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


_TEMPLATES.filters |= {
    "counted": counted, "percent": percent, "shown_name": shown_name, "unbroken": unbroken
}  # fmt: skip


def render(template: str, **values: Any) -> Markup:
    """Fill a template of ``demo/web``."""
    return Markup(_TEMPLATES.get_template(template).render(**values))
