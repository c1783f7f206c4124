"""Numbers in sentences."""


def counted(count: int, one: str, many: str = "") -> str:
    """How many there are, in words; ``many`` where it is not ``one`` with an s.

    Example:
        >>> counted(1, "class", "classes"), counted(2000, "photo")
        ('1 class', '2,000 photos')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def readable_size(n_bytes: float) -> str:
    """A size for people: ``29.1 GB``."""
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.1f} MB"
