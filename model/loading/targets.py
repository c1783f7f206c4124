"""The annotated objects of a batch, in the form that losses and metrics take."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Targets(NamedTuple):
    """Annotated objects of a batch, padded to the same number K.

    Attributes:
        labels: ``(N, K)`` int64, -1 where there is no object.
        boxes: ``(N, K, 4)`` float32 ``xyxy`` in pixels of the canvas; the largest object first.
    """

    labels: Tensor
    boxes: Tensor


def pad_targets(targets: Sequence[dict[str, Tensor]]) -> Targets:
    """Targets as torchvision's detection models take them -> one tensor each.

    Args:
        targets: one dict per image: ``boxes`` ``(K, 4)`` and ``labels`` ``(K,)`` int64, the largest
            object first; K = 0 for an image without objects.
    """
    count = max(1, *(len(target["labels"]) for target in targets))
    labels = [F.pad(t["labels"], (0, count - len(t["labels"])), value=-1) for t in targets]
    boxes = [F.pad(t["boxes"], (0, 0, 0, count - len(t["boxes"]))) for t in targets]
    return Targets(torch.stack(labels), torch.stack(boxes))
