"""The part that eBPF plays in Cilium: which packet gets which mark.

Towards a peer's pods a packet gets ``<node ID><SPI>e00``; an ESP packet from a
peer gets ``<node ID>0d00``. With native routing, routes to other nodes' pods exist
only for packets marked for encryption, so what is not encrypted has nowhere to go.
In tunnel mode a packet gets its mark on its way into the VXLAN device, after the
routes: not itself but the VXLAN packet around it is encrypted.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.lab.agent.ipsec import Peer, inbound_mark, outbound_mark
from runbooks.lab.agent.routes import NativeRoutes, TunnelRoutes

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from runbooks.lab.agent.config import AgentConfig
    from runbooks.lab.agent.routes import Routes

_INGRESS = 0xFFFFFFF2
_EGRESS = 0xFFFFFFF3
_ESP = 50
_ETH_P_IP = 0x0800
_CLASS = 0x10000
_LAST = 0xFFFF
_ANY_PACKET = "0x0/0x0+0"
#: The mark of encryption without a node and an SPI.
_NOBODY = 0xE00
_MAX_KEY_ID = 15


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


class Datapath:
    """Marks and routes of one node.

    A peer's filters have priorities made from its address and the SPI, so that
    the filter of a new SPI is there before the old one goes: no packet is ever
    without a mark.

    Args:
        config: The agent's configuration.
        ipr: An open rtnetlink socket.
    """

    def __init__(self, config: AgentConfig, ipr: IPRoute) -> None:
        self._ipr = ipr
        self._tunnel = config.datapath == "tunnel"
        native = ipr.link_lookup(ifname=config.native_device)[0]
        self._inbound = _Hook(native, _INGRESS)
        self._routes: Routes
        if self._tunnel:
            # The mark goes on with the packet into its outer one.
            routes = TunnelRoutes(ipr, config.node_ip, native)
            self._routes, self._outbound = routes, _Hook(routes.device, _EGRESS)
        else:
            pod = ipr.link_lookup(ifname=config.pod_device)[0]
            self._routes = NativeRoutes(ipr, native)
            self._outbound = _Hook(pod, _INGRESS)
        # Filters outlive the agent, as Cilium's pinned programs do.
        self._there = {
            hook: {
                message["info"] >> 16
                for message in ipr.get_filters(index=hook.device, parent=hook.parent)
            }
            for hook in (self._inbound, self._outbound)
        }

    def ensure_base(self) -> None:
        """What there is before any peer is known."""
        self._routes.ensure_base()
        if self._tunnel:
            # To nobody that is known: the default-drop policy stops it.
            self._ensure_mark(self._outbound, _LAST, [_ANY_PACKET], _NOBODY)

    def ensure_peer(self, peer: Peer, spi: int) -> None:
        """Send to a peer with an SPI, and know its packets.

        Args:
            peer: The peer.
            spi: SPI to send with.
        """
        node = peer.node
        source = ipaddress.ip_address(node.node_ip if self._tunnel else node.cilium_ip)
        pods = ipaddress.ip_network(node.pod_cidr)
        self._routes.ensure_peer(node)
        known_by = _priority(peer, _slot(int(source)))
        self._ensure_mark(
            self._inbound,
            known_by,
            [f"{_ESP:#x}/0xff+9", f"{int(source):#x}/0xffffffff+12"],
            inbound_mark(peer.node_id),
        )
        self._ensure_mark(
            self._outbound,
            _priority(peer, spi),
            [f"{int(pods.network_address):#x}/{int(pods.netmask):#x}+16"],
            outbound_mark(peer.node_id, spi),
        )
        self._drop_marks(self._inbound, peer, keep=known_by)
        self._drop_marks(self._outbound, peer, keep=_priority(peer, spi))

    def forget(self, peer: Peer) -> None:
        """Send to a peer no more, and know it no more."""
        for hook in (self._inbound, self._outbound):
            self._drop_marks(hook, peer, keep=None)
        self._routes.forget(peer.node)

    def _ensure_mark(
        self, hook: _Hook, priority: int, keys: list[str], mark: int
    ) -> None:
        if priority in self._there[hook]:
            return
        self._ipr.tc(
            "add-filter",
            "u32",
            index=hook.device,
            parent=hook.parent,
            protocol=_ETH_P_IP,
            prio=priority,
            target=_CLASS,
            keys=keys,
            action={"kind": "skbedit", "mark": mark},
        )
        self._there[hook].add(priority)

    def _drop_marks(self, hook: _Hook, peer: Peer, keep: int | None) -> None:
        of_peer = {p for p in self._there[hook] if p >> 4 == _priority(peer, 0) >> 4}
        for priority in of_peer - {keep}:
            self._ipr.tc(
                "del-filter",
                "u32",
                index=hook.device,
                parent=hook.parent,
                protocol=_ETH_P_IP,
                prio=priority,
                target=_CLASS,
            )
            self._there[hook].discard(priority)


def _slot(address: int) -> int:
    """A slot that is another one when a node comes back with another address."""
    return address % 13


def _priority(peer: Peer, spi: int) -> int:
    """A filter priority of the peer's own; 0 is no priority, so count from 1."""
    host = int(ipaddress.ip_address(peer.node.node_ip)) & 0xFF
    return (host + 1) << 4 | spi
