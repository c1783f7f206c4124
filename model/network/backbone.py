"""torchvision's ResNet-34 without its last two layers, the average pool and the classifier."""

from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import ResNet, ResNet34_Weights, resnet34

from model.errors import UserError


class Features(NamedTuple):
    """Feature maps of ``(N, 3, S, S)`` images.

    Attributes:
        layer2: ``(N, 128, S/8, S/8)``.
        layer3: ``(N, 256, S/16, S/16)``.
        layer4: ``(N, 512, S/32, S/32)``.
    """

    layer2: Tensor
    layer3: Tensor
    layer4: Tensor


class ResNet34Backbone(nn.Module):
    """torchvision's ResNet-34 up to ``layer4``; its tensor names are kept.

    Args:
        weights: ``"imagenet"`` (torchvision's official ones, downloaded once), ``"none"``, or the
            path of a safetensors file.

    Raises:
        UserError: if the weights cannot be downloaded or read, or do not fit.
    """

    def __init__(self, weights: str = "imagenet") -> None:
        super().__init__()
        net = _with_imagenet_weights() if weights == "imagenet" else resnet34(weights=None)
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3 = net.layer1, net.layer2, net.layer3
        self.layer4 = net.layer4
        if weights not in ("imagenet", "none"):
            load_backbone_file(self, Path(weights))

    def forward(self, images: Tensor) -> Features:
        """``(N, 3, S, S)`` float, normalised -> :class:`Features`."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        layer2 = self.layer2(self.layer1(stem))
        layer3 = self.layer3(layer2)
        return Features(layer2, layer3, self.layer4(layer3))


def _with_imagenet_weights() -> ResNet:
    official = ResNet34_Weights.IMAGENET1K_V1
    try:
        return resnet34(weights=official)
    # Network or proxy failure, interrupted download, full disk, damaged file in the cache.
    except (OSError, HTTPException, RuntimeError, EOFError, UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"torchvision's ImageNet weights cannot be had ({reason}). Put {official.url} into"
            f" {Path(torch.hub.get_dir()) / 'checkpoints'}, give a file of your own"
            " (--backbone-weights FILE), or go on from the shipped weights (--start-from shipped)."
        ) from None


def load_backbone_file(backbone: nn.Module, path: Path) -> None:
    """Load a safetensors file with torchvision's ``resnet34`` tensor names; ``fc.*`` is ignored.

    Raises:
        UserError: if the file is missing, broken, or for another network.
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
    # Converted files often lack the batch counters, which nothing reads.
    misfits = [n for n in expected if expected[n] != given.get(n) and "num_batches" not in n]
    misfits += sorted(set(given) - set(expected))
    if misfits:
        first = misfits[0]
        raise UserError(f"{path} does not fit torchvision's ResNet-34 (first misfit: {first}).")
    backbone.load_state_dict(tensors, strict=False)
