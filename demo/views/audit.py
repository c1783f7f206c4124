"""The effect of the settings on all boxes of the data set, as the Augment tab shows it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from demo.backend import Backend
from demo.serving.calls import raise_if_ended
from demo.views import markup
from demo.views.augment.state import AugmentState, read_settings
from demo.web_files import render, unbroken
from model.inspect.audit.boxes import BoxTable
from model.inspect.audit.causes import Limits, Trials
from model.inspect.audit.pictures import KINDS, names_of, pair, traces, worst_draws
from model.inspect.audit.report import fact_rows, safe_words
from model.inspect.audit.tally import Tally, tallies
from model.inspect.audit.verdict import verdict
from model.inspect.captions import caption
from model.words import counted

EPOCHS = 10  # draws of each photo; epoch k is variant k of the photo in the tab (at most 16)
TILES = 6
LIMITS = Limits()
NOT_COUNTED = (
    "Press Count: what the settings above do to every box of the data set, photo by photo, without"
    f" opening one. The limits: {LIMITS}."
)
TAKEN = "Settings taken over: press Count to see what they do."
OUTDATED = "The settings have changed since: count again"
STOPPED = "Stopped. The numbers below, if any, are those of the photos counted until then."


@dataclass(frozen=True)
class Audited:
    """The state of a count.

    Attributes:
        status: HTML, the progress.
        shown: HTML, the numbers so far.
        safe: JSON of the strongest settings within the limits; empty while they are unknown.
    """

    status: Markup
    shown: str = ""
    safe: str = ""


def audit(backend: Backend, state: AugmentState, split: str) -> Iterator[Audited]:
    """Count a split: yields numbers of growing samples, at last the findings and the worst draws.

    Settings pinned as A are counted first; their numbers are shown beside those of B.

    Raises:
        UserError: without a data set, or for an unknown split or an invalid seed.
        CallEndedError: if the visitor has left.
    """
    seed = state.first_seed
    image_size = backend.detector(state.checkpoint).info.image_size
    yield Audited(markup.note("Reading the boxes ..."))
    table = BoxTable.of(backend.library.split(split), image_size)
    configs = [read_settings(state.pinned)] if state.pinned else []
    done: list[Tally] = []
    for config in [*configs, state.config]:
        tally = None
        for tally in tallies(table, config, seed, EPOCHS):
            raise_if_ended()
            progress = markup.progress(tally.done, len(tally.table))
            yield Audited(progress, _numbers([*done, tally]))
        assert tally  # a split without photos is refused when it is read
        done.append(tally)
    tally = done[-1]
    trials = Trials(table, state.config, seed, LIMITS, EPOCHS)
    findings = verdict(tally, trials)
    raise_if_ended()
    found = render(
        "audit.html", findings=findings, safe=safe_words(trials), numbers=_numbers(done),
        groups=_worst(backend, tally, seed),
    )  # fmt: skip
    total = markup.note(f"{counted(len(table), 'photo')}, {EPOCHS} draws each.")
    yield Audited(total, found, trials.safe.to_json())


def counted_with(query: str, shown: str) -> Markup:
    """The numbers, marked with the query of the settings they were counted with (settings.js)."""
    if not shown:
        return Markup()
    return Markup('<div hidden data-counted="{}"></div>').format(query) + Markup(shown)


def _numbers(counted_so_far: Sequence[Tally]) -> Markup:
    rows = fact_rows([tally.numbers("target") for tally in counted_so_far])
    return render("audit_numbers.html", rows=rows, two=len(counted_so_far) > 1)


def _worst(backend: Backend, tally: Tally, seed: int) -> list[dict[str, object]]:
    table, worst = tally.table, worst_draws(tally, TILES)
    found = traces(table, tally.config, seed, [(draw.photo, draw.epoch) for draw in worst])
    tiles: dict[str, list[Markup]] = {kind: [] for kind in KINDS}
    for draw, trace in zip(worst, found, strict=True):
        if trace is not None:
            _, picture = pair(trace, names_of(table, draw.photo))
            name = backend.library.name_of(str(table.names[draw.photo]))
            key, uri = f"{draw.epoch + 1} {name}", markup.data_uri(picture, quality=80)
            words = unbroken(f", variant {draw.epoch + 1}: {draw.words}")
            words = markup.join([markup.file_name(name), words])
            tile = markup.tile(key, uri, f"{name}: {caption(trace)}", words)
            tiles[draw.kind].append(tile)
    grids = {kind: markup.grid(of_kind, "browse") for kind, of_kind in tiles.items() if of_kind}
    return [{"heading": KINDS[kind], "grid": grid} for kind, grid in grids.items()]
