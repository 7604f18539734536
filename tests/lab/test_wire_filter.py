"""What counts as encrypted on the wire, and what as plain.

The program runs in this machine's kernel, on a pair of sockets.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct

import pytest

from runbooks.lab.wire_filter import wire_filter

SO_ATTACH_FILTER = 26
UDP, TCP, ESP, ICMPV6, FRAGMENT = 17, 6, 50, 58, 44
NODES = ("10.9.0.11", "10.9.0.12")
NODES6 = ("fd00:10:9::b", "fd00:10:9::c")
PODS = ("10.20.1.100", "10.20.2.100")
PODS6 = ("fd00:10:20:1::100", "fd00:10:20:2::100")


def frame(ends, protocol, payload=bytes(60), fragment=0):
    """An Ethernet frame with an IP packet in it."""
    source, destination = (ipaddress.ip_address(ip) for ip in ends)
    addresses = source.packed + destination.packed
    if source.version == 6:
        header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64)
        return bytes(12) + b"\x86\xdd" + header + addresses + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, fragment, 64, protocol, 0)
    return bytes(12) + b"\x08\x00" + header + addresses + payload


def vxlan(inner, ends=NODES):
    return frame(ends, UDP, struct.pack("!HHHH", 5, 8472, 0, 0) + bytes(8) + inner)


def accepts(esp, sent):
    program = wire_filter(esp=esp)
    buffer = ctypes.create_string_buffer(program)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        filter_ = struct.pack("HL", len(program) // 8, ctypes.addressof(buffer))
        theirs.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_)
        theirs.setblocking(False)
        ours.send(sent)
        try:
            return bool(theirs.recv(9000))
        except BlockingIOError:
            return False


@pytest.mark.parametrize(
    "sent",
    [
        frame(("10.20.1.5", "10.20.2.50"), ESP),
        frame(NODES, ESP),
        frame(("fd00:10:20:1::49", "fd00:10:20:2::32"), ESP),
        frame(NODES6, ESP),
        frame(PODS6, FRAGMENT, bytes([ESP]) + bytes(59)),
        vxlan(frame(("10.20.1.5", "10.20.2.50"), ESP)),
        vxlan(frame(("fd00:10:20:1::49", "fd00:10:20:2::32"), ESP)),
    ],
)
def test_esp_is_encrypted_on_its_own_and_in_vxlan(sent):
    assert (accepts(True, sent), accepts(False, sent)) == (True, False)


@pytest.mark.parametrize(
    "sent",
    [
        frame(PODS, UDP),
        frame((NODES[0], PODS[1]), TCP),
        frame((PODS[0], NODES[1]), TCP),
        frame(PODS6, ICMPV6),
        frame(PODS6, FRAGMENT, bytes([UDP]) + bytes(59)),
        frame((NODES6[0], PODS6[1]), UDP),
        frame((PODS6[0], NODES6[1]), UDP),
        vxlan(frame(PODS, UDP)),
        vxlan(frame(PODS6, UDP)),
        vxlan(b"x"),
        vxlan(frame(PODS, ESP), ends=NODES6),
    ],
)
def test_what_is_a_pods_and_not_esp_is_plain(sent):
    assert (accepts(True, sent), accepts(False, sent)) == (False, True)


@pytest.mark.parametrize(
    "sent",
    [
        frame(NODES, TCP),
        frame(NODES6, ICMPV6),
        frame(("fd00:10:21::1", "fd00:10:21::2"), UDP),
        frame(NODES, UDP, struct.pack("!HHHH", 5, 53, 0, 0) + bytes(60)),
        frame(NODES, UDP, struct.pack("!HHHH", 5, 8472, 0, 0), fragment=1),
        bytes(12) + b"\x08\x06" + bytes(46),
    ],
)
def test_what_nodes_say_to_each_other_is_neither(sent):
    assert (accepts(True, sent), accepts(False, sent)) == (False, False)
