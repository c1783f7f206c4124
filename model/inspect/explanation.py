"""Heat maps that explain a prediction: the sources of the box, and the evidence for the class.

Box: the detector's own attention over the photo. Class: HiResCAM (Draelos and Carin 2020): the last
convolutional map times the gradient of the predicted class's logit, summed over channels; only
evidence *for* the class counts (ReLU). Grad-CAM, which first averages the gradient over the map,
spreads more heat outside the object.
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

    Gradients stop at ``layer4``, so this costs little more than one prediction. Heads without cells
    have no map for the box.

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
    scaled = {}
    for name, heat in maps.items():
        low, high = heat.min(), heat.max()
        heat = (heat - low) / (high - low) if high > low else torch.zeros_like(heat)
        scaled[name] = heat.detach().float().cpu().numpy()
    return scaled
