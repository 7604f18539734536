"""Classic BPF that tells a node's encrypted packets from plain ones.

A program for :class:`runbooks.lab.network.WireTap`: accept ESP, or accept what
should have been ESP and isn't.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

# Opcodes, include/uapi/linux/bpf_common.h.
_LOAD_HALF, _LOAD_BYTE, _LOAD_WORD = 0x28, 0x30, 0x20
_LOAD_HALF_AT, _LOAD_BYTE_AT = 0x48, 0x50
_LENGTH, _LENGTH_OF_IPV4_HEADER = 0x80, 0xB1
_IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x15, 0x35, 0x45
_RETURN = 0x06

_PACKET_TYPE = 0xFFFFF004  # SKF_AD_OFF + SKF_AD_PKTTYPE
_PACKET_OUTGOING = 4
_ETHERNET = 14
_IPV4, _IPV6 = 0x0800, 0x86DD
_ESP = 50
_VXLAN_PORT = 8472
_FRAGMENT_OFFSET = 0x1FFF
#: IPv6 tells of a fragment in a header of its own.
_FRAGMENT_HEADER = 44
#: What a packet in VXLAN has before it: headers of UDP and VXLAN.
_INTO_VXLAN = 16
#: All headers up to the inner one of IPv4, with options in the outer one; ESP in
#: tunnel mode has more behind.
_SHORTEST_ESP_IN_VXLAN = 124
#: First half of every pod's address of IPv4: 10.20.
_PODS = 0x0A14
#: First 32 and next 16 bits of every pod's address of IPv6: fd00:10:20.
_PODS6 = (0xFD000010, 0x0020)


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction, or the mark of a place to go to.

    Attributes:
        code: Opcode.
        operand: Its operand.
        then: Where to go if the condition holds; the next step if empty.
        other: Where to go if it does not.
        place: The name of this place.
    """

    code: int = 0
    operand: int = 0
    then: str = ""
    other: str = ""
    place: str = ""


def wire_filter(*, esp: bool) -> bytes:
    """The program for ESP packets, or for plain ones.

    A frame that the node sends is ESP if its packet is, or the one in its VXLAN.
    It is plain if it is not ESP and either of its addresses is a pod's, or it is
    VXLAN.

    Args:
        esp: Which of the two to accept.

    Returns:
        ``struct sock_filter``, one behind the other.
    """
    encrypted, plain = ("accept", "reject") if esp else ("reject", "accept")
    return _assemble(
        _Step(_LOAD_HALF, _PACKET_TYPE),
        _Step(_IF_EQUAL, _PACKET_OUTGOING, then="reject"),  # towards the node
        _Step(_LOAD_HALF, 12),
        _Step(_IF_EQUAL, _IPV6, then="ipv6"),
        _Step(_IF_EQUAL, _IPV4, other="reject"),
        _Step(_LOAD_BYTE, _ETHERNET + 9),
        _Step(_IF_EQUAL, _ESP, then=encrypted),
        *(
            step
            for address in (_ETHERNET + 12, _ETHERNET + 16)
            for step in (
                _Step(_LOAD_HALF, address),
                _Step(_IF_EQUAL, _PODS, then=plain),
            )
        ),
        _Step(_LOAD_BYTE, _ETHERNET + 9),
        _Step(_IF_EQUAL, socket.IPPROTO_UDP, other="reject"),
        _Step(_LOAD_HALF, _ETHERNET + 6),
        # Only the first fragment has ports.
        _Step(_IF_ANY_BIT, _FRAGMENT_OFFSET, then="reject"),
        _Step(_LENGTH_OF_IPV4_HEADER, _ETHERNET),
        _Step(_LOAD_HALF_AT, _ETHERNET + 2),
        _Step(_IF_EQUAL, _VXLAN_PORT, other="reject"),
        # A load from behind the end would reject what is too short to be ESP.
        _Step(_LENGTH),
        _Step(_IF_AT_LEAST, _SHORTEST_ESP_IN_VXLAN, other=plain),
        _Step(_LOAD_HALF_AT, _ETHERNET + _INTO_VXLAN + 12),
        _Step(_IF_EQUAL, _IPV6, then="ipv6 in vxlan"),
        _Step(_IF_EQUAL, _IPV4, other=plain),
        _Step(_LOAD_BYTE_AT, 2 * _ETHERNET + _INTO_VXLAN + 9),
        _Step(_IF_EQUAL, _ESP, then=encrypted, other=plain),
        _Step(place="ipv6 in vxlan"),
        _Step(_LOAD_BYTE_AT, 2 * _ETHERNET + _INTO_VXLAN + 6),
        _Step(_IF_EQUAL, _ESP, then=encrypted, other=plain),
        _Step(place="ipv6"),
        _Step(_LOAD_BYTE, _ETHERNET + 6),
        _Step(_IF_EQUAL, _ESP, then=encrypted),
        _Step(_IF_EQUAL, _FRAGMENT_HEADER, other="ipv6 addresses"),
        _Step(_LOAD_BYTE, _ETHERNET + 40),
        _Step(_IF_EQUAL, _ESP, then=encrypted),
        _Step(place="ipv6 addresses"),
        *(
            step
            for number, address in enumerate((_ETHERNET + 8, _ETHERNET + 24))
            for step in (
                _Step(_LOAD_WORD, address),
                _Step(_IF_EQUAL, _PODS6[0], other=f"not pods {number}"),
                _Step(_LOAD_HALF, address + 4),
                _Step(_IF_EQUAL, _PODS6[1], then=plain),
                _Step(place=f"not pods {number}"),
            )
        ),
        _Step(_LOAD_BYTE, _ETHERNET + 6),
        _Step(_IF_EQUAL, socket.IPPROTO_UDP, other="reject"),
        _Step(_LOAD_HALF, _ETHERNET + 40 + 2),
        _Step(_IF_EQUAL, _VXLAN_PORT, then=plain, other="reject"),
        _Step(place="reject"),
        _Step(_RETURN, 0),
        _Step(place="accept"),
        _Step(_RETURN, 1),  # one byte of the frame
    )


def _assemble(*steps: _Step) -> bytes:
    places: dict[str, int] = {}
    instructions: list[_Step] = []
    for step in steps:
        if step.place:
            places[step.place] = len(instructions)
        else:
            instructions.append(step)

    def jump(position: int, place: str) -> int:
        return places[place] - position - 1 if place else 0

    return b"".join(
        struct.pack(
            "HBBI",
            step.code,
            jump(position, step.then),
            jump(position, step.other),
            step.operand,
        )
        for position, step in enumerate(instructions)
    )
