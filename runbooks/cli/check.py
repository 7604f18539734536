"""``ipsec-runbooks check``."""


def check() -> None:
    """Not there yet."""
    raise NotImplementedError
