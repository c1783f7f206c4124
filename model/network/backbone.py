"""ResNet-34 without its last two layers, the average pool and the classifier.

The layers and their names are torchvision's, and a test compares both. It is not imported for them:
that takes as long as importing PyTorch, each time a program starts.
"""

from http.client import HTTPException
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from model.errors import UserError

BLOCKS = (3, 4, 6, 3)  # of a stage
WIDTHS = (64, 128, 256, 512)


class Features(NamedTuple):
    """What the backbone sees of ``(N, 3, S, S)`` images.

    Attributes:
        layer2: ``(N, 128, S/8, S/8)``.
        layer3: ``(N, 256, S/16, S/16)``.
        layer4: ``(N, 512, S/32, S/32)``.
    """

    layer2: Tensor
    layer3: Tensor
    layer4: Tensor


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut.

    Args:
        n_in, n_out: channels.
        stride: of the first convolution, and of the shortcut.
    """

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or n_in != n_out:
            projection = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, n_in, H, W)`` -> ``(N, n_out, H / stride, W / stride)``."""
        shortcut = self.downsample(x) if self.downsample else x
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + shortcut)


class ResNet34Backbone(nn.Module):
    """ResNet-34 up to ``layer4``; its tensors are called as in torchvision's.

    Args:
        weights: ``"imagenet"`` (torchvision's official ones, downloaded once), ``"none"``, or the
            path of a safetensors file.

    Raises:
        UserError: if the weights cannot be had, or do not fit.
    """

    def __init__(self, weights: str = "imagenet") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1, self.layer2, self.layer3, self.layer4 = map(_stage, range(len(BLOCKS)))
        for module in self.modules():
            # PyTorch imports its compiler, for a second, to fill what has no memory.
            if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if weights == "imagenet":
            self.load_state_dict(_imagenet_weights())
        elif weights != "none":
            load_backbone_file(self, Path(weights))

    def forward(self, images: Tensor) -> Features:
        """``(N, 3, S, S)`` float, normalised -> :class:`Features`."""
        stem = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        layer2 = self.layer2(self.layer1(stem))
        layer3 = self.layer3(layer2)
        return Features(layer2, layer3, self.layer4(layer3))


def _stage(number: int) -> nn.Sequential:
    width = WIDTHS[number]
    first = BasicBlock(WIDTHS[max(0, number - 1)], width, 2 if number else 1)
    return nn.Sequential(first, *(BasicBlock(width, width, 1) for _ in range(BLOCKS[number] - 1)))


def _imagenet_weights() -> dict[str, Tensor]:
    from torchvision.models import ResNet34_Weights

    official = ResNet34_Weights.IMAGENET1K_V1
    try:
        tensors = official.get_state_dict(progress=True, check_hash=True)
        return {name: t for name, t in tensors.items() if not name.startswith("fc.")}
    # No network, a proxy's refusal, a download cut short, a full disk, a damaged file in the cache.
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
