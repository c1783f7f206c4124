"""What the cells of the decoupled head are asked for: the recipe of the first shipped weights."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from model.assignment import Targets
from model.loss import CLASS_WEIGHT, l1_px_at_224
from model.outputs import Cells


def decoupled_cells_loss(cells: Cells, targets: Targets, image_size: int) -> Tensor:
    """Every cell inside *any* annotated object must answer for that object.

    The largest object alone says nothing of VOC's other boxes. A cell whose centre lies in several
    of them belongs to the smallest (as in FCOS, Tian et al. 2019). Same balance as the tutorial's
    loss, averaged over the cells in use: ``l1_px + 25 * (ce + (1 - GIoU) + choice)``, where
    ``choice`` is minus the log of how much of the softmax that chooses among cells lies inside the
    largest object.

    Args:
        cells: of :class:`model.decoupled_head.DecoupledHead` in ``train()`` mode.
        targets: the largest object comes first.
        image_size: side of the canvas in pixels.
    """
    x, y = cells.centers.unbind(-1)
    x1, y1, x2, y2 = (side.unsqueeze(-1) for side in targets.boxes.unbind(-1))  # each (N, K, 1)
    inside = (x > x1) & (x < x2) & (y > y1) & (y < y2) & (targets.labels >= 0).unsqueeze(-1)
    area = ((x2 - x1) * (y2 - y1)).expand_as(inside).masked_fill(~inside, float("inf"))
    smallest, owner = area.min(dim=1)  # (N, P)
    image_index, cell_index = torch.nonzero(torch.isfinite(smallest), as_tuple=True)
    if not len(image_index):
        return cells.logits.sum() * 0
    owner = owner[image_index, cell_index]
    predicted = cells.boxes[image_index, cell_index]
    true_boxes = targets.boxes[image_index, owner]
    labels = targets.labels[image_index, owner]
    cross_entropy = F.cross_entropy(cells.logits[image_index, cell_index], labels)
    l1_px = l1_px_at_224(predicted, true_boxes, image_size).mean()
    giou = generalized_box_iou_loss(predicted, true_boxes, reduction="mean")
    some = (targets.labels[:, 0] >= 0).float()
    chosen = (cells.choice * inside[:, 0]).sum(-1).clamp(min=1e-4).log()
    choice = -(chosen * some).sum() / some.sum().clamp(min=1)
    return l1_px + CLASS_WEIGHT * (cross_entropy + giou + choice)
