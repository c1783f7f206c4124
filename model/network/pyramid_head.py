"""The detector's head: a feature pyramid, whose best group of cells gives the box."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.network.backbone import Features
from model.network.grouping import read_group
from model.network.outputs import Cells, DetectorOutput

STRIDES = (8, 16, 32)
CHANNELS = (128, 256, 512)  # of layer2, layer3, layer4
SIDE_UNIT = 4.0  # unit, in strides, of a cell's predicted distances to the sides
PHOTO_DROPOUT = 0.5  # of the features for the class, which overfit easily
PRIOR = 0.01  # initial class score of every cell (as in RetinaNet, Lin et al. 2017)


class SharedBlock(nn.Module):
    """A 3 x 3 convolution shared by all levels, a batch norm per level, and ReLU.

    Features of different strides have different statistics, but an edge or a wheel looks the same
    on every level.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in STRIDES)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Features ``(N, width, rows, columns)`` of each level -> the same shapes."""
        pairs = zip(self.norms, levels, strict=True)
        return [F.relu(norm(self.convolution(level))) for norm, level in pairs]


class PyramidHead(nn.Module):
    """Cells of strides 8, 16 and 32, with separate branches for class and box.

    The levels are merged from coarse to fine as in FPN (Lin et al. 2017), and each gets the pooled
    features of the whole photo. Every cell predicts class logits whose sigmoid also rates its box
    (as in VarifocalNet, Zhang et al. 2021), four distances from its centre to the sides of a box
    (as in FCOS, Tian et al. 2019), and how likely it shows the *largest* object: a learned value
    plus the weighted logs of its best class score and of its box area. The softmax of that over all
    cells is their ``choice``. :func:`model.network.grouping.read_group` computes the box; the class
    comes from the features of the chosen cells and of the whole photo, and from the class scores of
    the chosen cells.

    Args:
        num_classes: C.
        width: channels of every level.
        dropout: rate before the last layers of both branches.
    """

    class_layers = ("predict_class", "photo_class")  # layers whose outputs are the classes

    def __init__(self, num_classes: int, width: int = 128, dropout: float = 0.2) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in CHANNELS)
        self.context = nn.Linear(CHANNELS[-1], width)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in STRIDES)
        self.smooth = SharedBlock(width)
        self.class_branch = nn.Sequential(SharedBlock(width), SharedBlock(width))
        self.box_branch = nn.Sequential(SharedBlock(width), SharedBlock(width))
        self.dropout = nn.Dropout2d(dropout)
        self.predict_class = small_start(nn.Conv2d(width, num_classes, 1), PRIOR)
        self.predict_box = small_start(nn.Conv2d(width, 9, 1))  # 4 distances, 1 choice, 4 sides
        self.level_scale = nn.Parameter(torch.ones(len(STRIDES)))
        self.choice_scale = nn.Parameter(torch.tensor(4.0))
        self.score_weight = nn.Parameter(torch.tensor(1.0))
        self.area_weight = nn.Parameter(torch.tensor(1.0))
        self.pooled_weight = nn.Parameter(torch.tensor(1.0))
        last = nn.Linear(CHANNELS[-1] + width, num_classes)
        self.photo_class = nn.Sequential(nn.Dropout(PHOTO_DROPOUT), last)

    def forward(self, features: Features) -> DetectorOutput:
        """Features of ``(N, 3, S, S)`` images -> prediction and cells, float32."""
        whole_photo = features.layer4.mean(dim=(2, 3))
        levels = self.smooth(self.pyramid(features, whole_photo))
        class_levels, box_levels = self.class_branch(levels), self.box_branch(levels)
        logits = flatten_levels([self.predict_class(self.dropout(x)) for x in class_levels])
        box_values = [self.predict_box(self.dropout(x)).float() for x in box_levels]
        boxes, centers = self.boxes([x[:, :4] for x in box_values])
        others = flatten_levels([x[:, 4:] for x in box_values])
        choice = self.choose(others[..., 0], logits, boxes)
        group = read_group(boxes, choice, others[..., 1:])
        chosen = (flatten_levels(class_levels) * choice.unsqueeze(-1)).sum(dim=1)
        photo_logits = self.photo_class(torch.cat([whole_photo.float(), chosen], dim=1)).float()
        photo_logits = photo_logits + self.pooled_weight * pooled_scores(logits, choice)
        shapes = tuple((x.shape[-2], x.shape[-1]) for x in levels)
        cells = Cells(logits, boxes, choice, group.attention, centers, shapes)
        return DetectorOutput(photo_logits, group.boxes, cells)

    def pyramid(self, features: Features, whole_photo: Tensor) -> list[Tensor]:
        """Levels of equal width, each with the coarser ones and the whole photo added to it."""
        context = self.context(whole_photo)[..., None, None]
        levels: list[Tensor] = []
        for lateral, feature in zip(reversed(self.lateral), reversed(features), strict=True):
            level = lateral(feature)
            if levels:
                level = level + F.interpolate(levels[0], size=level.shape[-2:], mode="nearest")
            levels.insert(0, level)
        pairs = zip(self.norms, levels, strict=True)
        return [F.relu(norm(level + context)) for norm, level in pairs]

    def boxes(self, distances: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Boxes ``(N, P, 4)`` and cell centres ``(P, 2)`` in pixels of the canvas.

        Args:
            distances: of each level, ``(N, 4, rows, columns)``: left, top, right, bottom before
                the softplus that keeps boxes from turning inside out.
        """
        boxes, centers = [], []
        for level, stride, scale in zip(distances, STRIDES, self.level_scale, strict=True):
            middle = cell_centers(level.shape[-2], level.shape[-1], stride, level.device)
            sides = F.softplus(level.flatten(2).transpose(1, 2)) * (SIDE_UNIT * stride * scale)
            boxes.append(torch.cat([middle - sides[..., :2], middle + sides[..., 2:]], dim=-1))
            centers.append(middle)
        return torch.cat(boxes, dim=1), torch.cat(centers)

    def choose(self, value: Tensor, logits: Tensor, boxes: Tensor) -> Tensor:
        """``(N, P)``: how likely each cell shows the largest object; a softmax over cells."""
        score = F.logsigmoid(logits).amax(dim=-1)
        area = (boxes[..., 2:] - boxes[..., :2]).prod(dim=-1).clamp(min=1.0).log()
        weighted = self.choice_scale * value + self.score_weight * score + self.area_weight * area
        return weighted.softmax(dim=-1)


