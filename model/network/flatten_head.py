"""The tutorial's head."""

from torch import nn

from model.network.backbone import Features
from model.network.outputs import DetectorOutput


class FlattenHead(nn.Module):
    """Flatten, 25,088 -> 256 -> outputs, box by sigmoid (fast.ai 2018).

    Args:
        num_classes: C.
        image_size: side S of the canvas in pixels, which fixes the size of the first layer.
    """

    class_layers = ("layers.7",)  # layers whose outputs are the classes

    def __init__(self, num_classes: int, image_size: int) -> None:
        super().__init__()
        features = 512 * (image_size // 32) ** 2
        self.layers = nn.Sequential(
            nn.Flatten(), nn.ReLU(), nn.Dropout(0.5), nn.Linear(features, 256), nn.ReLU(),
            nn.BatchNorm1d(256), nn.Dropout(0.5), nn.Linear(256, num_classes + 4),
        )  # fmt: skip
        self.num_classes, self.image_size = num_classes, image_size

    def forward(self, features: Features) -> DetectorOutput:
        """Features -> prediction, without cells."""
        outputs = self.layers(features.layer4).float()
        logits, corners = outputs[:, : self.num_classes], outputs[:, self.num_classes :]
        return DetectorOutput(logits, corners.sigmoid() * self.image_size, None)
