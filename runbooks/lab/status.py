"""What ``lab status`` and ``lab traffic report`` show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runbooks.xfrm.stat import parse_xfrm_stat
from runbooks.xfrm.text import parse_state_text

if TYPE_CHECKING:
    from runbooks.lab.client import LabClient

_READ = (
    "cat /proc/sys/kernel/random/boot_id; echo; "
    "cat /proc/net/xfrm_stat; echo; ip -s xfrm state"
)


def read_status(client: LabClient) -> list[dict[str, Any]]:
    """Read every node: boot ID, agent, SPIs, counters that are not zero.

    Raises:
        LabError: The lab does not answer.
    """
    rows = []
    for name, node in client.ask("status").items():
        row: dict[str, Any] = {"name": name, **node, "boot_id": None, "spis": []}
        if node["kernel"]:
            text = client.run(name, ["sh", "-c", _READ]).stdout
            boot_id, counters, states = text.split("\n\n", 2)
            row["boot_id"] = boot_id
            row["spis"] = sorted(
                {s.spi for s in parse_state_text(states) if s.direction}
            )
            dropped = parse_xfrm_stat(counters + "\n")
            row["counters"] = {name: count for name, count in dropped.items() if count}
        rows.append(row)
    return rows


def render_status(rows: list[dict[str, Any]]) -> str:
    """The rows as a person reads them."""
    lines = []
    for row in rows:
        agent = row["agent"]
        state = "ready" if agent["ready"] else "down"
        lines += [
            f"{row['name']}  {row['ip']}  boot {row['boot_id']}",
            f"  agent {state}, restarts {agent.get('restarts', 0)}, "
            f"SPI {', '.join(map(str, row['spis'])) or 'none'}",
            f"  on the wire: {row['wire']['esp']} ESP packets, "
            f"{row['wire']['plain']} plain ones from pods",
        ]
        lines += [f"  {k} {v}" for k, v in row.get("counters", {}).items()]
    return "\n".join(lines)


def read_traffic(client: LabClient) -> list[dict[str, Any]]:
    """What every pair sent and received since the traffic began, in packets.

    Receivers are asked before senders, so that what is on its way counts as
    lost at worst, and nothing as received before it was sent.

    Raises:
        LabError: The lab does not answer.
    """
    received_first = client.ask("traffic", action="report")
    sent_then = client.ask("traffic", action="report")
    lab = client.lab
    rows = []
    for source in lab.nodes:
        for destination in lab.nodes:
            if source == destination:
                continue
            mine, theirs = sent_then[source.name], received_first[destination.name]
            arrived = theirs["received"].get(source.pod_ip, {})
            sent = mine["sent"].get(destination.pod_ip, 0)
            received = arrived.get("packets", 0)
            rows.append(
                {
                    "source": source.name,
                    "destination": destination.name,
                    "sent": sent,
                    "received": received,
                    "lost": sent - received,
                    "twice": arrived.get("twice", 0),
                }
            )
    return rows


def render_traffic(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    columns = ("source", "destination", "sent", "received", "lost")
    lines = ["  ".join(f"{c.upper():>11}" for c in columns)]
    lines += ["  ".join(f"{row[c]:>11}" for c in columns) for row in rows]
    return "\n".join(lines)
