"""Layouts: where the fields of a kernel's XFRM state messages stand.

A kernel writes its states in few layouts: the same length, the same attributes in
the same order, the same algorithm. What is constant in a layout is compared byte
for byte; the rest of a thousand messages is then picked out column by column,
without an object for each field.

Only what the kernel itself writes gets a layout. Anything else, however
well-formed, is left to the declared messages (:mod:`runbooks.xfrm.dump`).
"""

from __future__ import annotations

import struct
import sys
from socket import AF_INET, AF_INET6

from runbooks.xfrm.columns.states import HAS_ESN, HAS_MARK, HAS_OUTPUT_MARK
from runbooks.xfrm.uapi import (
    NLA_HEADER,
    NLMSG_HEADER,
    STATE_DIRECTIONS,
    XFRM_MSG_NEWSA,
    XFRM_MSG_UPDSA,
    XFRM_STATE_ESN,
    XFRMA_ALG_AEAD,
    XFRMA_ALG_AUTH,
    XFRMA_ALG_AUTH_TRUNC,
    XFRMA_ALG_CRYPT,
    XFRMA_ENCAP,
    XFRMA_IF_ID,
    XFRMA_LASTUSED,
    XFRMA_MARK,
    XFRMA_OFFLOAD_DEV,
    XFRMA_PAD,
    XFRMA_REPLAY_ESN_VAL,
    XFRMA_REPLAY_VAL,
    XFRMA_SA_DIR,
    XFRMA_SA_EXTRA_FLAGS,
    XFRMA_SET_MARK,
    XFRMA_SET_MARK_MASK,
    XFRMA_TFCPAD,
)

TYPE_CHECKING = False  # Importing typing would cost a tenth of a start.
if TYPE_CHECKING:
    Words = tuple[int, ...]

#: Bytes of a message up to its attributes: header, struct xfrm_usersa_info.
_FIXED = NLMSG_HEADER.size + 224
#: Family, mode, window and flags stand here.
_KIND = NLMSG_HEADER.size + 212
_KIND_FIELDS = struct.Struct("=HBBB3x")
_NO_MASK = 0xFFFFFFFF

#: Words of 4 bytes, counted from a message's beginning.
_FIXED_WORDS: dict[str, Words] = {
    "destination": (18, 19, 20, 21),
    "spi": (22,),
    "source": (24, 25, 26, 27),
    "bytes": (44, 45),
    "packets": (46, 47),
    "added_s": (48, 49),
    "used_s": (50, 51),
    "replay_window_errors": (52,),
    "replay_errors": (53,),
    "integrity_errors": (54,),
    "reqid": (56,),
}
#: Attributes whose payload has one size, and the columns of its words.
_SIZES = {
    XFRMA_REPLAY_VAL: 12,
    XFRMA_LASTUSED: 8,
    XFRMA_MARK: 8,
    XFRMA_SA_EXTRA_FLAGS: 4,
    XFRMA_SET_MARK: 4,
    XFRMA_SET_MARK_MASK: 4,
    XFRMA_IF_ID: 4,
    XFRMA_SA_DIR: 1,
    XFRMA_ENCAP: 24,
    XFRMA_TFCPAD: 4,
    XFRMA_OFFLOAD_DEV: 8,
}
#: Bytes in front of the key: name, key length, and for some another length.
_ALGORITHMS = {
    XFRMA_ALG_AUTH: 68,
    XFRMA_ALG_CRYPT: 68,
    XFRMA_ALG_AEAD: 72,
    XFRMA_ALG_AUTH_TRUNC: 72,
}
_ALGORITHM_FIELDS = struct.Struct("=64sI")
_BIG_ENDIAN = sys.byteorder == "big"


