"""The part that eBPF plays in Cilium: which packet gets which mark.

Towards a peer's pods a packet gets ``<node ID><SPI>e00``; an ESP packet from a
peer gets ``<node ID>0d00``. Routes to other nodes' pods exist only for packets
marked for encryption, so what is not encrypted has nowhere to go.
"""

from __future__ import annotations

import errno
import ipaddress
from typing import TYPE_CHECKING

from pyroute2.netlink.exceptions import NetlinkError

from runbooks.lab.agent.ipsec import Peer, inbound_mark, outbound_mark

if TYPE_CHECKING:
    from pyroute2 import IPRoute

    from runbooks.lab.agent.config import AgentConfig

_TABLE = 200
_INGRESS = 0xFFFFFFF2
_ESP = 50
_ETH_P_IP = 0x0800
_CLASS = 0x10000
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
        self._native = ipr.link_lookup(ifname=config.native_device)[0]
        self._pod = ipr.link_lookup(ifname=config.pod_device)[0]
        # Filters outlive the agent, as Cilium's pinned programs do.
        self._there = {
            device: {
                message["info"] >> 16
                for message in ipr.get_filters(index=device, parent=_INGRESS)
            }
            for device in (self._native, self._pod)
        }

    def ensure_base(self) -> None:
        """The rule that leads marked packets to the routes between nodes."""
        try:
            self._ipr.rule("add", table=_TABLE, fwmark=0xE00, fwmask=0xF00, priority=1)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise

    def ensure_peer(self, peer: Peer, spi: int) -> None:
        """Send to a peer with an SPI, and know its packets.

        Args:
            peer: The peer.
            spi: SPI to send with.
        """
        source = ipaddress.ip_address(peer.node.cilium_ip)
        pods = ipaddress.ip_network(peer.node.pod_cidr)
        self._ipr.route(
            "replace",
            dst=peer.node.pod_cidr,
            gateway=peer.node.node_ip,
            oif=self._native,
            table=_TABLE,
        )
        self._ensure_mark(
            self._native,
            _priority(peer, 0),
            [f"{_ESP:#x}/0xff+9", f"{int(source):#x}/0xffffffff+12"],
            inbound_mark(peer.node_id),
        )
        self._ensure_mark(
            self._pod,
            _priority(peer, spi),
            [f"{int(pods.network_address):#x}/{int(pods.netmask):#x}+16"],
            outbound_mark(peer.node_id, spi),
        )
        self._drop_marks(self._pod, peer, keep=_priority(peer, spi))

    def forget(self, peer: Peer) -> None:
        """Send to a peer no more, and know it no more."""
        for device in (self._native, self._pod):
            self._drop_marks(device, peer, keep=None)
        try:
            self._ipr.route("del", dst=peer.node.pod_cidr, table=_TABLE)
        except NetlinkError as error:
            if error.code != errno.ESRCH:
                raise

    def _ensure_mark(
        self, device: int, priority: int, keys: list[str], mark: int
    ) -> None:
        if priority in self._there[device]:
            return
        self._ipr.tc(
            "add-filter",
            "u32",
            index=device,
            parent=_INGRESS,
            protocol=_ETH_P_IP,
            prio=priority,
            target=_CLASS,
            keys=keys,
            action={"kind": "skbedit", "mark": mark},
        )
        self._there[device].add(priority)

    def _drop_marks(self, device: int, peer: Peer, keep: int | None) -> None:
        of_peer = {p for p in self._there[device] if p >> 4 == _priority(peer, 0) >> 4}
        for priority in of_peer - {keep}:
            self._ipr.tc(
                "del-filter",
                "u32",
                index=device,
                parent=_INGRESS,
                protocol=_ETH_P_IP,
                prio=priority,
                target=_CLASS,
            )
            self._there[device].discard(priority)


def _priority(peer: Peer, spi: int) -> int:
    """A filter priority of the peer's own; 0 is no priority, so count from 1."""
    host = int(ipaddress.ip_address(peer.node.node_ip)) & 0xFF
    return (host + 1) << 4 | spi
