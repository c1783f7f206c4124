"""Run a detector over a loader and keep what it said beside what is true."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from model.detector import split_outputs
from model.metrics import PerImage, per_image_scores

if TYPE_CHECKING:  # predicting must not pay for importing what only evaluation uses
    from accelerate import Accelerator


@dataclass(frozen=True)
class Answers:
    """One row an image: ``probabilities`` ``(N, C)``, boxes ``(N, 4)`` in pixels of the canvas."""

    probabilities: Tensor
    bbox_xyxy: Tensor
    true_class: Tensor
    true_xyxy: Tensor
    image_size: int

    def scores(self) -> PerImage:
        """Compare with the truth."""
        predicted = self.probabilities.argmax(dim=1)
        return per_image_scores(
            predicted, self.bbox_xyxy, self.true_class, self.true_xyxy, self.image_size
        )


@torch.inference_mode()
def answer(model: nn.Module, images: Tensor, flip: bool = False) -> tuple[Tensor, Tensor]:
    """Probabilities ``(N, C)`` and boxes ``(N, 4)`` in pixels of the canvas.

    With ``flip`` the mirrored photo is asked as well and the two answers are averaged.
    """
    logits, bbox_xyxy = split_outputs(model(images))
    probabilities = logits.float().softmax(dim=1)
    if not flip:
        return probabilities, bbox_xyxy
    mirrored_probabilities, mirrored = answer(model, images.flip(-1))
    x1, y1, x2, y2 = mirrored.unbind(1)
    width = images.shape[-1]
    unmirrored = torch.stack([width - x2, y1, width - x1, y2], dim=1)
    return (probabilities + mirrored_probabilities) / 2, (bbox_xyxy + unmirrored) / 2


def collect_answers(
    model: nn.Module,
    loader: DataLoader,
    accelerator: "Accelerator",
    image_size: int,
    flip: bool = False,
    progress: bool = True,
) -> Answers:
    """Ask ``model`` about every photo of a prepared ``loader``, once, across all processes."""
    model.eval()
    parts = []
    hidden = not (progress and accelerator.is_main_process)
    for images, (true_xyxy, true_class) in tqdm(
        loader, "evaluating", leave=False, unit="batch", disable=hidden
    ):
        with accelerator.autocast():
            probabilities, bbox_xyxy = answer(model, images, flip)
        rows = (probabilities.float(), bbox_xyxy.float(), true_class, true_xyxy)
        parts.append([t.cpu() for t in accelerator.gather_for_metrics(rows)])
    return Answers(*(torch.cat(column) for column in zip(*parts, strict=True)), image_size)
