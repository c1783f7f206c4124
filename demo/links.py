"""Deep links: ``?tab=augment&sample=000012&seed=7`` restores a view.

Whatever an address does not say keeps its default; whatever it says wrongly is left out.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from demo import augment_tab, augment_view, dataset_tab, detect_tab, detect_view
from demo.backend import Backend
from demo.components import PRIVATE
from model.augment import AugmentConfig
from model.data.voc import list_splits
from model.errors import UserError
from model.explain import TARGETS

TABS = ("detect", "augment", "dataset", "training")


@dataclass
class View:
    """What an address asks for; empty or ``None`` where it says nothing."""

    tab: str = ""
    sample: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def parse(query: Mapping[str, str], backend: Backend) -> View:
    """Read an address; nothing in it is trusted."""
    tab = query.get("tab", "").lower()
    view = View(tab if tab in TABS else "")
    if name := query.get("sample", ""):
        with suppress(UserError):
            view.sample = backend.library.get(name).name
    _put(view, query, "seed", lambda v: _within(int(v), 0, augment_view.MAX_SEED))
    _put(view, query, "count", lambda v: _within(int(v), 1, augment_view.MAX_VARIANTS))
    _put(view, query, "variant", lambda v: str(_within(int(v), 1, augment_view.MAX_VARIANTS)))
    _put(view, query, "box", lambda v: _one_of(v, augment_view.BOX_SOURCES))
    _put(view, query, "corners", _four)
    _put(view, query, "threshold", lambda v: _within(float(v), 0, 1))
    _put(view, query, "why", lambda v: _one_of(v, TARGETS))
    if backend.library.voc_root:
        splits = list_splits(backend.library.voc_root)
        _put(view, query, "split", lambda v: _one_of(v, splits))
    names = (dataset_tab.ANY, *backend.class_names())
    _put(view, query, "class", lambda v: _one_of(v, names))
    _put(view, query, "size", lambda v: _one_of(v, dataset_tab.SIZES))
    _put(view, query, "page", lambda v: _within(int(v), 1, 100_000))
    for item in augment_view.FIELDS:
        if item.name in query:
            _put_setting(view, item.name, query[item.name])
    return view


def _put(view: View, query: Mapping[str, str], name: str, read: Any) -> None:
    if name in query:
        with suppress(ValueError, OverflowError):
            view.values[name] = read(query[name])


def _put_setting(view: View, name: str, text: str) -> None:
    with suppress(ValueError, UserError):
        value: Any = text if name == "box_rule" else float(text)
        AugmentConfig(**{name: value})
        view.settings[name] = value


def _within(value: Any, low: float, high: float) -> Any:
    if not low <= value <= high:
        raise ValueError(value)
    return value


def _one_of(value: str, allowed: Any) -> str:
    if value not in allowed:
        raise ValueError(value)
    return value


def _four(text: str) -> list[float]:
    values = [float(part) for part in text.split(",")]
    if len(values) != 4 or not all(abs(v) < 1e6 for v in values):
        raise ValueError(text)
    return values


def connect(
    page: gr.Blocks,
    backend: Backend,
    tabs: gr.Tabs,
    detect: detect_tab.DetectTab,
    augment: augment_tab.AugmentTab,
    dataset: dataset_tab.DatasetTab | None,
) -> None:
    """Read the address when the page opens, and draw anew what it changed."""
    asked = gr.Textbox("", visible=False)
    dataset_controls = dataset.controls if dataset else []
    # The checkpoint is not part of an address; uploads cannot be.
    detect_controls = [detect.sample, detect.examples, detect.threshold, detect.why]
    augment_controls = [
        augment.sample, augment.box_source, *augment.box, augment.seed, augment.count,
        augment.picked, *augment.settings,
    ]  # fmt: skip
    outputs = [tabs, *detect_controls, *augment_controls, *dataset_controls, asked]

    def restore(request: gr.Request) -> tuple[Any, ...]:
        query = {key: str(value) for key, value in request.query_params.items()}
        view = parse(query, backend)
        pressed = detect_view.example_tiles(backend, view.sample) if view.sample else gr.skip()
        return tuple(_updates(view, bool(dataset_controls), pressed))

    page.load(restore, None, outputs, show_progress="hidden", api_visibility="private")
    redraws = {"detect": detect.redraw, "augment": augment.redraw}
    if dataset:
        redraws["dataset"] = dataset.redraw
    js = _REDRAW_JS % json.dumps(list(redraws))
    asked.change(None, [asked, *redraws.values()], list(redraws.values()), js=js, **PRIVATE)


# Tells the signal of the tab that was asked for, and leaves the others as they are.
_REDRAW_JS = """(asked, ...signals) => {
  const tabs = %s, now = String(performance.now());
  return tabs.map((tab, i) => tab === asked ? now : signals[i]);
}"""


def _updates(view: View, has_dataset: bool, examples: Any) -> list[Any]:
    """One update a control, in the order of ``outputs`` in :func:`connect`."""

    def value(name: str) -> Any:
        return view.values.get(name, gr.skip())

    def sample_of(tab: str) -> Any:
        return view.sample if view.sample and view.tab == tab else gr.skip()

    corners = view.values.get("corners", [gr.skip()] * 4)
    updates: list[Any] = [gr.Tabs(selected=view.tab) if view.tab else gr.skip()]
    updates += [sample_of("detect"), examples if view.tab == "detect" else gr.skip()]
    updates += [value("threshold"), value("why")]
    # A sample brings its own box unless the address says otherwise.
    box = value("box") if "box" in view.values or not view.sample else "ground truth"
    updates += [
        sample_of("augment"),
        box if view.tab == "augment" else gr.skip(),
        *corners,
        value("seed"),
        value("count"),
    ]
    updates.append(value("variant"))
    updates += [view.settings.get(item.name, gr.skip()) for item in augment_view.FIELDS]
    if has_dataset:
        updates += [value("split"), value("class"), value("size"), value("page")]
        updates.append(sample_of("dataset"))
    # Only a view that differs from the first one has to be drawn.
    differs = bool(view.sample or view.values or view.settings or view.tab == "dataset")
    updates.append(view.tab if differs else "")
    return updates
