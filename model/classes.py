"""The one list of PASCAL VOC's classes, and what other data sets may bring instead."""

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
"""The 20 classes of PASCAL VOC, alphabetical; the position is the class id."""

MAX_CLASSES = 1000  # of a data set of one's own
MAX_NAME_LENGTH = 100  # of a photo, a class or a split, in characters
