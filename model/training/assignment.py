"""Which cells of the pyramid are assigned to which annotated object."""

from typing import NamedTuple

import torch
from torch import Tensor

from model.boxes import pairwise_iou
from model.loading.targets import Targets
from model.network.outputs import Cells

CELLS_PER_OBJECT = 9
SCORE_POWER, IOU_POWER = 0.5, 4.0


class Assignment(NamedTuple):
    """What the cells should predict.

    Attributes:
        owner: ``(N, P)`` int64: index of the object a cell is assigned to, -1 for none.
        quality: ``(N, P)`` float in 0..1: the class score a cell should reach, 0 for none.
    """

    owner: Tensor
    quality: Tensor


@torch.no_grad()
def assign_cells(cells: Cells, targets: Targets) -> Assignment:
    """Assign to each object the cells whose class *and* box fit it best (TOOD, Feng et al. 2021).

    The alignment of a cell with an object is ``score ** 0.5 * IoU ** 4``. Among the cells whose
    centre lies in an object's box (or the nearest cell, if there is none) the nine best aligned are
    assigned to it; a cell that fits several objects goes to the one it overlaps most. The target of
    its class score is the alignment, scaled so that an object's best cell reaches its best IoU.
    """
    real = targets.labels >= 0  # (N, K)
    ious = pairwise_iou(targets.boxes, cells.boxes)  # (N, K, P)
    index = targets.labels.clamp(min=0).unsqueeze(-1).expand(-1, -1, cells.logits.shape[1])
    scores = cells.logits.sigmoid().transpose(1, 2).gather(1, index)
    alignment = scores**SCORE_POWER * ious**IOU_POWER + 1e-9
    alignment = alignment * (inside_or_nearest(cells.centers, targets.boxes) & real.unsqueeze(-1))
    count = min(CELLS_PER_OBJECT, alignment.shape[-1])
    lowest_kept = alignment.topk(count, dim=-1).values[..., -1:]
    own = (alignment >= lowest_kept) & (alignment > 0)
    overlap, owner = (ious + 1e-6).masked_fill(~own, 0).max(dim=1)  # (N, P)
    owner = owner.masked_fill(overlap == 0, -1)
    kept = own & (owner.unsqueeze(1) == torch.arange(own.shape[1], device=own.device)[:, None])
    aligned = alignment * kept
    best_iou = (ious * kept).amax(dim=-1, keepdim=True)
    quality = aligned / aligned.amax(dim=-1, keepdim=True).clamp(min=1e-12) * best_iou
    return Assignment(owner, quality.sum(dim=1))


def inside_or_nearest(centers: Tensor, boxes: Tensor) -> Tensor:
    """bool ``(N, K, P)``: cells with their centre in a box, or the nearest cell if there is none.

    Args:
        centers: ``(P, 2)``.
        boxes: ``(N, K, 4)``.
    """
    x, y = centers.unbind(-1)
    x1, y1, x2, y2 = (side.unsqueeze(-1) for side in boxes.unbind(-1))
    inside = (x > x1) & (x < x2) & (y > y1) & (y < y2)
    distance = (x - (x1 + x2) / 2) ** 2 + (y - (y1 + y2) / 2) ** 2
    nearest = distance == distance.amin(dim=-1, keepdim=True)
    return inside | (nearest & ~inside.any(dim=-1, keepdim=True))
