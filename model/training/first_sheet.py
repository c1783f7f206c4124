"""``augmented.png``: what the network sees, drawn when training begins."""

from pathlib import Path

from model.evaluation.plots import spread_indices
from model.files import atomic_write
from model.inspect.audit.pictures import sheet
from model.loading.dataset import LargestObjectDataset


def draw_augmented(dataset: LargestObjectDataset, path: Path) -> None:
    """Write photos spread over a data set, augmented as in its first epoch, with their boxes.

    The count of lost boxes does not change.
    """
    shown = []
    for index in spread_indices(len(dataset)):
        image, boxes, labels = dataset.shown(index)
        trace = dataset.pipeline.trace(image, boxes, dataset.photo_seed(index))
        shown.append((trace, [dataset.class_names[label] for label in labels.tolist()]))
    with atomic_write(path) as temporary:
        sheet(shown).save(temporary)
