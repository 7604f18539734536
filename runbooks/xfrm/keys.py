"""The key file's line, the keys derived from it, and the key that follows it.

Two formats (Cilium, ``pkg/datapath/linux/ipsec``, ``ipSecLoadKeys``)::

    <id>[+] <AEAD> <hex key> <ICV bits>                 3+ rfc4106(gcm(aes)) ... 128
    <id>[+] <auth> <hex key> <encryption> <hex key>     3+ hmac(sha256) ... cbc(aes) ...

No message of this module carries any part of a key.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from dataclasses import dataclass, field, replace

from runbooks.xfrm.model import hash_key_bytes

__all__ = [
    "IpsecKey",
    "KeyFormatError",
    "derive_pair_key",
    "hash_key_bytes",
    "next_key",
    "parse_key",
]

KEY_ID_MIN = 1
KEY_ID_MAX = 15
ICV_BITS = (96, 128, 256)

#: A boot ID counts with its first 36 characters, a UUID's length.
_BOOT_ID_CHARACTERS = 36
#: Keys beyond SHA-256's output are derived with SHA-512.
_SHA256_BYTES = 32
_AEAD_PREFIX = "rfc"
_AEAD_FIELDS = 4
_AUTH_FIELDS = 5
# A key in the wrong place must not become a name, which messages may carry.
_ALGORITHM_NAME = re.compile(r"[a-z0-9_-]{1,24}(\([a-z0-9_(),-]{1,40}\))?")
_LONG_HEX = re.compile(r"(0x)?[0-9a-f]{12,}", re.IGNORECASE)


class KeyFormatError(ValueError):
    """The key line is malformed; the sentence says how, without the key."""


@dataclass(frozen=True, slots=True)
class IpsecKey:
    """One line of the key file.

    Attributes:
        key_id: Key ID, 1 to 15; the SPI of every state made from it.
        per_tunnel: Whether ``+`` asks for a key per pair.
        algorithm: The kernel's name of the AEAD, or of the authentication
            algorithm where there are two.
        key: Its key bytes, the salt included.
        icv_bits: Length of the AEAD's integrity check value; ``None`` where
            there are two algorithms.
        encryption_algorithm: The second algorithm, ``None`` for an AEAD.
        encryption_key: Its key bytes.
    """

    key_id: int
    per_tunnel: bool
    algorithm: str
    key: bytes = field(repr=False)
    icv_bits: int | None = None
    encryption_algorithm: str | None = None
    encryption_key: bytes = field(default=b"", repr=False)

    @property
    def key_bits(self) -> int:
        """Length of all its key material in bits."""
        return 8 * (len(self.key) + len(self.encryption_key))

    def line(self) -> str:
        """Write the line of the key file.

        Returns:
            The line, without a newline. It holds the key: write it into the
            key file or the Secret and nowhere else.
        """
        head = f"{self.key_id}{'+' if self.per_tunnel else ''} {self.algorithm}"
        if self.encryption_algorithm is None:
            return f"{head} {self.key.hex()} {self.icv_bits}"
        return (
            f"{head} {self.key.hex()} "
            f"{self.encryption_algorithm} {self.encryption_key.hex()}"
        )


def parse_key(text: str) -> IpsecKey:
    """Read the key file, or the Secret's ``keys``.

    Args:
        text: One line; white space around it does not matter.

    Returns:
        The key.

    Raises:
        KeyFormatError: It is malformed; the sentence says in which way.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise KeyFormatError("The key file is empty.")
    if len(lines) > 1:
        raise KeyFormatError(
            f"The key file has {len(lines)} lines; Cilium expects exactly one."
        )
    fields = lines[0].split()
    key_id, per_tunnel = _key_id(fields[0])
    if len(fields) < _AEAD_FIELDS:
        raise KeyFormatError(
            f"The key line has {len(fields)} fields, too few; it needs four "
            "(ID, AEAD, key, ICV bits) or five (ID, authentication, key, "
            "encryption, key)."
        )
    if len(fields) > _AUTH_FIELDS:
        raise KeyFormatError(
            f"The key line has {len(fields)} fields, too many; the longer format "
            "has five (ID, authentication, key, encryption, key)."
        )
    if len(fields) == _AEAD_FIELDS:
        return _aead_key(key_id, per_tunnel, fields)
    if fields[1].startswith(_AEAD_PREFIX):
        raise KeyFormatError(
            "The key line names an AEAD but has five fields; an AEAD takes four "
            "(ID, AEAD, key, ICV bits)."
        )
    return IpsecKey(
        key_id,
        per_tunnel,
        _algorithm(fields[1], "authentication algorithm"),
        _key_bytes(fields[2], "authentication key"),
        encryption_algorithm=_algorithm(fields[3], "encryption algorithm"),
        encryption_key=_key_bytes(fields[4], "encryption key"),
    )


