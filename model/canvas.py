"""The size at which photos are augmented."""

_WORKING_RATIO = 1.25


def working_side(image_size: int) -> int:
    """Longest side, in pixels, of the copy of a photo that is augmented.

    Photos are first shrunk to it, keeping their aspect ratio: the network never sees more detail
    than its canvas has, and every later step then costs the same for photos of all sizes.
    """
    return round(image_size * _WORKING_RATIO)
