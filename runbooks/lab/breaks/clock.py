"""When agents do what they do from time to time, by their nodes' own clocks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runbooks.lab.plan import LabError

if TYPE_CHECKING:
    from runbooks.lab.client import LabClient

#: A job that is due may still be at work for so long.
_WORK_S = 0.5


def until_next_s(client: LabClient, node: str, interval_s: float) -> float:
    """Seconds until a node's agent does a job that it does every so often.

    Args:
        client: The lab.
        node: The node.
        interval_s: How often it does it, counted from when it became ready.

    Raises:
        LabError: The node does not answer, or its agent is down.
    """
    ready_s = client.ask("status")["nodes"][node]["agent"].get("ready_s")
    if ready_s is None:
        raise LabError(
            f"the agent of {node} is down: ipsec-runbooks lab heal "
            f"--name {client.lab.name}"
        )
    now = client.run(node, ["date", "+%s.%N"])
    return interval_s - (float(now.stdout) - float(ready_s)) % interval_s


def wait_for_room(
    client: LabClient, node: str, interval_s: float, room_s: float
) -> None:
    """Wait for a moment after which a node's agent leaves a job be for a while.

    Args:
        client: The lab.
        node: The node.
        interval_s: How often its agent does the job.
        room_s: Seconds until it is to do it again, at least.

    Raises:
        LabError: The node does not answer, or its agent is down.
    """
    left_s = until_next_s(client, node, interval_s)
    if left_s < room_s:
        time.sleep(left_s + _WORK_S)
