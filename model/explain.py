"""Why the detector answers as it does: Grad-CAM for the class and for each side of the box.

Grad-CAM (Selvaraju et al. 2017): the channels of the last convolutional map, weighted by how much
each of them moves one output, summed over channels. For a class only what speaks *for* it counts
(ReLU); for a side of the box both directions do (absolute value), since a side has no "more".
"""

import numpy as np
import torch
from torch import Tensor

from model.images import LoadedImage
from model.predict import Detector

TARGETS = ("class", "left", "top", "right", "bottom")


def grad_cam(detector: Detector, photo: LoadedImage) -> dict[str, np.ndarray]:
    """Heat maps of all :data:`TARGETS`: float32 ``(S / 32, S / 32)`` in 0..1 over the whole photo.

    The gradients stop at ``layer4``, so this costs little more than one prediction.
    """
    model = detector.model
    images = detector.preprocess(photo.image).unsqueeze(0).to(detector.device)
    with torch.no_grad():
        layer3, layer4 = model.backbone(images.contiguous(memory_format=torch.channels_last))
    layer4.requires_grad_()
    with torch.enable_grad():
        logits, box, cells = model.head(layer3, layer4)
        if cells is not None:
            # What predicts is a median, which listens to one cell; the average it stands for
            # listens to all of them and has useful gradients.
            box = (cells["boxes"] * cells["side_attention"]).sum(-1)
        outputs = [logits[0].max(), *box[0]]
        maps = [_cam(output, layer4) for output in outputs]
    maps = [maps[0].clamp(min=0), *(m.abs() for m in maps[1:])]
    return {
        name: _stretched(m).cpu().numpy().astype(np.float32)
        for name, m in zip(TARGETS, maps, strict=True)
    }


def _cam(output: Tensor, features: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(output, features, retain_graph=True)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * features).sum(dim=1)[0].detach()


def _stretched(heat: Tensor) -> Tensor:
    low, high = heat.min(), heat.max()
    return (heat - low) / (high - low) if high > low else torch.zeros_like(heat)
