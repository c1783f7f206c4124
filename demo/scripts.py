"""The scripts of ``demo/web`` as they are sent."""

from pathlib import Path

WEB = Path(__file__).with_name("web")


def script(*names: str) -> str:
    """Some scripts one after the other, without lines that are comments: every page has them.

    Args:
        names: of files in ``demo/web``, without suffix.
    """
    lines = (line for name in names for line in (WEB / f"{name}.js").read_text().splitlines())
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))
