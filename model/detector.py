"""The network: a torchvision ResNet-34 without its last two layers, and a head of 20 + 4 outputs.

Three heads. ``flatten`` is the tutorial's: all 25,088 features of the 7 x 7 map into one linear
layer, four sigmoids for the box. ``grid`` keeps geometry until the very end: every cell of a finer
map proposes a class and a box relative to where it stands, and a softmax over the cells - one for
the class, one for each side of the box - decides which cells are listened to. ``decoupled`` is
``grid`` with layers of their own for class and box.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from huggingface_hub import PyTorchModelHubMixin
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import ResNet34_Weights, resnet34

from model.boxes import clip_boxes
from model.errors import UserError
from model.voc import VOC_CLASSES

HEADS = ("decoupled", "grid", "flatten")
ATTENTION_SCALE = (
    4.0  # without it the softmaxes stay flat for epochs: a third of all cells is heard
)


class ResNet34Backbone(nn.Module):
    """torchvision's ResNet-34 up to ``layer4``; its tensor names are kept.

    Input ``(N, 3, S, S)`` normalised; output ``layer3`` ``(N, 256, S/16, S/16)`` and ``layer4``
    ``(N, 512, S/32, S/32)``.
    """

    def __init__(self, weights: str = "imagenet") -> None:
        super().__init__()
        net = resnet34(weights=ResNet34_Weights.IMAGENET1K_V1 if weights == "imagenet" else None)
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3 = net.layer1, net.layer2, net.layer3
        self.layer4 = net.layer4
        if weights not in ("imagenet", "none"):
            load_backbone_file(self, Path(weights))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        layer3 = self.layer3(self.layer2(self.layer1(features)))
        return layer3, self.layer4(layer3)


def load_backbone_file(backbone: nn.Module, path: Path) -> None:
    """Load a safetensors file with torchvision's ``resnet34`` tensor names; ``fc.*`` is ignored.

    Raises:
        UserError: if it is missing, broken, or of another network.
    """
    if not path.is_file():
        raise UserError(
            f"backbone weights {path} do not exist."
            " Give 'imagenet', 'none', or the path of a safetensors file."
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a safetensors file ({error}).") from None
    tensors = {name: t.float() for name, t in tensors.items() if not name.startswith("fc.")}
    expected = {name: t.shape for name, t in backbone.state_dict().items()}
    given = {name: t.shape for name, t in tensors.items()}
    # Files converted from elsewhere often leave out the batch counters, which nothing reads.
    wrong = [n for n in expected if expected[n] != given.get(n) and "num_batches" not in n]
    if wrong or set(given) - set(expected):
        what = wrong[0] if wrong else sorted(set(given) - set(expected))[0]
        raise UserError(f"{path} does not fit torchvision's ResNet-34 (first misfit: {what}).")
    backbone.load_state_dict(tensors, strict=False)


class FlattenHead(nn.Module):
    """The tutorial's head (fast.ai 2018): flatten, 25088 -> 256 -> outputs, box by sigmoid."""

    def __init__(self, num_classes: int, image_size: int) -> None:
        super().__init__()
        features = 512 * (image_size // 32) ** 2
        self.layers = nn.Sequential(
            nn.Flatten(), nn.ReLU(), nn.Dropout(0.5), nn.Linear(features, 256), nn.ReLU(),
            nn.BatchNorm1d(256), nn.Dropout(0.5), nn.Linear(256, num_classes + 4),
        )  # fmt: skip
        self.num_classes = num_classes

    def forward(self, layer3: Tensor, layer4: Tensor) -> tuple[Tensor, Tensor, None]:
        """Logits ``(N, C)``, box ``(N, 4)`` in 0..1 of the canvas, no cells."""
        outputs = self.layers(layer4).float()
        return outputs[:, : self.num_classes], outputs[:, self.num_classes :].sigmoid(), None


class GridHead(nn.Module):
    """Cells propose, five softmaxes choose.

    ``layer4``, enlarged twice, and ``layer3`` meet at stride 16 (as in FPN, Lin et al. 2017). Each
    cell says a class, a box as four distances from its own centre (as in FCOS, Tian et al. 2019),
    how much it stands for the largest object, and how well it sees each of the four sides. The
    answer is the average over cells under those softmaxes (a soft-argmax, as in DSNT, Nibali et
    al. 2018), so a side can be read where it is seen, and nothing is flattened. In ``eval()`` each
    side is a weighted median instead of the average: cells weigh the square root of their softmax
    times the chance that they and the answer mean the same class.
    """

    def __init__(self, num_classes: int, width: int = 160, dropout: float = 0.2) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.from_layer3 = nn.Conv2d(256, width, 1)
        self.from_layer4 = nn.Conv2d(512, width, 1)
        self.build(width, dropout)

    def build(self, width: int, dropout: float) -> None:
        """Layers from the ``(N, width, S/16, S/16)`` features to what the cells say."""
        self.mix = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(),
            *conv_block(width), *conv_block(width), nn.Dropout2d(dropout),
        )  # fmt: skip
        self.predict = answering(width, self.num_classes + 9)

    def say(self, features: Tensor) -> Tensor:
        """``(N, C + 9, rows, columns)``: C logits, 4 distances, 1 choice, 4 sides seen."""
        return self.predict(self.mix(features))

    def forward(self, layer3: Tensor, layer4: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Logits ``(N, C)``, box ``(N, 4)`` in units of the canvas, and the cells' own answers."""
        coarse = nn.functional.interpolate(
            self.from_layer4(layer4), size=layer3.shape[-2:], mode="bilinear"
        )
        cells = self.say(self.from_layer3(layer3) + coarse).float()
        rows, columns = cells.shape[-2:]
        cells = cells.flatten(2)  # (N, C + 9, cells)
        logits, offsets, chosen, seen = cells.split([self.num_classes, 4, 1, 4], dim=1)
        boxes = cell_centers(rows, columns, cells.device).repeat(2, 1) + offsets
        attention = (ATTENTION_SCALE * chosen).softmax(-1)
        seen_sides = ATTENTION_SCALE * (chosen + seen)
        answer = (logits * attention).sum(-1)
        # The mean lets gradients reach the attention; the median is not drawn towards a second
        # object that part of the cells stand for, so more cells can be heard (the square root),
        # those that stand for another class less.
        if self.training:
            side_attention = seen_sides.softmax(-1)
            box = (boxes * side_attention).sum(-1)
        else:
            agrees = agreement(logits, answer)
            side_attention = ((seen_sides + agrees.unsqueeze(1)) / 2).softmax(-1)
            box = weighted_median(boxes, side_attention)
        said = {"logits": logits, "boxes": boxes, "attention": attention.squeeze(1)}
        return answer, box, said | {"side_attention": side_attention}


class DecoupledHead(GridHead):
    """The grid head with a layer of its own for the class and one for the box.

    What tells a cat from a dog is not where it ends (as in YOLOX, Ge et al. 2021).
    """

    def build(self, width: int, dropout: float) -> None:
        """See :meth:`GridHead.build`."""
        self.mix = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), *conv_block(width))
        self.say_class = nn.Sequential(
            *conv_block(width), nn.Dropout2d(dropout), answering(width, self.num_classes)
        )
        self.say_box = nn.Sequential(*conv_block(width), nn.Dropout2d(dropout), answering(width, 9))

    def say(self, features: Tensor) -> Tensor:
        """See :meth:`GridHead.say`."""
        mixed = self.mix(features)
        return torch.cat([self.say_class(mixed), self.say_box(mixed)], dim=1)


