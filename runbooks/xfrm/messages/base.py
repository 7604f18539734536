"""What all XFRM messages share: their attributes, and no trust in any."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, ClassVar

from runbooks.xfrm.framework import nlmsg
from runbooks.xfrm.messages import attributes
from runbooks.xfrm.messages.attributes import Structures, TrailingBytes
from runbooks.xfrm.uapi import NLA_HEADER, NLA_TYPE_MASK, NLMSG_HEADER


class CheckedMessage(nlmsg):  # type: ignore[misc]
    """A message whose attributes are looked at before anything is believed.

    pyroute2 decodes attributes late, logs what fails, and reads fields beyond the
    end of an attribute that is too short for them.
    """

    __slots__ = ()

    def decode(self) -> None:
        """Decode the message.

        Raises:
            ValueError: It is too short, or an attribute is malformed: its length
                is impossible, or too short for what it should hold. Attributes
                that are not in the ``nla_map`` are passed over.
        """
        self._check()
        super().decode()

    def attribute(self, name: str) -> Any:
        """Return the decoded value of an attribute.

        Args:
            name: For example ``XFRMA_MARK``.

        Returns:
            The value, or ``None`` if the message does not carry it.
        """
        slot = next((slot for slot in self["attrs"] if slot.name == name), None)
        if slot is None:
            return None
        cell = slot.cell[1]
        if not cell.decoded:
            cell.decode()
        return cell.getvalue()

    def _check(self) -> None:
        data, start = self.data, self.offset
        needed = NLMSG_HEADER.size + self.get_size()
        length = 0
        if len(data) - start >= NLMSG_HEADER.size:
            length = NLMSG_HEADER.unpack_from(data, start)[0]
        if not needed <= length <= len(data) - start:
            raise ValueError(
                f"message has {min(length, len(data) - start)} bytes, needs {needed}"
            )
        message_class: Any = type(self)
        known = _known(message_class)
        offset, end = start + (needed + 3 & ~3), start + length
        while end - offset >= NLA_HEADER.size:
            size, kind = NLA_HEADER.unpack_from(data, offset)
            name, declared = known.get(kind & NLA_TYPE_MASK, (f"{kind:#x}", None))
            if not NLA_HEADER.size <= size <= end - offset:
                raise ValueError(
                    f"attribute {name} says {size} bytes, {end - offset} are left"
                )
            if declared is not None:
                payload = bytes(data[offset + NLA_HEADER.size : offset + size])
                needed = _least_bytes(declared, payload)
                if len(payload) < needed:
                    raise ValueError(
                        f"attribute {name} is cut short: {len(payload)} of "
                        f"{needed} bytes"
                    )
            offset += size + 3 & ~3


class XfrmMessage(CheckedMessage):
    """A message with the attributes of states and policies.

    Every attribute of ``linux/xfrm.h`` of kernel 6.14 is declared.
    """

    __slots__ = ()

    #: Fields left out are 0, an address among them "any".
    defaults: ClassVar = dict.fromkeys(
        ("sel_daddr", "sel_saddr", "daddr", "saddr"), b""
    )

    nla_map = (
        (1, "XFRMA_ALG_AUTH", "Algorithm"),
        (2, "XFRMA_ALG_CRYPT", "Algorithm"),
        (3, "XFRMA_ALG_COMP", "Algorithm"),
        (4, "XFRMA_ENCAP", "Encapsulation"),
        (5, "XFRMA_TMPL", "Templates"),
        (6, "XFRMA_SA", "StateInfo"),
        (7, "XFRMA_POLICY", "PolicyInfo"),
        (8, "XFRMA_SEC_CTX", "SecurityContext"),
        (9, "XFRMA_LTIME_VAL", "Lifetime"),
        (10, "XFRMA_REPLAY_VAL", "Replay"),
        (11, "XFRMA_REPLAY_THRESH", "uint32"),
        (12, "XFRMA_ETIMER_THRESH", "uint32"),
        (13, "XFRMA_SRCADDR", "Address"),
        (14, "XFRMA_COADDR", "Address"),
        (15, "XFRMA_LASTUSED", "uint64"),
        (16, "XFRMA_POLICY_TYPE", "PolicyType"),
        (17, "XFRMA_MIGRATE", "Migrations"),
        (18, "XFRMA_ALG_AEAD", "AeadAlgorithm"),
        (19, "XFRMA_KMADDRESS", "KeyManagerAddress"),
        (20, "XFRMA_ALG_AUTH_TRUNC", "AuthAlgorithm"),
        (21, "XFRMA_MARK", "MarkAttribute"),
        (22, "XFRMA_TFCPAD", "uint32"),
        (23, "XFRMA_REPLAY_ESN_VAL", "ReplayEsn"),
        (24, "XFRMA_SA_EXTRA_FLAGS", "uint32"),
        (25, "XFRMA_PROTO", "uint8"),
        (26, "XFRMA_ADDRESS_FILTER", "AddressFilter"),
        (27, "XFRMA_PAD", "none"),
        (28, "XFRMA_OFFLOAD_DEV", "Offload"),
        # XFRMA_OUTPUT_MARK until kernel 4.19, which added the mask.
        (29, "XFRMA_SET_MARK", "uint32"),
        (30, "XFRMA_SET_MARK_MASK", "uint32"),
        (31, "XFRMA_IF_ID", "uint32"),
        (32, "XFRMA_MTIMER_THRESH", "uint32"),
        (33, "XFRMA_SA_DIR", "uint8"),  # kernel 6.10
        (34, "XFRMA_NAT_KEEPALIVE_INTERVAL", "uint32"),  # kernel 6.11
        (35, "XFRMA_SA_PCPU", "uint32"),  # kernel 6.13
        (36, "XFRMA_IPTFS_DROP_TIME", "uint32"),  # kernel 6.14, as the rest
        (37, "XFRMA_IPTFS_REORDER_WINDOW", "uint16"),
        (38, "XFRMA_IPTFS_DONT_FRAG", "flag"),
        (39, "XFRMA_IPTFS_INIT_DELAY", "uint32"),
        (40, "XFRMA_IPTFS_MAX_QSIZE", "uint32"),
        (41, "XFRMA_IPTFS_PKT_SIZE", "uint32"),
    )

    Address = attributes.Address
    AddressFilter = attributes.AddressFilter
    AeadAlgorithm = attributes.AeadAlgorithm
    Algorithm = attributes.Algorithm
    AuthAlgorithm = attributes.AuthAlgorithm
    Encapsulation = attributes.Encapsulation
    KeyManagerAddress = attributes.KeyManagerAddress
    Lifetime = attributes.Lifetime
    MarkAttribute = attributes.MarkAttribute
    Migrations = attributes.Migrations
    Offload = attributes.Offload
    PolicyInfo = attributes.PolicyInfo
    PolicyType = attributes.PolicyType
    Replay = attributes.Replay
    ReplayEsn = attributes.ReplayEsn
    SecurityContext = attributes.SecurityContext
    StateInfo = attributes.StateInfo
    Templates = attributes.Templates


@cache
def _known(message: Any) -> dict[int, tuple[str, Any]]:
    """Names and classes of a message's attributes."""
    return {
        kind: (name, getattr(message, word)) for kind, name, word in message.nla_map
    }


def _least_bytes(declared: Any, payload: bytes) -> int:
    """Length of a payload that holds what such an attribute must hold."""
    if issubclass(declared, Structures):
        size: int = declared.layout.size
        return -(-len(payload) // size) * size
    fixed = _fixed_bytes(declared)
    if len(payload) >= fixed and issubclass(declared, TrailingBytes):
        needed: int = declared.least_bytes(payload)
        return needed
    return fixed


@cache
def _fixed_bytes(declared: Any) -> int:
    return sum(struct.calcsize(fmt) for _, fmt in declared.fields if fmt != "s")
