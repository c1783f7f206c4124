"""A copy of a trained network for faster inference; it predicts the same up to rounding."""

import copy
import itertools

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.network.detector import LargestObjectDetector


def inference_copy(model: LargestObjectDetector, bf16: bool) -> LargestObjectDetector:
    """A copy in ``eval()`` mode, channels-last in memory.

    Args:
        model: float32, in any mode; not changed.
        bf16: whether the copy will run under autocast to bf16. Its weights are then stored in
            bf16, which saves the conversion in every pass. Otherwise batch norm is folded into the
            convolutions; in bf16 that would round their weights once more.
    """
    ready = copy.deepcopy(model).eval()
    if bf16:
        store_weights_in_bf16(ready)
    else:
        fold_batch_norm(ready)
    return ready.to(memory_format=torch.channels_last)


def store_weights_in_bf16(model: nn.Module) -> None:
    """Convert the layers that autocast computes in bf16.

    The same values are multiplied, but the order of summation depends on the processor and on the
    memory layout of the weights, so results agree to bf16 precision, not to the bit.
    """
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.to(torch.bfloat16)


def fold_batch_norm(model: nn.Module) -> None:
    """Fold each batch norm into the convolution right before it.

    A convolution that several norms share (:class:`model.network.pyramid_head.SharedBlock`) stays.
    """
    for module in list(model.modules()):
        children = list(module.named_children())
        for (name, first), (after, second) in itertools.pairwise(children):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())
