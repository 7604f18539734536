"""Durations as Go writes them, such as ``5m0s``."""

from __future__ import annotations

import re

UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)")


def parse_duration_s(text: str) -> float:
    """Read a Go duration.

    Args:
        text: For example ``5m``, ``1h30m0s``, ``0``.

    Returns:
        Seconds.

    Raises:
        ValueError: If it isn't a duration.
    """
    if text == "0":
        return 0.0
    parts = list(PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 5m0s")
    return sum(float(part[1]) * UNITS_S[part[2]] for part in parts)
