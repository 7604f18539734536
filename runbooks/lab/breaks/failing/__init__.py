"""Failures other than stale states."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbooks.lab.breaks.condition import Break

FAILING: Mapping[str, Break] = {}
