"""XFRM messages of netlink, declared with pyroute2's message framework.

Layouts, message types and attribute numbers are those of the kernel's
``include/uapi/linux/xfrm.h``. Integers are in host byte order but for SPI and
ports; addresses are 16 bytes, of which IPv4 uses the first four.

Keys ride in the algorithm attributes as :class:`SecretBytes`, so that neither
a message nor an attribute shows one when printed.
"""

from __future__ import annotations

import struct
from typing import Any, ClassVar

from runbooks.xfrm.framework import nla, nla_string, nlmsg

NETLINK_XFRM = 6

XFRM_MSG_NEWSA = 0x10
XFRM_MSG_DELSA = 0x11
XFRM_MSG_GETSA = 0x12
XFRM_MSG_NEWPOLICY = 0x13
XFRM_MSG_DELPOLICY = 0x14
XFRM_MSG_GETPOLICY = 0x15
XFRM_MSG_UPDPOLICY = 0x19
XFRM_MSG_UPDSA = 0x1A
XFRM_MSG_FLUSHSA = 0x1C
XFRM_MSG_FLUSHPOLICY = 0x1D
XFRM_MSG_NEWAE = 0x1E

XFRM_STATE_ESN = 128
#: ``XFRM_INF``: a lifetime without end. Limits in seconds use 0 instead.
XFRM_INF = (1 << 64) - 1
#: By number: ``XFRM_MODE_*``.
MODES = ("transport", "tunnel", "ro", "in_trigger", "beet", "iptfs")
#: By number: ``XFRM_POLICY_IN``, ``_OUT``, ``_FWD``.
POLICY_DIRECTIONS = ("in", "out", "fwd")
#: By number: ``XFRM_POLICY_ALLOW``, ``_BLOCK``.
POLICY_ACTIONS = ("allow", "block")

SELECTOR_FIELDS = (  # struct xfrm_selector
    ("sel_daddr", "16s"),
    ("sel_saddr", "16s"),
    ("sel_dport", ">H"),
    ("sel_dport_mask", ">H"),
    ("sel_sport", ">H"),
    ("sel_sport_mask", ">H"),
    ("sel_family", "H"),
    ("sel_prefixlen_d", "B"),
    ("sel_prefixlen_s", "B"),
    ("sel_proto", "B"),
    ("sel_pad", "3x"),
    ("sel_ifindex", "i"),
    ("sel_user", "I"),
)

ID_FIELDS = (  # struct xfrm_id
    ("daddr", "16s"),
    ("spi", ">I"),
    ("proto", "B"),
    ("id_pad", "3x"),
)

LIFETIME_FIELDS = (  # struct xfrm_lifetime_cfg, struct xfrm_lifetime_cur
    ("soft_byte_limit", "Q"),
    ("hard_byte_limit", "Q"),
    ("soft_packet_limit", "Q"),
    ("hard_packet_limit", "Q"),
    ("soft_add_expires_s", "Q"),
    ("hard_add_expires_s", "Q"),
    ("soft_use_expires_s", "Q"),
    ("hard_use_expires_s", "Q"),
    ("bytes", "Q"),
    ("packets", "Q"),
    ("add_time_s", "Q"),
    ("use_time_s", "Q"),
)

#: struct xfrm_user_tmpl: xfrm_id, family, source, reqid, mode, share, optional,
#: and three bit sets of algorithms.
TEMPLATE_LAYOUT = struct.Struct("=16s4sB3xH2x16sIBBBxIII")


