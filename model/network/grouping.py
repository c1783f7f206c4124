"""From many boxes to one: the group of cells that agree, never a blend of two objects.

The mean box over all cells of a photo with two sheep would lie between them. So the box with the
most support among the likeliest cells is found first (the mode instead of the mean), and only cells
whose boxes overlap it count.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from model.boxes import pairwise_iou

CANDIDATES = 96  # the likeliest cells of an image; the weight of all others is negligible
SAME_OBJECT_IOU = 0.4  # IoU above which two boxes belong to the same object
CHOICE_POWER = 0.5  # the square root lets more cells of the group count


class GroupBox(NamedTuple):
    """``boxes`` ``(N, 4)``, and the weight of each cell: ``attention`` ``(N, P)``, summing to 1."""

    boxes: Tensor
    attention: Tensor


def read_group(boxes: Tensor, choice: Tensor, side_logits: Tensor) -> GroupBox:
    """The box of the group of cells with the most support.

    A cell supports every box that overlaps its own with an IoU above :data:`SAME_OBJECT_IOU`, with
    the weight of its ``choice``. The cells that agree with the best supported box are the group.
    Each of the four sides is then the average over the group under its own softmax, so that a side
    is read from the cells that see it.

    Selecting the group is not differentiable; gradients flow to its boxes, choice and side logits.

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
        # An empty box has IoU 0 even with itself; every cell must agree with its own box.
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
