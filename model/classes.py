"""The classes of PASCAL VOC, and limits for the classes of other data sets."""

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
"""The 20 classes of PASCAL VOC, alphabetical; the position is the class id."""

_SHOWN = {"diningtable": "dining table", "pottedplant": "potted plant", "tvmonitor": "tv monitor"}


def shown_name(class_name: str) -> str:
    """The name of a class for display: three VOC names are spelt as words, others do not change.

    Files, checkpoints and the API keep the names of the data set.

    Example:
        >>> shown_name("pottedplant"), shown_name("cat"), shown_name("Paprika_01")
        ('potted plant', 'cat', 'Paprika_01')
    """
    return _SHOWN.get(class_name, class_name)


MAX_CLASSES = 1000  # of a user's data set
MAX_NAME_LENGTH = 100  # of a photo, a class or a split, in characters
