"""Attributes of XFRM messages: the structures behind ``XFRMA_*``.

Keys ride in the algorithm attributes as :class:`SecretBytes`, so that no message
shows one when printed.
"""

from __future__ import annotations

import struct
from typing import Any

from runbooks.xfrm.framework import nla, nla_string
from runbooks.xfrm.messages.structures import (
    LIFETIME_FIELDS,
    MIGRATION_LAYOUT,
    POLICY_FIELDS,
    STATE_FIELDS,
    TEMPLATE_LAYOUT,
)


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
    #: The field that counts them, and the bits of one of its units.
    counted_by: tuple[str, int] = ("", 0)

    @classmethod
    def least_bytes(cls, payload: bytes) -> int:
        """Length of a payload that holds all the bytes that it speaks of.

        Args:
            payload: At least the fixed fields.
        """
        fixed = bits = 0
        field, unit_bits = cls.counted_by
        for name, fmt in cls.fields:
            if name == field:
                bits = struct.unpack_from(fmt, payload, fixed)[0] * unit_bits
            fixed += struct.calcsize(fmt)
        return fixed + (bits + 7) // 8

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
    """``struct xfrm_algo``: XFRMA_ALG_AUTH, XFRMA_ALG_CRYPT, XFRMA_ALG_COMP."""

    __slots__ = ()
    fields = (("alg_name", "64s"), ("alg_key_len_bits", "I"))
    trailing = ("alg_key", SecretBytes)
    counted_by = ("alg_key_len_bits", 1)


class AuthAlgorithm(TrailingBytes):
    """``struct xfrm_algo_auth``: XFRMA_ALG_AUTH_TRUNC."""

    __slots__ = ()
    fields = (*Algorithm.fields, ("alg_trunc_len_bits", "I"))
    trailing = ("alg_key", SecretBytes)
    counted_by = ("alg_key_len_bits", 1)


class AeadAlgorithm(TrailingBytes):
    """``struct xfrm_algo_aead``: XFRMA_ALG_AEAD."""

    __slots__ = ()
    fields = (*Algorithm.fields, ("alg_icv_len_bits", "I"))
    trailing = ("alg_key", SecretBytes)
    counted_by = ("alg_key_len_bits", 1)


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
    counted_by = ("bmp_len", 32)


class SecurityContext(TrailingBytes):
    """``struct xfrm_user_sec_ctx``, the context as trailing bytes."""

    __slots__ = ()
    fields = (
        ("len", "H"),
        ("exttype", "H"),
        ("ctx_alg", "B"),
        ("ctx_doi", "B"),
        ("ctx_len", "H"),
    )
    trailing = ("ctx", bytes)
    counted_by = ("ctx_len", 8)


class Replay(nla):  # type: ignore[misc]
    """``struct xfrm_replay_state``, used without extended sequence numbers."""

    __slots__ = ()
    fields = (("oseq", "I"), ("seq", "I"), ("bitmap", "I"))


class MarkAttribute(nla):  # type: ignore[misc]
    """``struct xfrm_mark``."""

    __slots__ = ()
    fields = (("v", "I"), ("m", "I"))


class Encapsulation(nla):  # type: ignore[misc]
    """``struct xfrm_encap_tmpl``: ESP in UDP or TCP."""

    __slots__ = ()
    fields = (
        ("encap_type", "H"),
        ("encap_sport", ">H"),
        ("encap_dport", ">H"),
        ("encap_pad", "2x"),
        ("encap_oa", "16s"),
    )


class Offload(nla):  # type: ignore[misc]
    """``struct xfrm_user_offload``."""

    __slots__ = ()
    fields = (("ifindex", "i"), ("flags", "B"), ("offload_pad", "3x"))


class Lifetime(nla):  # type: ignore[misc]
    """``struct xfrm_lifetime_cur``."""

    __slots__ = ()
    fields = LIFETIME_FIELDS


class Address(nla):  # type: ignore[misc]
    """``xfrm_address_t``."""

    __slots__ = ()
    fields = (("value", "16s"),)


class AddressFilter(nla):  # type: ignore[misc]
    """``struct xfrm_address_filter``."""

    __slots__ = ()
    fields = (
        ("saddr", "16s"),
        ("daddr", "16s"),
        ("family", "H"),
        ("splen", "B"),
        ("dplen", "B"),
    )


class KeyManagerAddress(nla):  # type: ignore[misc]
    """``struct xfrm_user_kmaddress``."""

    __slots__ = ()
    fields = (
        ("local", "16s"),
        ("remote", "16s"),
        ("reserved", "I"),
        ("family", "H"),
        ("end_pad", "2x"),
    )


class PolicyType(nla):  # type: ignore[misc]
    """``struct xfrm_userpolicy_type``."""

    __slots__ = ()
    fields = (
        ("type", "B"),
        ("pad", "x"),
        ("reserved1", "H"),
        ("reserved2", "B"),
        ("end_pad", "x"),
    )


class StateInfo(nla):  # type: ignore[misc]
    """``struct xfrm_usersa_info``, in the news that a state is gone."""

    __slots__ = ()
    fields = STATE_FIELDS


class PolicyInfo(nla):  # type: ignore[misc]
    """``struct xfrm_userpolicy_info``, in the news that a policy is gone."""

    __slots__ = ()
    fields = POLICY_FIELDS


class Structures(nla_string):  # type: ignore[misc]
    """Structures, one behind the other; the value is a list of tuples."""

    __slots__ = ()
    layout: struct.Struct
    value: Any

    def encode(self) -> None:
        """Pack the structures into the attribute's payload."""
        self["value"] = b"".join(self.layout.pack(*one) for one in self.value)
        super().encode()

    def decode(self) -> None:
        """Unpack the payload into a list of tuples."""
        super().decode()
        self.value = list(self.layout.iter_unpack(bytes(self["value"])))


class Templates(Structures):
    """One or more ``struct xfrm_user_tmpl``.

    Tuples in the order of :data:`~.structures.TEMPLATE_LAYOUT`.
    """

    __slots__ = ()
    layout = TEMPLATE_LAYOUT


class Migrations(Structures):
    """One or more ``struct xfrm_user_migrate``.

    Tuples in the order of :data:`~.structures.MIGRATION_LAYOUT`.
    """

    __slots__ = ()
    layout = MIGRATION_LAYOUT


class HashInfo(nla):  # type: ignore[misc]
    """``struct xfrmu_sadhinfo``, ``struct xfrmu_spdhinfo``."""

    __slots__ = ()
    fields = (("buckets", "I"), ("max_buckets", "I"))


class PolicyCounts(nla):  # type: ignore[misc]
    """``struct xfrmu_spdinfo``: policies by direction, then those of sockets."""

    __slots__ = ()
    fields = tuple(
        (name, "I") for name in ("in", "out", "fwd", "in_sock", "out_sock", "fwd_sock")
    )


class HashThreshold(nla):  # type: ignore[misc]
    """``struct xfrmu_spdhthresh``: prefix lengths from which policies are hashed."""

    __slots__ = ()
    fields = (("local_bits", "B"), ("remote_bits", "B"))
