"""The tutorial's loss on the 20 + 4 numbers, and the loss of the cells they come from.

``loss = L1 + 25 x cross-entropy``: L1 is the mean over the four coordinates in pixels of a 224
canvas. The loss of the cells is our addition.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from model.boxes import l1_px_at_224, pairwise_iou
from model.loading.targets import Targets
from model.network.outputs import Cells, DetectorOutput
from model.training.assignment import assign_cells

CLASS_WEIGHT = 25.0
NEGATIVE_POWER = 2.0  # power of the score as the weight of cells without an object
CHOICE_POWER = 3.0  # power of the IoU: how much the choice prefers tight boxes


@dataclass(frozen=True)
class LargestObjectLoss:
    """The tutorial's loss: ``total = l1_px + 25 * cross_entropy``; L1 in pixels @224."""

    total: Tensor
    l1_px: Tensor
    cross_entropy: Tensor


@dataclass(frozen=True)
class CellsLoss:
    """The loss of the cells, averaged over the cells assigned to an object.

    Attributes:
        quality: varifocal loss of the class scores.
        giou: ``1 - GIoU`` of the boxes.
        l1_px: mean absolute error of their corners, pixels @224.
        choice: see :func:`choice_loss`.
    """

    quality: Tensor
    giou: Tensor
    l1_px: Tensor
    choice: Tensor

    @property
    def total(self) -> Tensor:
        """The weighted sum; box and class are balanced as in the tutorial's loss."""
        return self.l1_px + CLASS_WEIGHT * (self.quality + 2 * self.giou + self.choice)


def largest_object_loss(
    output: DetectorOutput, targets: Targets, image_size: int, label_smoothing: float = 0.0
) -> LargestObjectLoss:
    """``l1_px + 25 * ce`` of the prediction against the largest object, averaged over N images.

    Args:
        output: from the detector in ``train()`` mode.
        targets: the largest object comes first; images without one do not count.
        image_size: side of the canvas in pixels.
    """
    labels = targets.labels[:, 0]
    has_object = (labels >= 0).float()
    count = has_object.sum().clamp(min=1)
    l1_px = l1_px_at_224(output.boxes, targets.boxes[:, 0], image_size)
    l1_px = (l1_px * has_object).sum() / count
    cross_entropy = F.cross_entropy(
        output.logits, labels, ignore_index=-1, reduction="sum", label_smoothing=label_smoothing
    )
    cross_entropy = cross_entropy / count
    return LargestObjectLoss(l1_px + CLASS_WEIGHT * cross_entropy, l1_px, cross_entropy)


def cells_loss(cells: Cells, targets: Targets, image_size: int) -> CellsLoss:
    """The loss of the cells against all annotated objects, not only the largest."""
    assignment = assign_cells(cells, targets)
    image_index, cell_index = torch.nonzero(assignment.owner >= 0, as_tuple=True)
    owner = assignment.owner[image_index, cell_index]
    weight = assignment.quality[image_index, cell_index]
    total_weight = weight.sum().clamp(min=1.0)
    true_quality = torch.zeros_like(cells.logits)
    true_quality[image_index, cell_index, targets.labels[image_index, owner]] = weight
    quality = varifocal_loss(cells.logits, true_quality).sum() / total_weight
    boxes, true_boxes = cells.boxes[image_index, cell_index], targets.boxes[image_index, owner]
    giou = (generalized_box_iou_loss(boxes, true_boxes) * weight).sum() / total_weight
    l1_px = (l1_px_at_224(boxes, true_boxes, image_size) * weight).sum() / total_weight
    return CellsLoss(quality, giou, l1_px, choice_loss(cells, targets))


def varifocal_loss(logits: Tensor, quality: Tensor) -> Tensor:
    """Binary cross-entropy with soft targets (VarifocalNet, Zhang et al. 2021), elementwise.

    A cell with an object has its target as weight, one without has its own score squared, so that
    the thousands of easy negatives do not dominate.
    """
    negative_weight = logits.detach().sigmoid() ** NEGATIVE_POWER
    weight = torch.where(quality > 0, quality, negative_weight)
    return F.binary_cross_entropy_with_logits(logits, quality, weight, reduction="none")


def choice_loss(cells: Cells, targets: Targets) -> Tensor:
    """Minus the log of the mean cubed IoU with the largest object, weighted by the choice.

    It needs no assignment: whichever cells have a good box of the largest object should be chosen.
    Images without an object do not count.
    """
    overlap = pairwise_iou(targets.boxes[:, :1], cells.boxes.detach()).squeeze(1) ** CHOICE_POWER
    # Relative to the best box, because early in training no box is good.
    best = overlap.amax(dim=1).clamp(min=1e-6)
    loss = -((cells.choice * overlap).sum(dim=1) / best).clamp(min=1e-4).log()
    has_object = (targets.labels[:, 0] >= 0).float()
    return (loss * has_object).sum() / has_object.sum().clamp(min=1)
