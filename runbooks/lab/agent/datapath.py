"""The part that eBPF plays in Cilium: which packet gets which mark.

Towards a peer's pods a packet gets ``<node ID><SPI>e00``; an ESP packet from a
peer gets ``<node ID>0d00``. What is not encrypted has nowhere to go. Where the
packets are seen depends on how they travel::

    native          pod | mark, ESP                           | wire
    tunnel          pod |            VXLAN device | mark, ESP | wire
    legacy tunnel   pod | mark, ESP | VXLAN device, no mark   | wire

With native routing, and in the tunnel of versions without the encrypted overlay,
routes to other nodes' pods exist only for packets marked for encryption. With the
overlay a packet gets its mark on its way into the VXLAN device, after the routes:
not itself but the VXLAN packet around it, of IPv4 in any case, is encrypted.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.lab.agent.routes import NativeRoutes, TunnelRoutes
from runbooks.lab.agent.shapes import Peer, inbound_mark, outbound_mark

if TYPE_CHECKING:
    from pyroute2.iproute.linux import IPRoute

    from runbooks.lab.agent.config import AgentConfig
    from runbooks.lab.agent.nodes import Family
    from runbooks.lab.agent.routes import Routes

_INGRESS = 0xFFFFFFF2
_EGRESS = 0xFFFFFFF3
_ESP = 50
_CLASS = 0x10000
_ANY_PACKET = "0x0/0x0+0"
#: The mark of encryption without a node and an SPI.
_NOBODY = 0xE00
_NO_MARK = 0
_MAX_KEY_ID = 15
_WORD = 0xFFFFFFFF


def sending_spi(own: int, peer: int) -> int:
    """The SPI to send with: the older of both ends', the wrap minded.

    Both ends can decrypt the older one; key IDs are at most one apart, and 1
    follows 15 (bpf/lib/encrypt.h, ``get_min_encrypt_key``).
    """
    if peer == _MAX_KEY_ID:
        return peer if own == 1 else own
    if own == _MAX_KEY_ID:
        return own if peer == 1 else peer
    return min(own, peer)


@dataclass(frozen=True, slots=True)
class _Hook:
    """Where on a device filters look at packets.

    Attributes:
        device: Its index.
        parent: On the way in, or out.
    """

    device: int
    parent: int


@dataclass(frozen=True, slots=True)
class _Header:
    """Where in the IP header of a family what filters look at is.

    Attributes:
        protocol: The family's EtherType.
        next: Offset of the number of the protocol inside, in bytes, as the rest.
        source: Offset of the source address.
        destination: Offset of the destination address.
        priority: Added to the priorities of a family's filters: one priority is
            for one protocol.
    """

    protocol: int
    next: int
    source: int
    destination: int
    priority: int


_HEADERS = {
    4: _Header(0x0800, next=9, source=12, destination=16, priority=0),
    6: _Header(0x86DD, next=6, source=8, destination=24, priority=0x2000),
}
#: Behind every filter that is for a peer.
_LAST = 0x4000


class Datapath:
    """Marks and routes of one node.

    A peer's filters have priorities made from its node's address and the SPI, or
    the address that its packets come from, so that a new filter is there before
    the old one goes: no packet is ever without a mark.

    Args:
        config: The agent's configuration.
        ipr: An open rtnetlink socket.
    """

    def __init__(self, config: AgentConfig, ipr: IPRoute) -> None:
        self._ipr = ipr
        self._versions = (4, 6) if config.ipv6 else (4,)
        native = ipr.link_lookup(ifname=config.native_device)[0]
        pod = ipr.link_lookup(ifname=config.pod_device)[0]
        self._routes: Routes
        #: Packets that get into a tunnel, and their marks there.
        self._way_in: _Hook | None = None
        self._overlay = config.overlay
        if config.datapath == "native":
            self._routes = NativeRoutes(ipr, native)
            self._inbound, self._outbound = (
                _Hook(native, _INGRESS),
                _Hook(pod, _INGRESS),
            )
        else:
            tunnel = TunnelRoutes(
                ipr, config.node_ip, native, marked_only=not self._overlay
            )
            self._routes, self._way_in = tunnel, _Hook(tunnel.device, _EGRESS)
            if self._overlay:
                self._inbound, self._outbound = _Hook(native, _INGRESS), self._way_in
            else:
                self._inbound = _Hook(tunnel.device, _INGRESS)
                self._outbound = _Hook(pod, _INGRESS)
        # Filters outlive the agent, as Cilium's pinned programs do.
        hooks = {self._inbound, self._outbound, self._way_in or self._outbound}
        self._there = {
            hook: {
                message["info"] >> 16
                for message in ipr.get_filters(index=hook.device, parent=hook.parent)
            }
            for hook in hooks
        }

    def ensure_base(self) -> None:
        """What there is before any peer is known."""
        for version in self._versions:
            self._routes.ensure_base(version)
            if self._way_in is None:
                continue
            header = _HEADERS[version]
            if not self._overlay:
                # What is encrypted must not be taken for what is to be.
                esp = [_byte(_ESP, header.next)]
                self._ensure_mark(self._way_in, version, _LAST, esp, _NO_MARK)
            # To nobody that is known: the default-drop policy stops it.
            self._ensure_mark(self._way_in, version, _LAST + 1, [_ANY_PACKET], _NOBODY)

    def ensure_peer(self, peer: Peer, spi: int) -> None:
        """Send to a peer with an SPI, and know its packets.

        Args:
            peer: The peer.
            spi: SPI to send with.
        """
        for family in self._families(peer):
            header = _HEADERS[family.version]
            sender = family.node_ip if self._overlay else family.cilium_ip
            known_by = _priority(peer, _slot(sender))
            self._routes.ensure_peer(family, peer.node.node_ip)
            self._ensure_mark(
                self._inbound,
                family.version,
                known_by,
                [_byte(_ESP, header.next), *_prefix(sender, header.source)],
                inbound_mark(peer.node_id),
            )
            self._ensure_mark(
                self._outbound,
                family.version,
                _priority(peer, spi),
                _prefix(family.pod_cidr, header.destination),
                outbound_mark(peer.node_id, spi),
            )
            for hook, keep in (
                (self._inbound, known_by),
                (self._outbound, _priority(peer, spi)),
            ):
                self._drop_marks(hook, family.version, peer, keep=keep)

    def forget(self, peer: Peer) -> None:
        """Send to a peer no more, and know it no more."""
        for family in self._families(peer):
            for hook in (self._inbound, self._outbound):
                self._drop_marks(hook, family.version, peer, keep=None)
            self._routes.forget(family)
        self._routes.forget_node(peer.node.node_ip)

    def _families(self, peer: Peer) -> list[Family]:
        return [f for f in peer.node.families if f.version in self._versions]

    def _ensure_mark(
        self, hook: _Hook, version: int, priority: int, keys: list[str], mark: int
    ) -> None:
        header = _HEADERS[version]
        priority += header.priority
        if priority in self._there[hook]:
            return
        self._ipr.tc(
            "add-filter",
            "u32",
            index=hook.device,
            parent=hook.parent,
            protocol=header.protocol,
            prio=priority,
            target=_CLASS,
            keys=keys,
            action={"kind": "skbedit", "mark": mark},
        )
        self._there[hook].add(priority)

    def _drop_marks(
        self, hook: _Hook, version: int, peer: Peer, keep: int | None
    ) -> None:
        header = _HEADERS[version]
        first = _priority(peer, 0) + header.priority
        kept = None if keep is None else keep + header.priority
        of_peer = {p for p in self._there[hook] if p >> 4 == first >> 4}
        for priority in of_peer - {kept}:
            self._ipr.tc(
                "del-filter",
                "u32",
                index=hook.device,
                parent=hook.parent,
                protocol=header.protocol,
                prio=priority,
                target=_CLASS,
            )
            self._there[hook].discard(priority)


def _priority(peer: Peer, slot: int) -> int:
    """A filter priority of the peer's own, in one of 16 slots."""
    host = int(ipaddress.ip_address(peer.node.node_ip)) & 0xFF
    # 0 is no priority, so count from 1.
    return (host + 1) << 4 | slot


def _slot(address: str) -> int:
    """A slot that is another one when a node comes back with another address."""
    return int(ipaddress.ip_address(address)) % 13


def _byte(value: int, offset: int) -> str:
    """What u32 has to find in one byte of the IP header."""
    return f"{value:#x}/0xff+{offset}"


def _prefix(text: str, offset: int) -> list[str]:
    """What u32 has to find where an address is: a prefix, or all of an address."""
    network = ipaddress.ip_network(text)
    address, mask = int(network.network_address), int(network.netmask)
    words = range(network.max_prefixlen - 32, -1, -32)
    return [
        f"{address >> shift & _WORD:#x}/{mask >> shift & _WORD:#x}+{offset + 4 * i}"
        for i, shift in enumerate(words)
        if mask >> shift & _WORD
    ]