class SecretBytes(bytes):
    """Key bytes that don't show themselves when printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} secret bytes>"

    __str__ = __repr__


class TrailingBytes(nla):  # type: ignore[misc]
    """An attribute whose fixed fields are followed by bytes up to its end."""

    __slots__ = ()

    #: Name and type under which the trailing bytes appear.
    trailing: tuple[str, type[bytes]] = ("trailing", bytes)

    def decode(self) -> None:
        """Decode the fixed fields, then what is left of the attribute."""
        super().decode()
        name, kind = self.trailing
        start = self.offset + 4 + sum(struct.calcsize(fmt) for _, fmt in self.fields)
        self[name] = kind(self.data[start : self.offset + self.length])

    def ft_encode(self, offset: int) -> tuple[int, int]:
        """Encode the fixed fields, then the trailing bytes, aligned to 4.

        Args:
            offset: Where the payload begins in the message.

        Returns:
            The offset behind the payload and the padding that it includes.
        """
        offset, _ = super().ft_encode(offset)
        tail = self.get(self.trailing[0], b"")
        padding = -len(tail) % 4
        self.data.extend(tail + bytes(padding))
        return offset + len(tail) + padding, padding


class Algorithm(TrailingBytes):
    """``struct xfrm_algo``: XFRMA_ALG_AUTH, XFRMA_ALG_CRYPT."""

    __slots__ = ()
    fields = (("alg_name", "64s"), ("alg_key_len_bits", "I"))
    trailing = ("alg_key", SecretBytes)


class AuthAlgorithm(TrailingBytes):
    """``struct xfrm_algo_auth``: XFRMA_ALG_AUTH_TRUNC."""

    __slots__ = ()
    fields = (*Algorithm.fields, ("alg_trunc_len_bits", "I"))
    trailing = ("alg_key", SecretBytes)


class AeadAlgorithm(TrailingBytes):
    """``struct xfrm_algo_aead``: XFRMA_ALG_AEAD."""

    __slots__ = ()
    fields = (*Algorithm.fields, ("alg_icv_len_bits", "I"))
    trailing = ("alg_key", SecretBytes)


class ReplayEsn(TrailingBytes):
    """``struct xfrm_replay_state_esn``, the bit map as trailing bytes."""

    __slots__ = ()
    fields = (
        ("bmp_len", "I"),
        ("oseq", "I"),
        ("seq", "I"),
        ("oseq_hi", "I"),
        ("seq_hi", "I"),
        ("replay_window", "I"),
    )
    trailing = ("bmp", bytes)


class Replay(nla):  # type: ignore[misc]
    """``struct xfrm_replay_state``, used without extended sequence numbers."""

    __slots__ = ()
    fields = (("oseq", "I"), ("seq", "I"), ("bitmap", "I"))


class MarkAttribute(nla):  # type: ignore[misc]
    """``struct xfrm_mark``."""

    __slots__ = ()
    fields = (("v", "I"), ("m", "I"))


class Templates(nla_string):  # type: ignore[misc]
    """One or more ``struct xfrm_user_tmpl``, one behind the other.

    The value is a list of tuples in the order of :data:`TEMPLATE_LAYOUT`.
    """

    __slots__ = ()
    value: Any

    def encode(self) -> None:
        """Pack the templates into the attribute's payload."""
        self["value"] = b"".join(TEMPLATE_LAYOUT.pack(*one) for one in self.value)
        super().encode()

    def decode(self) -> None:
        """Unpack the payload into a list of tuples."""
        super().decode()
        self.value = list(TEMPLATE_LAYOUT.iter_unpack(bytes(self["value"])))


