"""Netlink dumps of XFRM, with all that differs from cluster to cluster named.

What is named: addresses (by whose they are), node IDs, SPIs. What is left out: keys,
times, counts, and the kernel's own numbering of policies. All else stands as the
kernel gave it, so that two dumps can be compared field by field.
"""

from __future__ import annotations

import base64
import socket
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from runbooks.xfrm.dump import address_text
from runbooks.xfrm.messages import PolicyMessage, SecretBytes, StateMessage
from runbooks.xfrm.uapi import NLMSG_DONE, XFRM_MSG_NEWPOLICY, XFRM_MSG_NEWSA
from runbooks.xfrm.wire import split_messages

if TYPE_CHECKING:
    from collections.abc import Mapping

_MESSAGES = {XFRM_MSG_NEWSA: StateMessage, XFRM_MSG_NEWPOLICY: PolicyMessage}
_COUNTED = {
    *("bytes", "packets", "add_time_s", "use_time_s", "index"),
    *("replay_window_errors", "replay_errors", "integrity_failed"),
    *("seq", "oseq", "seq_hi", "oseq_hi", "bitmap"),
}
_LAST_USED = "XFRMA_LASTUSED"
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_DUMP = """
import base64
from runbooks.xfrm.uapi import XFRM_MSG_GETPOLICY, XFRM_MSG_GETSA
from runbooks.xfrm.netlink import XfrmSocket
for kind in (XFRM_MSG_GETSA, XFRM_MSG_GETPOLICY):
    print(base64.b64encode(XfrmSocket()._dump(kind, "read")).decode())
"""


def dump_of(lab, node: str) -> SecretBytes:
    """What a lab node's kernel answers to GETSA, then to GETPOLICY.

    It holds keys, so it does not show itself.
    """
    answer = lab.client.run(node, [sys.executable, "-c", _DUMP])
    assert answer.status == 0, answer.stderr
    lines = answer.stdout.splitlines()
    return SecretBytes(b"".join(base64.b64decode(line) for line in lines))


def fields_of(dump: bytes, whose: Mapping[str, str], version: int) -> Counter[str]:
    """Every state and policy of an IP family, and how often it is there.

    Args:
        dump: What the kernel answered.
        whose: A name for every address, such as ``own CiliumInternalIP``.
        version: 4 or 6.
    """
    found: Counter[str] = Counter()
    for kind, _, _, raw in split_messages(dump):
        if kind == NLMSG_DONE:
            continue
        message = _MESSAGES[kind](raw)
        message.decode()
        if message["sel_family"] == _FAMILIES[version]:
            found[_text(_fields(message, whose))] += 1
    return found


def _fields(message: Any, whose: Mapping[str, str]) -> dict[str, Any]:
    family = message["sel_family"]
    fields: dict[str, Any] = {"message": type(message).__name__}
    for name, value in message.items():
        if name in ("header", "attrs", *_COUNTED) or name.endswith("pad"):
            continue
        if name.endswith(("saddr", "daddr")):
            fields[name] = _name(value, family, whose)
        else:
            fields[name] = _spi(value) if name == "spi" else value
    for slot in message["attrs"]:
        if slot.name != _LAST_USED:
            value = message.attribute(slot.name)
            fields[slot.name] = _attribute(slot.name, value, family, whose)
    return fields


def _attribute(name: str, value: Any, family: int, whose: Mapping[str, str]) -> Any:
    if name == "XFRMA_MARK":
        return _mark(value["v"], value["m"])
    if name == "XFRMA_TMPL":
        return [_template(template, family, whose) for template in value]
    if name.startswith("XFRMA_ALG"):
        return {k: v for k, v in value.items() if k != "alg_key"}
    if name in ("XFRMA_REPLAY_ESN_VAL", "XFRMA_REPLAY_VAL"):
        kept = {k: v for k, v in value.items() if k not in _COUNTED}
        return kept | {"bmp": len(value.get("bmp", b""))}
    return value


def _template(template: Any, family: int, whose: Mapping[str, str]) -> list[Any]:
    destination, spi, protocol, template_family, source, *rest = template
    return [
        _name(destination, family, whose),
        _spi(int.from_bytes(spi)),
        protocol,
        template_family,
        _name(source, family, whose),
        *rest,
    ]


def _mark(value: int, mask: int) -> str:
    node_id = "node ID " if value >> 16 else ""
    spi = "SPI " if value & 0xF000 else ""
    return f"{node_id}{spi}{value & 0xFFF:#x}/{mask:#x}"


def _spi(spi: int) -> str:
    return "SPI" if spi else "any"


def _name(packed: bytes, family: int, whose: Mapping[str, str]) -> str:
    address = address_text(packed, family)
    return "any" if address in ("0.0.0.0", "::") else whose[address]


def _text(fields: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in sorted(fields.items()))
