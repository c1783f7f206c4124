"""The problems that the check of the data set found, by kind and photo."""

from contextlib import suppress
from typing import Any

from markupsafe import Markup

from demo.backend import Backend
from demo.server.downloads import as_download
from demo.serving.background import Step
from demo.views import markup
from demo.web_files import render
from model.data.blemishes import KINDS, Blemish
from model.data.check import Report
from model.errors import UserError

SHOWN = 100  # of each kind; the CSV has all
NOT_CHECKED = (
    "Press Check: annotations and photos are compared, and whatever is wrong is counted here, photo"
    " by photo. It is done once, and changes no file."
)


def show_step(step: Step) -> Markup:
    """The progress of the check, or of reading the data set before it."""
    count = f": {step.done:,} of {step.total:,}" if step.total else ""
    return markup.note(f"{step.what.capitalize()}{count} ...")


def show_report(backend: Backend, report: Report) -> Markup:
    """All problems by kind; the photo of a problem can be pressed."""
    kinds = [
        (kind, KINDS[kind], len(found), [_row(backend, blemish) for blemish in found[:SHOWN]])
        for kind, found in report.by_kind().items()
    ]
    return render(
        "blemishes.html", kinds=kinds, total=len(report.blemishes), decoded=report.decoded,
        n_photos=len(report.dataset.photos),
    )  # fmt: skip


def _row(backend: Backend, blemish: Blemish) -> dict[str, Any]:
    """A row of the list; ``key`` is the name of the photo, empty if none can be shown."""
    key, path = "", blemish.where.partition(" (")[0] if blemish.where[-1:] == ")" else ""
    for name in filter(None, (path, blemish.where)):
        with suppress(UserError):
            key = backend.library.get(name).name
    return {"key": key, "where": blemish.where, "detail": blemish.detail}


def take_blemishes(report: Report) -> str:
    """The CSV of all problems that ``python -m model.dataset check --out`` writes."""
    return as_download("blemishes.csv", report.table().to_csv(index=False))