def conv_block(width: int) -> list[nn.Module]:
    """3 x 3 convolution, batch norm, ReLU."""
    convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(width), nn.ReLU()]


def answering(width: int, outputs: int) -> nn.Conv2d:
    """A last layer that begins by saying next to nothing."""
    layer = nn.Conv2d(width, outputs, 1)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer


def cell_centers(rows: int, columns: int, device: torch.device | None = None) -> Tensor:
    """``(2, rows * columns)``: x and y of the cell centres in units of the canvas, row by row."""
    x = (torch.arange(columns, device=device) + 0.5) / columns
    y = (torch.arange(rows, device=device) + 0.5) / rows
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x.flatten(), grid_y.flatten()])


def agreement(cell_logits: Tensor, logits: Tensor) -> Tensor:
    """``(N, P)``: log of the chance that a cell and the answer mean the same class.

    Args:
        cell_logits: ``(N, C, P)``, what each of P cells says.
        logits: ``(N, C)``, the answer.
    """
    both = cell_logits.log_softmax(1) + logits.log_softmax(1).unsqueeze(-1)
    return both.logsumexp(1)


def weighted_median(values: Tensor, weights: Tensor) -> Tensor:
    """Median along the last dimension, each value counting as much as its weight.

    Where the weights part evenly between two values, their middle: mirrored input then gives a
    mirrored answer.

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


class LargestObjectDetector(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="largest-object-detector",
    tags=["object-detection", "pascal-voc"],
    license="apache-2.0",
):
    """Photo -> scores of all classes and the box of the largest object.

    Args:
        class_names: the C classes; position = class id.
        image_size: side S of the square canvas, a multiple of 32.
        head: ``"decoupled"``, ``"grid"`` or ``"flatten"``.
        backbone_weights: ``"imagenet"`` (torchvision's official ones, downloaded once), ``"none"``,
            or the path of a safetensors file.
    """

    def __init__(
        self,
        class_names: Sequence[str] = VOC_CLASSES,
        image_size: int = 224,
        head: str = "decoupled",
        backbone_weights: str = "none",
    ) -> None:
        super().__init__()
        if image_size < 64 or image_size % 32:
            raise UserError(f"image_size must be a multiple of 32, at least 64, not {image_size}.")
        if head not in HEADS:
            raise UserError(f"head must be one of {', '.join(HEADS)}, not {head!r}.")
        if isinstance(self._hub_mixin_config, dict):
            # A trained model that is pushed to the Hub brings its own weights along.
            self._hub_mixin_config["backbone_weights"] = "none"
        self.class_names, self.image_size, self.head_name = tuple(class_names), image_size, head
        num_classes = len(self.class_names)
        self._frozen: list[nn.Module] = []
        self.backbone = ResNet34Backbone(backbone_weights)
        if head == "flatten":
            self.head = FlattenHead(num_classes, image_size)
        else:
            self.head = (DecoupledHead if head == "decoupled" else GridHead)(num_classes)

    def freeze(self, part: str) -> None:
        """Stop ``"stem"`` (conv1 to layer1) or ``"all"`` of the backbone from learning.

        Frozen batch-norm layers also keep their statistics: they stay in ``eval()`` mode.
        """
        b = self.backbone
        parts = {"none": [], "stem": [b.conv1, b.bn1, b.layer1], "all": [b]}
        self._frozen = parts[part]
        for module in self._frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> "LargestObjectDetector":
        """As ``nn.Module.train``, but frozen parts stay in ``eval()`` mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, images: Tensor, return_cells: bool = False) -> Tensor | tuple:
        """``(N, 3, S, S)`` float, normalised -> ``(N, C + 4)`` float32: logits, then the box.

        The box is ``xyxy`` in pixels of the S canvas; in ``eval()`` it is upright and inside it.
        With ``return_cells`` the answer is a pair: the outputs, and what each cell of the grid head
        said (boxes in units of the canvas; ``None`` for the flatten head).
        """
        logits, box, cells = self.head(*self.backbone(images))
        bbox_xyxy = box * self.image_size
        if not self.training:
            low, high = bbox_xyxy[:, :2], bbox_xyxy[:, 2:]
            bbox_xyxy = torch.cat([torch.minimum(low, high), torch.maximum(low, high)], dim=1)
            bbox_xyxy = clip_boxes(bbox_xyxy, (self.image_size, self.image_size))
        outputs = torch.cat([logits, bbox_xyxy], dim=1)
        return (outputs, cells) if return_cells else outputs


def split_outputs(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """``(N, C + 4)`` -> logits ``(N, C)`` and ``bbox_xyxy`` ``(N, 4)``."""
    return outputs[:, :-4], outputs[:, -4:]
