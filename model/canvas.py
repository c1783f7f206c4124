"""Sizes that photos have on their way to the network."""

_WORKING_RATIO = 1.25


def working_side(image_size: int) -> int:
    """Longest side, in pixels, of the photo the geometric and colour steps work on.

    Photos are first shrunk to it, keeping their shape: the network never sees more detail than its
    canvas, and every step after that costs the same for a phone photo and a thumbnail.
    """
    return round(image_size * _WORKING_RATIO)
