"""Why the detector predicts what it does: where the box was read from, what speaks for the class.

The box: the detector's own attention over the photo. The class: HiResCAM (Draelos and Carin 2020),
every value of the last convolutional map times how much it moves the logit of the predicted class,
summed over channels; only what speaks *for* the class counts (ReLU). Grad-CAM, which averages the
gradient over the map first, spreads more of its heat beside the object.
"""

import numpy as np
import torch

from model.data.images import LoadedImage
from model.errors import UserError
from model.inference import Detector
from model.onnx_network import OnnxNetwork

TARGETS = ("class", "box")


def explain(detector: Detector, photo: LoadedImage) -> dict[str, np.ndarray]:
    """Heat maps of :data:`TARGETS` over the whole photo, float32 ``(rows, columns)`` in 0..1.

    The gradients stop at ``layer4``, so this costs little more than one prediction. Heads without
    cells have no map of the box.

    Raises:
        UserError: for the network of an ONNX file.
    """
    model = detector.model
    if isinstance(model, OnnxNetwork):
        raise UserError("an ONNX file has no gradients: use the .safetensors checkpoint for this.")
    images = detector.preprocess(photo.image).unsqueeze(0).to(detector.device)
    with torch.no_grad(), detector.autocast():
        features = model.backbone(images.contiguous(memory_format=torch.channels_last))
    layer4 = features.layer4.requires_grad_()
    with torch.enable_grad(), detector.autocast():
        output = model.head(features._replace(layer4=layer4))
        (gradient,) = torch.autograd.grad(output.logits[0].max(), layer4)
    maps = {"class": (gradient * layer4).sum(dim=1)[0].clamp(min=0)}
    if output.cells:
        maps["box"] = output.cells.attention_map()[0]
    found = {}
    for name, heat in maps.items():
        low, high = heat.min(), heat.max()
        stretched = (heat - low) / (high - low) if high > low else torch.zeros_like(heat)
        found[name] = stretched.detach().float().cpu().numpy()
    return found
