"""Runs in a kernel with ESP, as root: a lab on that kernel; prints what it saw."""

from __future__ import annotations

import json
import sys

from runbooks.lab import launch
from runbooks.lab.breaks import Situation, make
from runbooks.lab.client import LabClient
from runbooks.lab.heal import heal
from runbooks.lab.plan import Lab
from runbooks.lab.status import read_status, read_traffic


def say(line: str) -> None:
    print(line, file=sys.stderr)


def seen(client: LabClient) -> dict:
    return {row["name"]: row for row in read_status(client).nodes}


def main() -> None:
    """Bring a lab up, use it, break it, heal it, take it down."""
    launch.up(Lab("host", 2, nodes_on="host"), say)
    client = LabClient("host")
    ping = ["ping", "-c3", "-i0.2", "-W2", client.lab.node("node2").pod_ip]
    found = {"up": seen(client), "ping": client.run("node1", ping, pod=True).status}
    make("kvstore-lease-expired", Situation(client, "node2", say))
    found["stale ping"] = client.run("node1", ping, pod=True).status
    found["stale"] = seen(client)
    heal(client, say)
    found["healed ping"] = client.run("node1", ping, pod=True).status
    client.ask("node", node="node1", action="reboot")
    found["rebooted"] = seen(client)
    found["traffic"] = read_traffic(client)
    launch.down("host")
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    main()