def pooled_scores(logits: Tensor, choice: Tensor) -> Tensor:
    """Log of the mean class scores of the cells, weighted by ``choice``: ``(N, C)``.

    Args:
        logits: of the cells, ``(N, P, C)``.
        choice: ``(N, P)``, summing to 1.
    """
    scores = (logits.sigmoid() * choice.unsqueeze(-1)).sum(dim=1)
    return (scores + 1e-3).log()  # never minus infinity


def flatten_levels(levels: list[Tensor]) -> Tensor:
    """``(N, K, rows, columns)`` of each level -> ``(N, P, K)`` float32, level by level."""
    return torch.cat([level.flatten(2).transpose(1, 2) for level in levels], dim=1).float()


def cell_centers(
    rows: int, columns: int, stride: int, device: torch.device | None = None
) -> Tensor:
    """``(rows * columns, 2)``: x and y of the cell centres in pixels, row by row.

    Example:
        >>> cell_centers(1, 2, 8).tolist()
        [[4.0, 4.0], [12.0, 4.0]]
    """
    x = (torch.arange(columns, device=device) + 0.5) * stride
    y = (torch.arange(rows, device=device) + 0.5) * stride
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x.flatten(), grid_y.flatten()], dim=1)


def small_start(layer: nn.Conv2d, prior: float = 0.5) -> nn.Conv2d:
    """Initialise a last layer so that its outputs start near the log-odds of ``prior``."""
    assert layer.bias is not None
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, math.log(prior / (1 - prior)))
    return layer
