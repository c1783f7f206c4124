"""The network: ResNet-34 without its last two layers, and a head with 20 + 4 outputs.

There are two heads. ``pyramid`` is the detector's: cells of three strides predict, and a group of
cells that agree gives the box. ``flatten`` is the tutorial's: a linear layer over all 25,088
features of the 7 x 7 map, with four sigmoids for the box.
"""

from collections.abc import Sequence

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from model.boxes import clip_boxes
from model.classes import VOC_CLASSES
from model.errors import UserError
from model.network.backbone import ResNet34Backbone
from model.network.flatten_head import FlattenHead
from model.network.outputs import DetectorOutput
from model.network.pyramid_head import PyramidHead

HEADS = ("pyramid", "flatten")


class LargestObjectDetector(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="largest-object-detector",
    tags=["object-detection", "pascal-voc"],
    license="apache-2.0",
):
    """Photo -> logits of all classes and the box of the largest object.

    Args:
        class_names: the C classes; position = class id.
        image_size: side S of the square canvas, a multiple of 32.
        head: ``"pyramid"`` or ``"flatten"``.
        backbone_weights: ``"imagenet"`` (torchvision's official ones, downloaded once), ``"none"``,
            or the path of a safetensors file.

    Raises:
        UserError: for an invalid image size or head, or weights that do not fit.
    """

    def __init__(
        self,
        class_names: Sequence[str] = VOC_CLASSES,
        image_size: int = 224,
        head: str = "pyramid",
        backbone_weights: str = "none",
    ) -> None:
        super().__init__()
        if image_size < 64 or image_size % 32:
            raise UserError(f"image_size must be a multiple of 32, at least 64, not {image_size}.")
        if head not in HEADS:
            raise UserError(f"head must be one of {', '.join(HEADS)}, not {head!r}.")
        if isinstance(self._hub_mixin_config, dict):
            # A model loaded from the Hub has its own weights: download no ImageNet ones for it.
            self._hub_mixin_config["backbone_weights"] = "none"
        self.class_names, self.image_size, self.head_name = tuple(class_names), image_size, head
        self._frozen: list[nn.Module] = []
        self.backbone = ResNet34Backbone(backbone_weights)
        count = len(self.class_names)
        self.head = FlattenHead(count, image_size) if head == "flatten" else PyramidHead(count)

    def freeze(self, part: str, batch_norm: bool = False) -> None:
        """Stop ``"stem"`` (conv1 to layer1) or ``"all"`` of the backbone from learning.

        Frozen batch-norm layers also keep their statistics: they stay in ``eval()`` mode. With
        ``batch_norm`` all other ones keep their statistics too, but still learn scale and bias.
        """
        b = self.backbone
        parts: dict[str, list] = {"none": [], "stem": [b.conv1, b.bn1, b.layer1], "all": [b]}
        self._frozen = parts[part]
        for module in self._frozen:
            module.requires_grad_(False)
        if batch_norm:
            norms = [m for m in self.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
            self._frozen = [*self._frozen, *norms]

    def train(self, mode: bool = True) -> "LargestObjectDetector":
        """As ``nn.Module.train``, but frozen parts stay in ``eval()`` mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, images: Tensor) -> DetectorOutput:
        """``(N, 3, S, S)`` float, normalised -> :class:`model.network.outputs.DetectorOutput`.

        Boxes are in pixels of ``images``, whose side may differ from ``image_size`` (not with the
        flatten head). In ``eval()`` mode the predicted box is upright and within the image.
        """
        output = self.head(self.backbone(images))
        if self.training:
            return output
        low, high = output.boxes[:, :2], output.boxes[:, 2:]
        upright = torch.cat([torch.minimum(low, high), torch.maximum(low, high)], dim=1)
        return output._replace(boxes=clip_boxes(upright, (images.shape[-2], images.shape[-1])))
