"""The wire between the nodes: a bridge with a tap device for each."""

from __future__ import annotations

import ctypes
import socket
import struct
from dataclasses import dataclass

from pyroute2 import IPRoute

from runbooks.lab.plan import GATEWAY, NodePlan
from runbooks.lab.wire_filter import wire_filter

BRIDGE = "lab0"
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_INSTRUCTION_BYTES = 8
#: Room for seconds of traffic: a node whose kernel has to wait for a core must
#: not lose what a real network card would have kept.
_TAP_QUEUE_PACKETS = 32768


def make_bridge() -> None:
    """Bring up loopback and the bridge of this network namespace."""
    with IPRoute() as ipr:
        ipr.link("set", index=1, state="up")
        ipr.link("add", ifname=BRIDGE, kind="bridge")
        index = ipr.link_lookup(ifname=BRIDGE)[0]
        ipr.addr("add", index=index, address=GATEWAY, prefixlen=24)
        ipr.link("set", index=index, state="up")


def make_tap(node: NodePlan) -> None:
    """Make a node's tap device and plug it into the bridge."""
    with IPRoute() as ipr:
        ipr.link("add", ifname=node.tap, kind="tuntap", mode="tap")
        index = ipr.link_lookup(ifname=node.tap)[0]
        bridge = ipr.link_lookup(ifname=BRIDGE)[0]
        ipr.link(
            "set", index=index, master=bridge, txqlen=_TAP_QUEUE_PACKETS, state="up"
        )


def remove_tap(node: NodePlan) -> None:
    """Unplug a node."""
    with IPRoute() as ipr:
        ipr.link("del", index=ipr.link_lookup(ifname=node.tap)[0])


@dataclass(frozen=True, slots=True)
class WireCount:
    """What a node has put on the wire since the lab began, in packets.

    Attributes:
        esp: ESP packets, on their own or in VXLAN.
        plain: Packets that are not ESP but of the pods' addresses, or VXLAN.
    """

    esp: int
    plain: int


class WireTap:
    """Counts a node's packets where they leave it, outside of its kernel.

    The counts are made by packet sockets' filters in the host's kernel, so
    nothing is copied and nothing is missed.

    Args:
        node: The node.
    """

    def __init__(self, node: NodePlan) -> None:
        self._device = node.tap
        self._esp = _counter(node.tap, esp=True)
        self._plain = _counter(node.tap, esp=False)
        self._counts = [0, 0]

    def reopen(self) -> None:
        """Go on counting on a device that was made anew."""
        self.close()
        self._esp = _counter(self._device, esp=True)
        self._plain = _counter(self._device, esp=False)

    def close(self) -> None:
        """Count no more."""
        self._esp.close()
        self._plain.close()

    def count(self) -> WireCount:
        """The counts as they are now."""
        for i, sock in enumerate((self._esp, self._plain)):
            answer = sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
            # Reading sets the kernel's counter back to zero.
            self._counts[i] += struct.unpack("II", answer)[0]
        return WireCount(*self._counts)


def _counter(device: str, *, esp: bool) -> socket.socket:
    """A socket that counts frames which a node sends: ESP, or plain pod packets."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    code = wire_filter(esp=esp)
    buffer = ctypes.create_string_buffer(code)
    filter_ = struct.pack(
        "HL", len(code) // _INSTRUCTION_BYTES, ctypes.addressof(buffer)
    )
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.bind((device, _ETH_P_ALL))
    return sock