def _aead_key(key_id: int, per_tunnel: bool, fields: list[str]) -> IpsecKey:
    algorithm = _algorithm(fields[1], "AEAD")
    if not algorithm.startswith(_AEAD_PREFIX):
        raise KeyFormatError(
            "The key line has four fields, but its second one is not the name of an "
            "AEAD, which begins with rfc, for example rfc4106(gcm(aes))."
        )
    key = _key_bytes(fields[2], "key")
    if fields[3] not in map(str, ICV_BITS):
        raise KeyFormatError(
            "The ICV length, last on the key line and in bits, is not 96, 128 or 256."
        )
    return IpsecKey(key_id, per_tunnel, algorithm, key, icv_bits=int(fields[3]))


def _key_id(text: str) -> tuple[int, bool]:
    per_tunnel = text.endswith("+")
    digits = text.removesuffix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise KeyFormatError(
            "The key ID, the first field of the key line, is not a number (with or "
            "without a + behind it)."
        )
    # Quoted only when short, and never longer than int() is willing to read.
    key_id = int(digits) if len(digits) <= 4 else None
    if key_id is None or not KEY_ID_MIN <= key_id <= KEY_ID_MAX:
        quoted = f" {key_id}" if key_id is not None else ""
        raise KeyFormatError(f"The key ID{quoted} is outside 1 to 15.")
    return key_id, per_tunnel


def _algorithm(text: str, what: str) -> str:
    if not _ALGORITHM_NAME.fullmatch(text) or _LONG_HEX.search(text):
        raise KeyFormatError(
            f"The {what} on the key line does not look like a kernel algorithm's "
            "name; the fields may be in the wrong order."
        )
    return text


def _key_bytes(text: str, what: str) -> bytes:
    digits = text.removeprefix("0x")
    if not digits:
        raise KeyFormatError(f"The {what} is empty behind its 0x.")
    if not re.fullmatch("[0-9a-fA-F]+", digits):
        raise KeyFormatError(
            f"The {what} holds something that is not a hexadecimal digit."
        )
    if len(digits) % 2:
        raise KeyFormatError(
            f"The {what} has {len(digits)} hexadecimal digits, an odd number; "
            "every byte takes two."
        )
    return bytes.fromhex(digits)


def derive_pair_key(
    key: bytes,
    source_ip: str,
    destination_ip: str,
    source_boot_id: str,
    destination_boot_id: str,
) -> bytes:
    """Derive the key of one pair, as Cilium's ``computeNodeIPsecKey`` does.

    Both nodes derive the same key for the states from source to destination:
    it says "source" and "destination" of the packets, not "own" and "peer". ::

        node A, outbound to B  =  node B, inbound from A:   key(A, B)
        node B, outbound to A  =  node A, inbound from B:   key(B, A)

    Args:
        key: Key bytes of the key file's line.
        source_ip: Outer source address of the state.
        destination_ip: Outer destination address of the state.
        source_boot_id: Boot ID of the source's node.
        destination_boot_id: Boot ID of the destination's node.

    Returns:
        As many bytes as the key has.

    Raises:
        ValueError: An address is not one.
    """
    source = ipaddress.ip_address(source_ip)
    destination = ipaddress.ip_address(destination_ip)
    digest = hashlib.sha256 if len(key) <= _SHA256_BYTES else hashlib.sha512
    hashed = digest(
        key
        + source.packed
        + destination.packed
        + source_boot_id[:_BOOT_ID_CHARACTERS].encode()
        + destination_boot_id[:_BOOT_ID_CHARACTERS].encode()
    )
    return hashed.digest()[: len(key)]


def next_key(key: IpsecKey, per_tunnel: bool | None = None) -> IpsecKey:
    """Draw the key that follows in a rotation.

    Args:
        key: The key in use.
        per_tunnel: Whether the new line carries ``+``; ``None`` keeps it as is.

    Returns:
        A key of the same algorithm and length from the system's random source,
        under the next ID; 1 follows 15.
    """
    return replace(
        key,
        key_id=key.key_id % KEY_ID_MAX + 1,
        per_tunnel=key.per_tunnel if per_tunnel is None else per_tunnel,
        key=secrets.token_bytes(len(key.key)),
        encryption_key=secrets.token_bytes(len(key.encryption_key)),
    )
