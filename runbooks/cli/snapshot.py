"""``ipsec-runbooks snapshot``."""


def snapshot() -> None:
    """Not there yet."""
    raise NotImplementedError
