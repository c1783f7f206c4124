"""From many boxes to one: the group of cells that agree, never a blend of two objects.

A mean over all cells of a photo with two sheep lies between them, right for neither. Here the box
with the most support among the likeliest cells is looked up first - the mode instead of the mean -
and only the cells whose boxes overlap it count.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from model.boxes import pairwise_iou

CANDIDATES = 96  # the likeliest cells of an image; all others together hold next to nothing
SAME_OBJECT_IOU = 0.4  # IoU from which two boxes are of the same object
CHOICE_POWER = 0.5  # the square root lets more cells of the group count


class GroupBox(NamedTuple):
    """``boxes`` ``(N, 4)`` and ``attention`` ``(N, P)``, summing to 1, they were read with."""

    boxes: Tensor
    attention: Tensor


def read_group(boxes: Tensor, choice: Tensor, side_logits: Tensor) -> GroupBox:
    """The box of the group of cells with the most support.

    A cell supports every box that overlaps its own with an IoU above :data:`SAME_OBJECT_IOU`, with
    the weight of its ``choice``. The cells that agree with the best supported box are the group.
    Each of the four sides is then their average under a softmax of its own, so that a side is read
    from the cells that see it.

    Which cells form the group is decided without gradients; boxes, choice and side logits of the
    group get them.

    Args:
        boxes: ``(N, P, 4)`` ``xyxy``, any unit.
        choice: ``(N, P)``, summing to 1.
        side_logits: ``(N, P, 4)``, how well a cell sees the left, top, right and bottom side.
    """
    likeliest = choice.topk(min(CANDIDATES, choice.shape[1]), dim=1)
    index = likeliest.indices.unsqueeze(-1).expand(-1, -1, 4)
    candidates, sides = boxes.gather(1, index), side_logits.gather(1, index)
    with torch.no_grad():
        agrees = pairwise_iou(candidates, candidates) > SAME_OBJECT_IOU
        # An empty box does not even overlap itself; one that nothing supports stands alone.
        agrees = agrees | torch.eye(agrees.shape[-1], dtype=torch.bool, device=agrees.device)
        support = (agrees * likeliest.values.unsqueeze(1)).sum(-1)
        best = support.argmax(dim=1)
        row = best[:, None, None].expand(-1, 1, agrees.shape[-1])
        in_group = agrees.gather(1, row).squeeze(1)
    weight = CHOICE_POWER * likeliest.values.clamp(min=1e-12).log()
    weight = weight.masked_fill(~in_group, -torch.inf)
    side_weights = (weight.unsqueeze(-1) + sides).softmax(dim=1)
    attention = torch.zeros_like(choice).scatter(1, likeliest.indices, weight.softmax(dim=1))
    return GroupBox((side_weights * candidates).sum(dim=1), attention)
