"""The head of the first shipped weights; new ones are trained with :mod:`model.pyramid_head`."""

import torch
from torch import Tensor, nn

from model.backbone import Features
from model.outputs import Cells, DetectorOutput
from model.pyramid_head import cell_centers, small_start

STRIDE = 16
ATTENTION_SCALE = 4.0  # without it the softmaxes stay flat for epochs


class DecoupledHead(nn.Module):
    """Cells of one stride, layers of their own for class and box, five softmaxes that choose.

    ``layer4``, enlarged twice, and ``layer3`` meet at stride 16. Each cell predicts a class, a box
    as four offsets from its centre in units of the canvas, how much it stands for the largest
    object, and how well it sees each side. The class is their average under the softmax of the
    choice. In ``train()`` mode so is each side; in ``eval()`` mode it is a weighted median, which
    is not drawn towards a second object, of cells weighed by the square root of their softmax times
    the chance that they and the whole photo's prediction are of one class.
    """

    def __init__(self, num_classes: int, width: int = 160, dropout: float = 0.2) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.from_layer3 = nn.Conv2d(256, width, 1)
        self.from_layer4 = nn.Conv2d(512, width, 1)
        self.mix = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), *conv_block(width))
        # The names are those of the shipped weights.
        self.say_class, self.say_box = (
            nn.Sequential(
                *conv_block(width),
                nn.Dropout2d(dropout),
                small_start(nn.Conv2d(width, outputs, 1)),
            )
            for outputs in (num_classes, 9)
        )

    def forward(self, features: Features) -> DetectorOutput:
        """Features of ``(N, 3, S, S)`` images -> prediction and cells, float32."""
        layer3 = self.from_layer3(features.layer3)
        rows, columns = layer3.shape[-2:]
        layer4 = nn.functional.interpolate(
            self.from_layer4(features.layer4), size=(rows, columns), mode="bilinear"
        )
        mixed = self.mix(layer3 + layer4)
        cell_logits = self.say_class(mixed).float().flatten(2)  # (N, C, P)
        offsets, chosen, seen = self.say_box(mixed).float().flatten(2).split([4, 1, 4], dim=1)
        centers = cell_centers(rows, columns, STRIDE, layer3.device)
        canvas = torch.tensor([columns, rows], device=layer3.device) * float(STRIDE)
        boxes = (centers.T.repeat(2, 1) + offsets * canvas.repeat(2)[:, None]).float()  # (N, 4, P)
        choice = (ATTENTION_SCALE * chosen).softmax(-1)
        side_logits = ATTENTION_SCALE * (chosen + seen)
        logits = (cell_logits * choice).sum(-1)
        if self.training:
            side_weights = side_logits.softmax(-1)
            box = (boxes * side_weights).sum(-1)
        else:
            agrees = agreement(cell_logits, logits)
            side_weights = ((side_logits + agrees.unsqueeze(1)) / 2).softmax(-1)
            box = weighted_median(boxes, side_weights)
        cells = Cells(
            cell_logits.transpose(1, 2), boxes.transpose(1, 2), choice.squeeze(1),
            side_weights.mean(dim=1), centers, ((rows, columns),),
        )  # fmt: skip
        return DetectorOutput(logits, box, cells)


def conv_block(width: int) -> list[nn.Module]:
    """3 x 3 convolution, batch norm, ReLU."""
    convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(width), nn.ReLU()]


def agreement(cell_logits: Tensor, logits: Tensor) -> Tensor:
    """``(N, P)``: log of the chance that a cell and the whole photo are of one class.

    Args:
        cell_logits: ``(N, C, P)``, predicted by each of P cells.
        logits: ``(N, C)``, predicted for the whole photo.
    """
    both = cell_logits.log_softmax(1) + logits.log_softmax(1).unsqueeze(-1)
    return both.logsumexp(1)


def weighted_median(values: Tensor, weights: Tensor) -> Tensor:
    """Median along the last dimension, each value counting as much as its weight.

    Where the weights part evenly between two values, their middle: mirrored input then gives a
    mirrored box.

    Args:
        values: ``(..., P)``.
        weights: ``(..., P)``, summing to 1.

    Returns:
        ``(...)``.
    """
    ordered, order = values.sort(dim=-1)
    below = weights.gather(-1, order).cumsum(dim=-1)
    last = values.shape[-1] - 1
    low, high = (
        (below < half).sum(-1, keepdim=True).clamp(max=last) for half in (0.5 - 1e-4, 0.5 + 1e-4)
    )
    return ((ordered.gather(-1, low) + ordered.gather(-1, high)) / 2).squeeze(-1)
