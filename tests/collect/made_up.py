"""A made-up cluster of any size, as its API and its agents' pods show it.

Its pods answer in the words of the scripts that run there, which are tested by
themselves: a thousand nodes are too many for a thousand processes.
"""

import dataclasses

import numpy as np
from kubernetes import client

from runbooks.collect.agent_exec import AgentExec, Answer, ExecError
from runbooks.collect.api import AbsentError
from runbooks.collect.cluster import ClusterReader
from runbooks.collect.node_files import NodeFile
from runbooks.collect.pod import script
from runbooks.xfrm.compact import IN, OUT, ROW, CompactStates
from tests.xfrm.compact_text import compact_text

MADE_S = 1767322000
NOW_S = MADE_S + 90_000.0
SPI = 3


@dataclasses.dataclass
class Node:
    """One node; ``change`` is called with its rows, before they are looked at."""

    number: int
    counters: dict = dataclasses.field(default_factory=dict)
    #: By how much counters rise between two looks.
    rising: dict = dataclasses.field(default_factory=dict)
    change: object = None
    error: Exception | None = None
    ahead_s: float = 0.0
    garbled: bool = False

    @property
    def name(self):
        return f"n{self.number}"

    @property
    def address(self):
        return f"10.{self.number >> 8}.{self.number & 255}.10"


class MadeUpCluster:
    """A full mesh under one SPI; also stands in for the API."""

    settings = client.Configuration()

    def __init__(self, size, cluster_id="0"):
        self.nodes = {f"n{i}": Node(i) for i in range(1, size + 1)}
        self.addresses = tuple(node.address for node in self.nodes.values())
        self.cluster_id = cluster_id
        #: (node, script, sample), in the order asked.
        self.asked = []
        #: Bytes that each node gave, by script.
        self.moved = {}

    # The API's objects.

    def agents(self, _namespace):
        return [_pod(name) for name in self.nodes]

    def cilium_nodes(self):
        return [
            {
                "metadata": {"name": node.name},
                "spec": {
                    "addresses": [{"type": "CiliumInternalIP", "ip": node.address}]
                },
            }
            for node in self.nodes.values()
        ]

    def nodes_(self):
        return []

    def config_map(self, _namespace):
        return {"data": {"enable-ipsec": "true", "cluster-id": self.cluster_id}}

    def daemonset(self, _namespace):
        return {}

    def secret(self, _namespace):
        raise AbsentError("There is none.")

    # The nodes.

    def reader(self, monkeypatch):
        """Reads this cluster."""

        def ask(_, pod, text, arguments, limit_s):
            assert limit_s > 0
            return self.ask(pod.removeprefix("cilium-"), text, arguments)

        monkeypatch.setattr(AgentExec, "ask", ask)
        api = type("Api", (), {})()
        for call in (
            "agents",
            "cilium_nodes",
            "config_map",
            "daemonset",
            "secret",
        ):
            setattr(api, call, getattr(self, call))
        api.nodes, api.settings = self.nodes_, self.settings
        return ClusterReader(api)

    def ask(self, name, text, arguments):
        kind = {script("brief"): "brief", script("compact"): "compact"}[text]
        self.asked.append((name, kind, arguments[0]))
        node = self.nodes[name]
        if node.error is not None:
            raise node.error
        states = self.states(node)
        if kind == "brief":
            files = {"xfrm-brief": brief_text(states)}
        else:
            asked_for = set(arguments[1].split())
            files = {"xfrm-compact": compact_text(_only(states, asked_for))}
        if node.garbled and kind == "brief":
            files = {"xfrm-brief": "garbled"}
        for counter, step in node.rising.items():
            node.counters[counter] = node.counters.get(counter, 0) + step
        files["date"] = f"{NOW_S + node.ahead_s:.9f}\n"
        files["cat--proc-net-xfrm_stat"] = "".join(
            f"{counter}\t{count}\n" for counter, count in node.counters.items() if count
        )
        if arguments[0] == "first" and not any(arguments[1:]):
            files["cat--proc-sys-kernel-random-boot_id"] = f"{node.number:036}\n"
            files["cilium-dbg-version"] = "Client: 1.18.0\nDaemon: 1.18.0\n"
            files["cilium-dbg-encrypt-status--o-json"] = '{"ipsec":{"keys-in-use":1}}\n'
        moved = sum(len(f"@@ file {k}\n") * 2 + len(t) + 14 for k, t in files.items())
        self.moved.setdefault(kind, {}).setdefault(name, []).append(moved)
        return Answer({kind: NodeFile(text) for kind, text in files.items()}, {})

    def states(self, node):
        """A node's states in columns."""
        others = np.delete(np.arange(len(self.nodes)), node.number - 1)
        rows = np.zeros(2 * len(others), dtype=ROW)
        inbound, outbound = rows[: len(others)], rows[len(others) :]
        inbound["source"] = outbound["destination"] = others
        inbound["destination"] = outbound["source"] = node.number - 1
        inbound["direction"], outbound["direction"] = IN, OUT
        inbound["seq"] = outbound["oseq"] = 5000
        rows["node_id"] = np.tile(others + 1, 2)
        # Both ends of a pair in one direction have one key.
        ends = rows["source"].astype("u8") << np.uint64(20) | rows["destination"]
        rows["key"] = ends + np.uint64(1 << 60)
        rows["spi"], rows["esn"], rows["window"] = SPI, 1, 1024
        rows["packets"], rows["added_s"], rows["used_s"] = 5000, MADE_S, MADE_S + 60
        rows["added_s"] += int(node.ahead_s)
        if node.change is not None:
            rows = node.change(rows)
        return CompactStates(self.addresses, rows)

    def position(self, name):
        """A node's position in the addresses."""
        return self.nodes[name].number - 1


