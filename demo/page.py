"""The whole page: a title, four tabs, and the links between them."""

from typing import Any

import gradio as gr

from demo import api, augment_tab, dataset_tab, detect_tab, links, training_tab
from demo.backend import Backend
from demo.components import PRIVATE, tell
from demo.guarded import GuardedBlocks

MAX_UNFETCHED = 300
TITLE = "Largest-object detector"
INTRODUCTION = (
    "Drop a photo: a ResNet-34 names its largest object and draws one box around it. Then look"
    " inside the augmentation it was trained with, image and box together, step by step."
)


def build_page(backend: Backend) -> gr.Blocks:
    """All of the demo; ``launch`` it with :mod:`demo.theme`."""
    first = backend.library.examples()[0].name
    with GuardedBlocks(
        title=TITLE, analytics_enabled=False, fill_width=False, delete_cache=(3600, 7200)
    ) as page:
        gr.HTML(f"<h1>{TITLE}</h1><p>{INTRODUCTION}</p>", elem_classes=["page-title"])
        # All tabs listen to it; it is shown in the Training tab, beside what it is worth.
        checkpoint = gr.Dropdown(
            list(backend.checkpoints()), value=backend.checkpoint, label="Checkpoint",
            info="used in all tabs", elem_id="checkpoint", render=False,
        )  # fmt: skip
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Detect", id="detect"):
                detect = detect_tab.build(backend, checkpoint, first)
            with gr.Tab("Augment", id="augment") as augment_page:
                augment = augment_tab.build(backend, checkpoint, first)
            with gr.Tab("Dataset", id="dataset") as dataset_page:
                dataset = dataset_tab.build(backend)
            with gr.Tab("Training", id="training") as training_page:
                training_tab.build(backend, checkpoint)
        api.build(backend)

        augment.draw_chart(augment_page.select)
        training_page.select(None, None, None, js=_tab_js("training"), **PRIVATE)
        if dataset:
            tell(dataset_page.select, dataset.redraw)
            _send(tabs, dataset, detect, augment)
        for tab in (detect, augment):
            tell(checkpoint.input, tab.redraw)
        links.connect(page, backend, tabs, detect, augment, dataset)
    page.queue(max_size=64, default_concurrency_limit=2)
    # Answers nobody fetches are kept, pictures and all: 2,000 of them unless told.
    page._queue.pending_messages_per_session.max_size = MAX_UNFETCHED
    return page


def _tab_js(name: str) -> str:
    return f"() => window.showInAddress('{name}', {{}})"


def _send(
    tabs: gr.Tabs,
    dataset: dataset_tab.DatasetTab,
    detect: detect_tab.DetectTab,
    augment: augment_tab.AugmentTab,
) -> None:
    """The buttons that carry a VOC photo to another tab."""
    quiet = {"show_progress": "hidden", **PRIVATE}

    def to_detect(name: str) -> tuple[Any, str, None]:
        return gr.Tabs(selected="detect"), name, None

    def to_augment(name: str) -> tuple[Any, str, None, str, str]:
        return gr.Tabs(selected="augment"), name, None, "ground truth", "1"

    sent = dataset.to_detect.click(
        to_detect, dataset.picked, [tabs, detect.sample, detect.upload], **quiet
    )
    tell(sent.then, detect.redraw)
    sent = dataset.to_augment.click(
        to_augment, dataset.picked,
        [tabs, augment.sample, augment.upload, augment.box_source, augment.picked], **quiet,
    )  # fmt: skip
    tell(sent.then, augment.redraw)