class Layout:
    """Where one layout has its fields.

    Attributes:
        words: By column, the words that make up a value.
        values: By column, the value where it is the same for all messages.
        algorithm: Name, bits of the integrity check value, bits of the keys,
            number of keys.
        keys: First word and number of words of each key.
    """

    __slots__ = (
        "_check",
        "_constant_words",
        "_constants",
        "algorithm",
        "keys",
        "values",
        "words",
    )

    def __init__(
        self,
        message: memoryview,
        constants: list[tuple[int, int]],
        words: dict[str, Words],
        values: dict[str, int],
        algorithm: tuple[str | None, int | None, int | None, int],
        keys: list[tuple[int, int]],
    ) -> None:
        layout, end = "=", 0
        for start, size in constants:
            layout += f"{start - end}x{size}s"
            end = start + size
        self._check = struct.Struct(layout)
        self._constants = self._check.unpack_from(message)
        self._constant_words = [
            (place // 4, bytes(message[place : place + 4]))
            for start, size in constants
            for place in range(start, start + size, 4)
        ]
        self.words = words
        self.values = values
        self.algorithm = algorithm
        self.keys = keys

    def fits(self, block: memoryview, offset: int) -> bool:
        """Whether a message of the same length has this layout.

        Args:
            block: Messages.
            offset: Where this one begins.
        """
        found: tuple[bytes, ...] = self._check.unpack_from(block, offset)
        return found == self._constants

    def fits_all(self, words: memoryview, count: int) -> bool:
        """Whether all of some messages have this layout.

        Args:
            words: Messages of the same length, as words of 4 bytes.
            count: Number of messages.
        """
        stride = len(words) // count
        return all(
            words[place::stride].tobytes() == value * count
            for place, value in self._constant_words
        )


def layout_of(message: memoryview) -> Layout | None:
    """Find the layout of a state message.

    Args:
        message: One whole message.

    Returns:
        The layout, or ``None`` for a message that is malformed or that carries
        what kernels don't write into the states of a dump.
    """
    length = len(message)
    if length < _FIXED or length % 4:
        return None
    _, message_type, _, _, _ = NLMSG_HEADER.unpack_from(message)
    family, mode, window, flags = _KIND_FIELDS.unpack_from(message, _KIND)
    if message_type not in (XFRM_MSG_NEWSA, XFRM_MSG_UPDSA):
        return None
    if family not in (AF_INET, AF_INET6):
        return None
    attributes = _attributes(message)
    if attributes is None:
        return None
    constants = [(0, 8), (_KIND, _KIND_FIELDS.size)]
    words = {**_FIXED_WORDS}
    for kind, start, size in attributes.values():
        constants.append((start - NLA_HEADER.size, _constant_bytes(kind) + 4))
        if not _payload_is_whole(message, kind, start, size):
            return None
    algorithm = _algorithm(message, attributes)
    values = {
        "family": family,
        "mode": mode,
        "features": HAS_ESN if flags & XFRM_STATE_ESN else 0,
    }
    _add_replay(attributes, words, values, window)
    _add_marks(attributes, words, values)
    if XFRMA_IF_ID in attributes:
        words["if_id"] = (attributes[XFRMA_IF_ID][1] // 4,)
    if XFRMA_SA_DIR in attributes:
        number = message[attributes[XFRMA_SA_DIR][1]]
        values["dir"] = number if number < len(STATE_DIRECTIONS) else 0
    return Layout(message, constants, words, values, *algorithm)


def algorithm_name(name: bytes) -> str:
    """Read an algorithm's name from its 64 bytes.

    Args:
        name: ``alg_name``, ended by a zero byte.

    Returns:
        The name.
    """
    return name.split(b"\0", 1)[0].decode("ascii", "replace")


def _attributes(message: memoryview) -> dict[int, tuple[int, int, int]] | None:
    """Type, start and size of each payload by type; ``None`` if one is odd."""
    found: dict[int, tuple[int, int, int]] = {}
    offset = _FIXED
    while offset < len(message):
        size, kind = NLA_HEADER.unpack_from(message, offset)
        if not NLA_HEADER.size <= size <= len(message) - offset or kind in found:
            return None
        found[kind] = kind, offset + NLA_HEADER.size, size - NLA_HEADER.size
        offset += (size + 3) & ~3
    return found


def _constant_bytes(kind: int) -> int:
    if kind in _ALGORITHMS:
        return _ALGORITHMS[kind]
    if kind == XFRMA_REPLAY_ESN_VAL:
        return 4  # The length of the bit map.
    return 4 if kind == XFRMA_SA_DIR else 0  # Padded.


def _payload_is_whole(message: memoryview, kind: int, start: int, size: int) -> bool:
    if kind in _SIZES:
        return size == _SIZES[kind]
    if kind == XFRMA_REPLAY_ESN_VAL:
        return size >= 24 and size - 24 == 4 * _word(message, start)
    if kind in _ALGORITHMS:
        fixed = _ALGORITHMS[kind]
        if size < fixed:
            return False
        bits = _word(message, start + 64)
        return bits > 0 and bits % 32 == 0 and size == fixed + bits // 8
    return kind == XFRMA_PAD


def _word(message: memoryview, start: int) -> int:
    return int.from_bytes(message[start : start + 4], sys.byteorder)


def _algorithm(
    message: memoryview, attributes: dict[int, tuple[int, int, int]]
) -> tuple[
    tuple[str | None, int | None, int | None, int],
    list[tuple[int, int]],
]:
    # The kernel reports authentication twice, for programs that know only the
    # older attribute.
    auth = XFRMA_ALG_AUTH_TRUNC
    if auth not in attributes:
        auth = XFRMA_ALG_AUTH
    if XFRMA_ALG_AEAD in attributes:
        kinds = [XFRMA_ALG_AEAD]
    else:
        kinds = [kind for kind in (auth, XFRMA_ALG_CRYPT) if kind in attributes]
    if not kinds:
        return (None, None, None, 0), []
    names, keys, key_bits, icv_bits = [], [], 0, None
    for kind in kinds:
        _, start, _ = attributes[kind]
        name, bits = _ALGORITHM_FIELDS.unpack_from(message, start)
        if kind in (XFRMA_ALG_AEAD, XFRMA_ALG_AUTH_TRUNC):
            icv_bits = _word(message, start + _ALGORITHM_FIELDS.size)
        names.append(algorithm_name(name))
        keys.append(((start + _ALGORITHMS[kind]) // 4, bits // 32))
        key_bits += bits
    return ("+".join(names), icv_bits, key_bits, len(kinds)), keys


def _add_replay(
    attributes: dict[int, tuple[int, int, int]],
    words: dict[str, Words],
    values: dict[str, int],
    window: int,
) -> None:
    if XFRMA_REPLAY_ESN_VAL in attributes:
        first = attributes[XFRMA_REPLAY_ESN_VAL][1] // 4
        _, oseq, seq, oseq_hi, seq_hi, window_word = range(first, first + 6)
        words["seq"] = (seq_hi, seq) if _BIG_ENDIAN else (seq, seq_hi)
        words["oseq"] = (oseq_hi, oseq) if _BIG_ENDIAN else (oseq, oseq_hi)
        words["replay_window"] = (window_word,)
        return
    values["replay_window"] = window
    if XFRMA_REPLAY_VAL in attributes:
        first = attributes[XFRMA_REPLAY_VAL][1] // 4
        words["oseq"] = (first,)
        words["seq"] = (first + 1,)


def _add_marks(
    attributes: dict[int, tuple[int, int, int]],
    words: dict[str, Words],
    values: dict[str, int],
) -> None:
    if XFRMA_MARK in attributes:
        first = attributes[XFRMA_MARK][1] // 4
        words["mark_value"], words["mark_mask"] = (first,), (first + 1,)
        values["features"] |= HAS_MARK
    if XFRMA_SET_MARK in attributes:
        words["output_mark_value"] = (attributes[XFRMA_SET_MARK][1] // 4,)
        values["features"] |= HAS_OUTPUT_MARK
        if XFRMA_SET_MARK_MASK in attributes:
            words["output_mark_mask"] = (attributes[XFRMA_SET_MARK_MASK][1] // 4,)
        else:
            values["output_mark_mask"] = _NO_MASK