def towards(rows, peer, direction=None):
    """Which rows are for a peer, given by its position."""
    theirs = (rows["source"] == peer) | (rows["destination"] == peer)
    return theirs if direction is None else theirs & (rows["direction"] == direction)


def _only(states, addresses):
    kept = {i for i, ip in enumerate(states.addresses) if ip in addresses}
    rows = states.rows
    if addresses:
        rows = rows[
            np.isin(rows["source"], list(kept))
            | np.isin(rows["destination"], list(kept))
        ]
    used, position = np.unique(
        np.concatenate([rows["source"], rows["destination"]]), return_inverse=True
    )
    rows = rows.copy()
    rows["source"], rows["destination"] = np.split(position, 2)
    return CompactStates(tuple(states.addresses[i] for i in used), rows)


def brief_text(states):
    """The same sums as those of ``brief.awk``."""
    rows = states.rows
    failing = rows["window_errors"] | rows["replay_errors"] | rows["failed"]
    lines = []
    for spi in np.unique(rows["spi"]).tolist():
        of_spi = rows["spi"] == spi
        for direction, name in ((IN, "in"), (OUT, "out")):
            chosen = of_spi & (rows["direction"] == direction)
            these = rows[chosen]
            if not len(these):
                continue
            number = these["seq" if direction == IN else "oseq"]
            errors = (these["window_errors"], these["replay_errors"], these["failed"])
            lines.append(
                f"+ {spi} {name} {len(these)} {these['esn'].sum()} "
                f"{(failing[chosen] > 0).sum()} "
                f"{' '.join(str(e.sum()) for e in errors)} "
                f"{number.sum()} {number.max()}"
            )
        ages, counts = np.unique(rows["added_s"][of_spi], return_counts=True)
        for age, count in zip(ages[::-1][:5], counts[::-1][:5], strict=True):
            lines.append(f"* {spi} {age} {age} {count}")
    return "\n".join([*lines, f"~ {len(rows)} {states.others}", ""])


def _pod(node):
    return {
        "metadata": {
            "name": f"cilium-{node}",
            "namespace": "kube-system",
            "labels": {"k8s-app": "cilium"},
        },
        "spec": {"nodeName": node, "containers": [{"name": "cilium-agent"}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"name": "cilium-agent", "ready": True, "state": {"running": {}}}
            ],
        },
    }


HANGS = ExecError("no answer within 30 s from its agent")