class XfrmMessage(nlmsg):  # type: ignore[misc]
    """What all XFRM messages share: the attributes."""

    __slots__ = ()

    #: Fields left out are 0, an address among them "any".
    defaults: ClassVar = {"sel_daddr": b"", "sel_saddr": b""}

    nla_map = (
        (1, "XFRMA_ALG_AUTH", "Algorithm"),
        (2, "XFRMA_ALG_CRYPT", "Algorithm"),
        (3, "XFRMA_ALG_COMP", "Algorithm"),
        (5, "XFRMA_TMPL", "Templates"),
        (9, "XFRMA_LTIME_VAL", "cdata"),
        (10, "XFRMA_REPLAY_VAL", "Replay"),
        (15, "XFRMA_LASTUSED", "uint64"),
        (16, "XFRMA_POLICY_TYPE", "cdata"),
        (18, "XFRMA_ALG_AEAD", "AeadAlgorithm"),
        (20, "XFRMA_ALG_AUTH_TRUNC", "AuthAlgorithm"),
        (21, "XFRMA_MARK", "MarkAttribute"),
        (23, "XFRMA_REPLAY_ESN_VAL", "ReplayEsn"),
        (24, "XFRMA_SA_EXTRA_FLAGS", "uint32"),
        (27, "XFRMA_PAD", "none"),
        # XFRMA_OUTPUT_MARK until kernel 4.19, which added the mask.
        (29, "XFRMA_SET_MARK", "uint32"),
        (30, "XFRMA_SET_MARK_MASK", "uint32"),
        (31, "XFRMA_IF_ID", "uint32"),
        (33, "XFRMA_SA_DIR", "uint8"),  # kernel 6.10
        (35, "XFRMA_SA_PCPU", "uint32"),  # kernel 6.13
    )

    Algorithm = Algorithm
    AuthAlgorithm = AuthAlgorithm
    AeadAlgorithm = AeadAlgorithm
    MarkAttribute = MarkAttribute
    Replay = Replay
    ReplayEsn = ReplayEsn
    Templates = Templates

    def attribute(self, name: str) -> Any:
        """Return the decoded value of an attribute.

        Args:
            name: For example ``XFRMA_MARK``.

        Returns:
            The value, or ``None`` if the message does not carry it.

        Raises:
            ValueError: The attribute is there but too short for its layout.
        """
        slot = next((slot for slot in self["attrs"] if slot.name == name), None)
        if slot is None:
            return None
        cell = slot.cell[1]
        if not cell.decoded:
            try:
                cell.decode()
            except (struct.error, IndexError):
                # Decoding through the slot would log and hand back raw bytes.
                raise ValueError(f"attribute {name} is cut short") from None
        return cell.getvalue()


class StateMessage(XfrmMessage):
    """``struct xfrm_usersa_info``: NEWSA and UPDSA."""

    __slots__ = ()
    fields = (
        *SELECTOR_FIELDS,
        *ID_FIELDS,
        ("saddr", "16s"),
        *LIFETIME_FIELDS,
        ("replay_window_errors", "I"),
        ("replay_errors", "I"),
        ("integrity_failed", "I"),
        ("acquire_seq", "I"),
        ("reqid", "I"),
        ("family", "H"),
        ("mode", "B"),
        ("replay_window", "B"),
        ("flags", "B"),
        ("end_pad", "7x"),
    )


class StateIdMessage(XfrmMessage):
    """``struct xfrm_usersa_id``: DELSA, and GETSA of one state."""

    __slots__ = ()
    fields = (
        ("daddr", "16s"),
        ("spi", ">I"),
        ("family", "H"),
        ("proto", "B"),
        ("end_pad", "x"),
    )


class StateEventMessage(XfrmMessage):
    """``struct xfrm_aevent_id``: NEWAE, and GETAE of one state."""

    __slots__ = ()
    fields = (*StateIdMessage.fields, ("saddr", "16s"), ("flags", "I"), ("reqid", "I"))


class PolicyMessage(XfrmMessage):
    """``struct xfrm_userpolicy_info``: NEWPOLICY and UPDPOLICY."""

    __slots__ = ()
    fields = (
        *SELECTOR_FIELDS,
        *LIFETIME_FIELDS,
        ("priority", "I"),
        ("index", "I"),
        ("dir", "B"),
        ("action", "B"),
        ("flags", "B"),
        ("share", "B"),
        ("end_pad", "4x"),
    )


class PolicyIdMessage(XfrmMessage):
    """``struct xfrm_userpolicy_id``: DELPOLICY, and GETPOLICY of one policy."""

    __slots__ = ()
    fields = (*SELECTOR_FIELDS, ("index", "I"), ("dir", "B"), ("end_pad", "3x"))


class FlushMessage(XfrmMessage):
    """``struct xfrm_usersa_flush``: FLUSHSA. FLUSHPOLICY has no body."""

    __slots__ = ()
    fields = (("proto", "B"),)


class DumpMessage(XfrmMessage):
    """A header alone: GETSA and GETPOLICY of everything, FLUSHPOLICY."""

    __slots__ = ()
