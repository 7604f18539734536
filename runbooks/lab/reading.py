"""Reads XFRM states of a lab's nodes, for the lab's own steps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runbooks.lab.plan import LabError
from runbooks.xfrm.text import parse_state_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.lab.client import LabClient
    from runbooks.xfrm.model import XfrmState


def read_states(client: LabClient, node: str) -> list[XfrmState]:
    """A node's states that are Cilium's.

    Raises:
        LabError: The node does not answer.
    """
    result = client.run(node, ["ip", "-s", "xfrm", "state"])
    if result.status:
        raise LabError(f"{node}: ip xfrm state failed: {result.stderr.strip()}")
    return [s for s in parse_state_text(result.stdout) if s.direction]


def wait_until(
    condition: Callable[[], bool], complaint: str, limit_s: float = 60.0
) -> None:
    """Wait for a condition.

    Reading a node's states takes a good part of a core. So the longer it lasts, the
    less often the condition is looked at: it is noticed a tenth of the time late.

    Raises:
        LabError: It did not hold within the limit; the text is the complaint.
    """
    start = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - start
        if waited_s > limit_s:
            raise LabError(f"{complaint} (waited {limit_s:g} s)")
        time.sleep(max(0.2, waited_s / 10))
