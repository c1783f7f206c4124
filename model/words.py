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


def percent(share: float) -> str:
    """A share for people: more digits the smaller it is.

    Example:
        >>> percent(0.412), percent(0.0162), percent(0.0001), percent(0)
        ('41 %', '1.6 %', 'under 0.1 %', '0 %')
    """
    if 0 < abs(share) < 0.0005:
        return "under 0.1 %"
    digits = 0 if abs(share) >= 0.0995 or share == 0 else 1
    return f"{100 * share:.{digits}f} %".replace(".0 %", " %")
