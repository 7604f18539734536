"""Durations in words."""

from __future__ import annotations

_UNITS = (
    ("year", 31_557_600),
    ("day", 86_400),
    ("hour", 3600),
    ("minute", 60),
)


def in_words(duration_s: float) -> str:
    """Say how long something lasts, in the largest unit that fits twice.

    Args:
        duration_s: The duration in seconds.

    Returns:
        For example ``5 hours``; below ten seconds with one decimal.
    """
    for unit, size_s in _UNITS:
        if duration_s >= 2 * size_s:
            return f"{duration_s / size_s:,.0f} {unit}s"
    number = f"{duration_s:.0f}" if duration_s >= 10 else f"{duration_s:.1f}"
    return f"{number.removesuffix('.0')} second{'' if number == '1.0' else 's'}"
