"""The Detect tab: one photo and its largest object; many photos at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.backend import Backend, user_message
from demo.choice import PhotoChoice
from demo.components import (
    DRAWS,
    PRESS_AGAIN,
    PRIVATE,
    QUIET,
    TOKEN_JS,
    Controls,
    download_button,
    edits,
    pick_grid,
    picked_draw,
    show_errors_in,
    signal,
    stop_button,
    token,
)
from demo.live import Frame, LiveCamera, look
from demo.photos import ManyPhotos
from demo.server.downloads import as_download
from demo.serving.calls import StopPressedError
from demo.views import markup
from demo.views.detect import (
    EMPTY_MANY,
    NO_HEAT,
    DetectState,
    csv_download,
    first_view,
    json_download,
    png_download,
    show,
    show_many,
)
from demo.web_files import script
from model.errors import UserError

EXPLANATIONS = [
    ("nothing", NO_HEAT),
    ("what speaks for the class", "class"),
    ("where the box was read from", "box"),
]
OPACITY_JS = "(v) => document.documentElement.style.setProperty('--heat', v)"


@dataclass
class DetectTab:
    """What other parts of the page need.

    Attributes:
        defaults: what the tab shows when the page opens.
        controls: by the names of the fields of :class:`DetectState`.
        redraw: see :func:`demo.components.signal`.
        to_augment: the button that opens the Augment tab.
        first_view: HTML that is seen before the page is built.
    """

    defaults: DetectState
    controls: Controls
    redraw: gr.Textbox
    to_augment: gr.Button
    first_view: str


def build(
    backend: Backend, shared: Controls, rechosen: gr.Textbox, address: gr.Textbox
) -> DetectTab:
    """Lay out the tab.

    Args:
        backend: what stands behind it.
        shared: the photo and the checkpoint, which all tabs have.
        rechosen: says that another checkpoint was chosen, see :func:`demo.components.signal`.
        address: what is written into the address.
    """
    defaults = DetectState(
        photo=PhotoChoice(backend.library.examples()[0].name), checkpoint=backend.checkpoint,
        threshold=_threshold_of(backend, backend.checkpoint),
    )  # fmt: skip
    # The first pass is several times slower than all others, so no visitor shall wait for it.
    first = backend.inspect(defaults.photo, defaults.checkpoint)
    result = gr.HTML(
        markup.of_photo(defaults.photo.key, show(backend, defaults, first)),
        js_on_load=script("turning"), elem_id="detect-result", min_height=260,
    )  # fmt: skip
    to_augment = _build_actions(backend, shared)
    controls = {**shared, **_build_settings(defaults)}
    redraw = signal()

    @show_errors_in(result)
    def draw(**values: Any) -> dict[Any, Any]:
        state = DetectState(**values)
        shown = markup.of_photo(state.photo.key, show(backend, state))
        return {result: shown, address: state.to_query(defaults)}

    gr.on(
        [*edits(controls, "threshold", "explain"), redraw.change],
        draw, inputs_kwargs=controls, outputs=[result, address], **DRAWS,
    )  # fmt: skip
    _threshold_follows_checkpoint(backend, controls, rechosen, redraw)
    _build_live(backend, controls)
    _build_many(backend, controls, redraw)
    return DetectTab(defaults, controls, redraw, to_augment, first_view(first, defaults))


def _build_actions(backend: Backend, shared: Controls) -> gr.Button:
    """The button that opens the Augment tab, which is returned, and the downloads."""
    with gr.Row(elem_classes=["compact"]):
        to_augment = gr.Button("Augment this photo", variant="primary", size="sm",
                               elem_id="augment-this", min_width=120)  # fmt: skip
        for label, make, name in (
            ("Picture (PNG)", png_download, "png"), ("JSON", json_download, "json"),
            ("CSV row", csv_download, "csv"),
        ):  # fmt: skip
            download_button(
                label,
                lambda make=make, **chosen: make(backend.inspect(**chosen)),
                shared,
                f"detect-{name}",
            )
    return to_augment


def _build_settings(defaults: DetectState) -> Controls:
    """By the names of the fields of :class:`DetectState`."""
    with gr.Row(elem_classes=["compact"]):
        threshold = gr.Slider(
            0, 1, defaults.threshold, step=0.01, label="Confidence threshold",
            info="below it the detector is not sure", elem_id="detect-threshold",
            buttons=[],
        )  # fmt: skip
        explain = gr.Radio(EXPLANATIONS, value=NO_HEAT, label="Explain", elem_id="detect-explain")
        opacity = gr.Slider(
            0, 1, 0.75, step=0.05, label="Opacity of the explanation", elem_id="detect-opacity",
            buttons=[],
        )  # fmt: skip
    opacity.change(None, opacity, None, js=OPACITY_JS, **PRIVATE)
    return {"threshold": threshold, "explain": explain}


def _threshold_of(backend: Backend, checkpoint: str) -> float:
    """As the slider shows it."""
    return round(backend.detector(checkpoint).threshold, 2)


def _threshold_follows_checkpoint(
    backend: Backend, controls: Controls, rechosen: gr.Textbox, redraw: gr.Textbox
) -> None:
    """A threshold says something about the scores of its own checkpoint only."""

    def follow(checkpoint: str) -> dict[Any, Any]:
        try:
            threshold = _threshold_of(backend, checkpoint)
        except UserError:
            return {redraw: token()}  # drawing the result says what is wrong
        return {controls["threshold"]: threshold, redraw: token()}

    rechosen.change(follow, controls["checkpoint"], [controls["threshold"], redraw], **QUIET)


def _build_live(backend: Backend, controls: Controls) -> None:
    live = LiveCamera(elem_id="live")

    def answer(frame: Frame, checkpoint: str, threshold: float) -> dict[str, Any]:
        try:
            return look(frame, backend.checkpoint_file(checkpoint), threshold)
        except Exception as error:
            return {"number": frame.number, "problem": user_message(error)}

    live.input(
        answer, [live, controls["checkpoint"], controls["threshold"]], live,
        trigger_mode="multiple", **QUIET,
    )  # fmt: skip


def _build_many(backend: Backend, controls: Controls, redraw: gr.Textbox) -> None:
    gr.HTML("<h3 class='part'>Many photos at once</h3>", elem_classes=["heading"])
    files = ManyPhotos()
    stop, running = stop_button("many-stop")
    gallery = pick_grid(markup.note(EMPTY_MANY), elem_id="many-result", min_height=60)
    table = gr.Textbox("", visible=False)
    settings = {name: controls[name] for name in ("checkpoint", "threshold")}

    @show_errors_in(gallery, table)
    # Gradio finds the progress bar by this default.
    def answer_all(
        files: list[str], checkpoint: str, threshold: float, progress: Any = gr.Progress()  # noqa: B008
    ) -> Iterator[dict[Any, Any]]:  # fmt: skip
        if not files:
            yield {gallery: markup.note(EMPTY_MANY), table: ""}
            return
        yield {stop: gr.Button(visible=True), gallery: "", table: ""}
        known, shown = None, markup.note(EMPTY_MANY)
        try:
            with running.stoppable():
                for answers, shown, text in show_many(backend, files, checkpoint, threshold):
                    progress((answers.read, answers.asked), desc="looking at photos", unit="photos")
                    changed, known = known != text, text
                    yield {gallery: shown, table: text} if changed else gr.skip()
        except StopPressedError:  # pressed during a pass: what was shown before it stays
            shown = markup.join([markup.note("Stopped."), shown])
        except Exception:
            yield {stop: gr.Button(visible=False)}
            raise
        yield {stop: gr.Button(visible=False), gallery: shown}

    def take(text: str) -> str:
        if not text:
            raise UserError("no photo is answered yet: choose some first.")
        return as_download("detections.csv", text)

    def open_one(files: list[str], event: gr.EventData) -> PhotoChoice:
        number, _ = picked_draw(event)
        if number >= len(files):
            raise UserError(PRESS_AGAIN)
        return PhotoChoice(upload=files[number])

    given: Controls = {"files": files, **settings}
    files.input(
        answer_all, inputs_kwargs=given, outputs=[gallery, table, stop], trigger_mode="always_last",
        **PRIVATE,
    )  # fmt: skip
    download_button("All as CSV", take, {"text": table}, "many-csv")
    opened = gallery.select(open_one, files, controls["photo"], **QUIET)
    opened.success(None, None, redraw, js=TO_TOP_JS, **PRIVATE)


TO_TOP_JS = f"() => {{ window.scrollTo({{top: 0}}); return {TOKEN_JS}; }}"
