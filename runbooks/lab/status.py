"""What ``lab status`` and ``lab traffic report`` show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runbooks.lab.plan import LabError
from runbooks.xfrm.stat import parse_xfrm_stat
from runbooks.xfrm.text import parse_state_text

if TYPE_CHECKING:
    from runbooks.lab.client import LabClient

_READ = (
    "cat /proc/sys/kernel/random/boot_id; echo; "
    "cat /proc/net/xfrm_stat; echo; ip -s xfrm state"
)


@dataclass(frozen=True, slots=True)
class LabStatus:
    """How a lab fares.

    Attributes:
        nodes: A row for each node, ready for JSON.
        etcd: Whether etcd runs; ``None`` where there is none.
    """

    nodes: list[dict[str, Any]]
    etcd: bool | None

    @property
    def whole(self) -> bool:
        """Whether everything runs."""
        nodes_run = all(row["answers"] and row["agent"]["ready"] for row in self.nodes)
        return nodes_run and self.etcd is not False


def read_status(client: LabClient) -> LabStatus:
    """Read every node: boot ID, agent, SPIs, counters that are not zero.

    Raises:
        LabError: The lab does not answer.
    """
    rows = []
    answer = client.ask("status")
    for name, node in answer["nodes"].items():
        row: dict[str, Any] = {"name": name, **node, "boot_id": None, "spis": []}
        if node["answers"]:
            text = client.run(name, ["sh", "-c", _READ]).stdout
            boot_id, counters, states = text.split("\n\n", 2)
            row["boot_id"] = boot_id
            row["spis"] = sorted(
                {s.spi for s in parse_state_text(states) if s.direction}
            )
            dropped = parse_xfrm_stat(counters + "\n")
            row["counters"] = {name: count for name, count in dropped.items() if count}
        rows.append(row)
    return LabStatus(rows, answer["etcd"])


def render_status(status: LabStatus) -> str:
    """A lab's status as a person reads it."""
    lines = [] if status.etcd is None else [f"etcd {'up' if status.etcd else 'down'}"]
    for row in status.nodes:
        if not row["answers"]:
            kernel = "does not answer" if row["kernel"] else "down"
            lines.append(f"{row['name']}  {row['ip']}  kernel {kernel}")
            continue
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

    Returns:
        A row for each pair; ``families`` has the same numbers for each IP family.

    Raises:
        LabError: The lab does not answer, or a node's kernel is down.
    """
    received_first = client.ask("traffic", action="report")
    sent_then = client.ask("traffic", action="report")
    lab = client.lab
    for node in lab.nodes:
        if node.name not in received_first or node.name not in sent_then:
            raise LabError(
                f"the kernel of {node.name} is down, and its packets are not counted; "
                f"bring it back: ipsec-runbooks lab up --name {lab.name}"
            )
    rows = []
    for source in lab.nodes:
        for destination in lab.nodes:
            if source == destination:
                continue
            mine, theirs = sent_then[source.name], received_first[destination.name]
            ends = zip(lab.pod_ips(source), lab.pod_ips(destination), strict=True)
            families = {
                name: _count(mine["sent"].get(to, 0), theirs["received"].get(by, {}))
                for name, (by, to) in zip(_FAMILIES, ends, strict=False)
            }
            row: dict[str, Any] = {
                "source": source.name,
                "destination": destination.name,
            }
            for number in _NUMBERS:
                row[number] = sum(family[number] for family in families.values())
            rows.append(row | {"families": families})
    return rows


_FAMILIES = ("ipv4", "ipv6")
_NUMBERS = ("sent", "received", "lost", "twice")


def _count(sent: int, arrived: dict[str, int]) -> dict[str, int]:
    received = arrived.get("packets", 0)
    lost, twice = sent - received, arrived.get("twice", 0)
    return dict(zip(_NUMBERS, (sent, received, lost, twice), strict=True))


def render_traffic(rows: list[dict[str, Any]]) -> str:
    """The rows as a table, with a line for each IP family where there are two."""
    columns = ["source", "destination", "sent", "received", "lost"]
    if any(len(row["families"]) > 1 for row in rows):
        columns.insert(2, "family")
    lines = ["  ".join(f"{c.upper():>11}" for c in columns)]
    for row in rows:
        for family, numbers in row["families"].items():
            cells = row | numbers | {"family": family}
            lines.append("  ".join(f"{cells[c]:>11}" for c in columns))
    return "\n".join(lines)
