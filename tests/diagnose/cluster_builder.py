"""Clusters as plain data, and what can happen to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from runbooks.snapshot import (
    AgentFacts,
    CiliumNodeFacts,
    ClusterFacts,
    NodeSnapshot,
    Samples,
    SecretFacts,
    Snapshot,
    StoreFacts,
)
from runbooks.xfrm.model import Direction, Mark, XfrmPolicy, XfrmState, XfrmTemplate

DAY = 86_400
NOW = 1_800_000_000
KVSTORE = {"enable-ipsec": "true", "identity-allocation-mode": "kvstore"}
CRD = {"enable-ipsec": "true", "identity-allocation-mode": "crd"}

Where = tuple[str, str, str, int, Direction]  # node, source, destination, SPI, way


@dataclass
class Cluster:
    """A cluster that the tests change and then read."""

    names: list[str]
    states: dict[Where, XfrmState]
    ips: dict[str, list[str]]
    config: dict[str, str] = field(default_factory=lambda: dict(KVSTORE))
    agents: dict[str, AgentFacts] = field(default_factory=dict)
    created_s: dict[str, float] = field(default_factory=dict)
    node_created_s: dict[str, float] = field(default_factory=dict)
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    with_objects: bool = True
    foreign: dict[str, list[XfrmState]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    clock_ahead_s: dict[str, int] = field(default_factory=dict)
    read_at: dict[str, float] = field(default_factory=dict)
    cilium_ips: int = 1
    policies: dict[str, list[XfrmPolicy]] = field(default_factory=dict)
    secret: SecretFacts | None = None
    store: StoreFacts | None = None
    announced: dict[str, int] = field(default_factory=dict)
    boot_ids: dict[str, str] = field(default_factory=dict)
    cilium_host: dict[str, list[str]] = field(default_factory=dict)
    announced_ips: dict[str, list[str]] = field(default_factory=dict)
    announced_boot_ids: dict[str, str] = field(default_factory=dict)

    def tunnels(self, source: str, destination: str, spi: int | None = None):
        """Keys of both states of every tunnel of a pair."""
        for node, src, dst, number, way in list(self.states):
            if (
                node == source
                and way is Direction.OUT
                and dst in self.ips[destination]
                and spi in {None, number}
            ):
                yield (
                    (source, src, dst, number, Direction.OUT),
                    (destination, src, dst, number, Direction.IN),
                )

    def change(self, where: Where, **fields: object) -> None:
        self.states[where] = replace(self.states[where], **fields)

    def send(self, source: str, destination: str, packets: int) -> None:
        """Packets that arrive: both ends count."""
        for out, into in self.tunnels(source, destination):
            self.change(
                out,
                oseq=self.states[out].oseq + packets,
                packets=self.states[out].packets + packets,
            )
            self.change(
                into,
                seq=self.states[out].oseq,
                packets=self.states[into].packets + packets,
            )

    def lose(
        self, source: str, destination: str, packets: int, dropped_as: str
    ) -> None:
        """Packets that the receiver drops on its state."""
        for out, into in self.tunnels(source, destination):
            self.change(out, oseq=self.states[out].oseq + packets)
            total = getattr(self.states[into], dropped_as) or 0
            self.change(into, **{dropped_as: total + packets})

    def renew(self, node: str, peer: str, made_s: int, node_id: int = 0x7777) -> None:
        """A node forgets a peer and makes its states for it anew."""
        for where in [w for w in self.states if w[0] == node]:
            _, src, dst, spi, way = where
            if dst in self.ips[peer] or src in self.ips[peer]:
                self.change(
                    where,
                    mark=_mark(way, spi, node_id),
                    seq=0,
                    oseq=0,
                    packets=0,
                    bytes=0,
                    integrity_errors=0,
                    replay_errors=0,
                    added_s=made_s,
                    used_s=None,
                )

    def break_node(self, name: str, made_s: int = NOW - 600) -> Cluster:
        """All peers forget a node and learn it again; it keeps its states."""
        for peer in self.names:
            if peer != name:
                self.renew(peer, name, made_s)
        return self

    def rotate(self, spi: int, made_s: int) -> None:
        """Every node makes states under a new key beside the old ones."""
        for (node, src, dst, old, way), state in list(self.states.items()):
            where = (node, src, dst, spi, way)
            if old == spi or where in self.states:
                continue
            self.states[where] = replace(
                state,
                spi=spi,
                mark=_mark(way, spi, state.mark.node_id),
                key_hash=_key(src, dst, spi),
                seq=0,
                oseq=0,
                packets=0,
                added_s=made_s,
                integrity_errors=0,
                replay_errors=0,
            )

    def remove(self, node: str, *, peer: str, way: Direction | None = None) -> None:
        for where in list(self.states):
            owner, src, dst, _, direction = where
            theirs = src in self.ips[peer] or dst in self.ips[peer]
            if owner == node and theirs and way in {None, direction}:
                del self.states[where]

    def snapshot(self) -> Snapshot:
        nodes = {}
        for name in self.names:
            ahead = self.clock_ahead_s.get(name, 0)
            states = tuple(
                replace(state, added_s=state.added_s + ahead)
                for where, state in self.states.items()
                if where[0] == name
            ) + tuple(self.foreign.get(name, ()))
            read_s = self.read_at.get(name)
            nodes[name] = NodeSnapshot(
                name,
                states=None if name in self.unread else states,
                counters=self.counters.get(name, {"XfrmInStateProtoError": 0}),
                policies=tuple(self.policies[name]) if name in self.policies else None,
                boot_id=self.boot_ids.get(name),
                cilium_internal_ips=tuple(self.cilium_host.get(name, ())),
                agent=self.agents.get(name, AgentFacts(version="1.18.0")),
                read_s=read_s,
                clock_s=None if read_s is None else read_s + ahead,
            )
        return Snapshot(nodes, self._facts())

    def _facts(self) -> ClusterFacts:
        if not self.with_objects:
            return ClusterFacts()
        return ClusterFacts(
            config=self.config,
            cilium_nodes={
                name: CiliumNodeFacts(
                    name,
                    created_s=self.created_s.get(name, NOW - 30 * DAY),
                    node_created_s=self.node_created_s.get(name, NOW - 30 * DAY),
                    encryption_key=self.announced.get(name),
                    boot_id=self.announced_boot_ids.get(name, self.boot_ids.get(name)),
                    cilium_internal_ips=tuple(
                        self.announced_ips.get(name, self.ips[name])[: self.cilium_ips]
                    ),
                    internal_ips=tuple(self.ips[name][self.cilium_ips :]),
                )
                for name in self.names
            },
            secret=self.secret,
            store=self.store,
        )

    def make_policies(self) -> Cluster:
        """The policies that agents make: one per tunnel, the rest, and the block."""
        anywhere = ("::/0", "0.0.0.0/0")
        for name in self.names:
            rest = XfrmTemplate("0.0.0.0", "0.0.0.0", 0, 0, optional=True)
            self.policies[name] = [
                XfrmPolicy(a, a, Direction.OUT, "block", 100, Mark(0xE00, 0xF00))
                for a in anywhere
            ] + [XfrmPolicy(anywhere[1], anywhere[1], Direction.IN, templates=(rest,))]
        for (node, src, dst, spi, way), state in self.states.items():
            if way is Direction.OUT:
                template = XfrmTemplate(src, dst, spi, 1)
                self.policies[node].append(
                    XfrmPolicy(
                        "0.0.0.0/0",
                        "10.244.7.0/24",
                        Direction.OUT,
                        mark=state.mark,
                        templates=(template,),
                    )
                )
        return self

    def reclaim(self, node: str, spi: int) -> None:
        """A node removes everything under an old SPI."""
        for where in [w for w in self.states if w[0] == node and w[3] == spi]:
            del self.states[where]

    def once(self) -> Samples:
        return Samples(self.snapshot())

    def twice(self, between=lambda: None) -> Samples:
        """Two samples, something happening in between; the second without keys."""
        for name in self.names:
            self.read_at.setdefault(name, float(NOW))
        first = self.snapshot()
        between()
        second = self.snapshot()
        return Samples(
            first,
            Snapshot(
                {
                    node.name: replace(
                        node,
                        states=None
                        if node.states is None
                        else tuple(replace(s, key_hash=None) for s in node.states),
                    )
                    for node in second.nodes.values()
                }
            ),
        )


def make_cluster(
    size: int = 3,
    *,
    tunnel: bool = False,
    ipv6: bool = False,
    dual: bool = False,
    esn: bool = True,
    window: int = 1024,
    packets: int = 3000,
    spi: int = 3,
    made_s: int = NOW - DAY,
) -> Cluster:
    """A healthy cluster in which every pair has exchanged packets."""
    names = [f"node{i}" for i in range(1, size + 1)]
    families = (False, True) if dual else (ipv6,)
    ips = {
        name: [_ip(i, v6, own=False) for v6 in families]
        + [_ip(i, v6, own=True) for v6 in families]
        for i, name in enumerate(names, 1)
    }
    kinds = len(families) * (2 if tunnel else 1)
    states: dict[Where, XfrmState] = {}
    for a, name in enumerate(names):
        for b, peer in enumerate(names):
            for kind in range(kinds) if a != b else ():
                own, other = ips[name][kind], ips[peer][kind]
                for way, src, dst in (
                    (Direction.OUT, own, other),
                    (Direction.IN, other, own),
                ):
                    states[name, src, dst, spi, way] = XfrmState(
                        source=src,
                        destination=dst,
                        spi=spi,
                        reqid=1,
                        mark=_mark(way, spi, 0x1000 + 16 * a + b),
                        key_hash=_key(src, dst, spi),
                        algorithm="rfc4106(gcm(aes))",
                        esn=esn,
                        replay_window=window,
                        seq=packets if way is Direction.IN and window else 0,
                        oseq=packets if way is Direction.OUT else 0,
                        packets=packets,
                        added_s=made_s + a,
                        integrity_errors=0,
                        replay_errors=0,
                        replay_window_errors=0,
                    )
    return Cluster(names, states, ips, cilium_ips=len(families))


def _ip(number: int, ipv6: bool, *, own: bool) -> str:
    """A node's own address, or its CiliumInternalIP."""
    if ipv6:
        return f"fd09::{number}" if own else f"fd00::{number}:5"
    network = "192.168" if own else "10"
    first, second = number // 250, number % 250
    return f"{network}.{first}.{second}" + ("" if own else ".5")


def _mark(way: Direction, spi: int, node_id: int) -> Mark:
    if way is Direction.IN:
        return Mark(node_id << 16 | 0x0D00, 0xFFFF0F00)
    return Mark(node_id << 16 | spi << 12 | 0x0E00, 0xFFFFFF00)


def _key(source: str, destination: str, spi: int) -> str:
    return f"key of {source} {destination} {spi}"
