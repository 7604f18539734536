"""How pods' packets get to another node: routed, or in VXLAN."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING, Protocol

from pyroute2.netlink.exceptions import NetlinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyroute2.iproute.linux import IPRoute

    from runbooks.lab.agent.nodes import Family

#: Routes to other nodes' pods that only packets to be encrypted find.
_TABLE = 200
_MAIN_TABLE = 254
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_TUNNEL = "cilium_vxlan"
_PORT = 8472
_VNI = 2
#: Room for VXLAN and for ESP in tunnel mode.
_MTU = 1370
_ONLINK = 4
# include/uapi/linux/neighbour.h
_PERMANENT = 0x80
_NO_ARP = 0x40
_SELF = 0x2


class Routes(Protocol):
    """The way to other nodes' pods."""

    def ensure_base(self, version: int) -> None:
        """What all peers need in an IP family, 4 or 6."""

    def ensure_peer(self, family: Family, node_ip: str) -> None:
        """Make sure of the way to a peer's pods.

        Args:
            family: The peer's addresses of one family.
            node_ip: Its address of IPv4, which is where tunnels end.
        """

    def forget(self, family: Family) -> None:
        """Know the way no more."""

    def forget_node(self, node_ip: str) -> None:
        """Know no more what ways of all families lead to."""


class NativeRoutes:
    """Routes over the device between the nodes, for marked packets only.

    Args:
        ipr: An open rtnetlink socket.
        device: Index of the device between the nodes.
    """

    def __init__(self, ipr: IPRoute, device: int) -> None:
        self._ipr = ipr
        self._device = device

    def ensure_base(self, version: int) -> None:
        """The rule that leads marked packets to the routes between nodes."""
        _ensure_rule(self._ipr, version)

    def ensure_peer(self, family: Family, node_ip: str) -> None:
        """Make sure of the route to a peer's pods."""
        del node_ip
        self._ipr.route(
            "replace",
            family=_FAMILIES[family.version],
            dst=family.pod_cidr,
            gateway=family.node_ip,
            oif=self._device,
            table=_TABLE,
        )

    def forget(self, family: Family) -> None:
        """Remove the route."""
        _remove_route(self._ipr, family, _TABLE)

    def forget_node(self, node_ip: str) -> None:
        """There is nothing but routes."""


class TunnelRoutes:
    """Routes over the VXLAN device, which is told where each peer is.

    Args:
        ipr: An open rtnetlink socket.
        own_ip: The node's own address.
        device: Index of the device between the nodes.
        marked_only: Whether only packets to be encrypted find the routes.
    """

    def __init__(
        self, ipr: IPRoute, own_ip: str, device: int, *, marked_only: bool
    ) -> None:
        self._ipr = ipr
        self._table = _TABLE if marked_only else _MAIN_TABLE
        found = ipr.link_lookup(ifname=_TUNNEL)
        if not found:
            ipr.link(
                "add",
                ifname=_TUNNEL,
                kind="vxlan",
                address=_hardware_address(own_ip),
                mtu=_MTU,
                vxlan_id=_VNI,
                vxlan_link=device,
                vxlan_local=own_ip,
                vxlan_port=_PORT,
                vxlan_learning=0,
            )
            found = ipr.link_lookup(ifname=_TUNNEL)
            ipr.link("set", index=found[0], state="up")
            ipr.tc("add", "clsact", index=found[0])
        self.device: int = found[0]

    def ensure_base(self, version: int) -> None:
        """The rule that leads marked packets to their routes, if they have any."""
        if self._table == _TABLE:
            _ensure_rule(self._ipr, version)

    def ensure_peer(self, family: Family, node_ip: str) -> None:
        """Make sure of the route to a peer's pods, and where the tunnel ends."""
        address = _hardware_address(node_ip)
        self._ipr.fdb(
            "replace",
            ifindex=self.device,
            lladdr=address,
            dst=node_ip,
            flags=_SELF,
            state=_PERMANENT | _NO_ARP,
        )
        self._ipr.neigh(
            "replace",
            family=_FAMILIES[family.version],
            dst=family.cilium_ip,
            lladdr=address,
            ifindex=self.device,
            state=_PERMANENT,
        )
        self._ipr.route(
            "replace",
            family=_FAMILIES[family.version],
            dst=family.pod_cidr,
            gateway=family.cilium_ip,
            oif=self.device,
            flags=_ONLINK,
            table=self._table,
        )

    def forget(self, family: Family) -> None:
        """Remove the route, and who is at its end."""
        _remove_route(self._ipr, family, self._table)
        _remove(
            lambda: self._ipr.neigh(
                "del",
                family=_FAMILIES[family.version],
                dst=family.cilium_ip,
                ifindex=self.device,
            )
        )

    def forget_node(self, node_ip: str) -> None:
        """Remove where the tunnel ends."""
        address = _hardware_address(node_ip)
        _remove(
            lambda: self._ipr.fdb(
                "del", ifindex=self.device, lladdr=address, dst=node_ip
            )
        )


def _ensure_rule(ipr: IPRoute, version: int) -> None:
    try:
        ipr.rule(
            "add",
            family=_FAMILIES[version],
            table=_TABLE,
            fwmark=0xE00,
            fwmask=0xF00,
            priority=1,
        )
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise


def _remove_route(ipr: IPRoute, family: Family, table: int) -> None:
    _remove(
        lambda: ipr.route(
            "del",
            family=_FAMILIES[family.version],
            dst=family.pod_cidr,
            table=table,
        )
    )


def _hardware_address(node_ip: str) -> str:
    """Address of a node's VXLAN device, known to all without asking."""
    octets = (0x02, 0x76, *ipaddress.ip_address(node_ip).packed)
    return ":".join(f"{octet:02x}" for octet in octets)


def _remove(removal: Callable[[], object]) -> None:
    """Remove what may be gone already."""
    try:
        removal()
    except NetlinkError as error:
        if error.code not in (errno.ESRCH, errno.ENOENT):
            raise
