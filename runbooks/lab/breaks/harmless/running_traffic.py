"""Lets traffic that runs take in nodes that were not there when it began."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.client import LabClient


def start_anew(client: LabClient, say: Callable[[str], None]) -> None:
    """Start traffic anew, on every pair, at the rate at which it runs; if it does.

    Raises:
        LabError: A node does not answer.
    """
    told = client.ask("traffic", action="report")
    if rate := max(node["rate"] for node in told.values()):
        client.ask("traffic", action="start", rate=rate)
        say("the traffic starts anew, its counts at zero")
