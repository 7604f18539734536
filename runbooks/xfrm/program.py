"""What to program into a kernel, and the netlink messages that say it.

The two ends of one pair carry the same key and differ in marks and in who is
"source": the same :class:`NewState` shape serves inbound and outbound.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbooks.xfrm.messages import (
    PolicyIdMessage,
    PolicyMessage,
    SecretBytes,
    StateEventMessage,
    StateIdMessage,
    StateMessage,
)
from runbooks.xfrm.uapi import (
    MODES,
    POLICY_ACTIONS,
    POLICY_DIRECTIONS,
    XFRM_INF,
    XFRM_STATE_ESN,
)

if TYPE_CHECKING:
    from runbooks.xfrm.model import Direction, Mark, XfrmState, XfrmTemplate

#: A window up to this fits the state itself; a larger one needs the ESN context.
LEGACY_REPLAY_WINDOW_MAX = 32

_NO_LIMIT = {
    f"{kind}_{what}_limit": XFRM_INF
    for kind in ("soft", "hard")
    for what in ("byte", "packet")
}
_ANY_ALGORITHM = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class NewState:
    """An XFRM state to program: ESP, without a lifetime.

    Attributes:
        source: Outer source address.
        destination: Outer destination address, of the same family.
        spi: Security parameter index.
        algorithm: The kernel's name of the AEAD, or of the authentication
            algorithm if ``encryption_algorithm`` is given as well.
        key: Its key, salt included.
        icv_bits: Length of the integrity check value, in bits; 0 leaves an
            authentication algorithm its default.
        mark: Mark that selects the state.
        output_mark: Mark that the state sets on packets, if any.
        encryption_algorithm: For example ``cbc(aes)``; ``None`` for an AEAD.
        encryption_key: Its key.
        reqid: Request ID.
        esn: Whether sequence numbers have 64 bits.
        replay_window: In packets.
        mode: ``tunnel`` or ``transport``.
        protocol: Number of the IP protocol, ESP by default.
    """

    source: str
    destination: str
    spi: int
    algorithm: str
    key: bytes = field(repr=False)
    icv_bits: int
    mark: Mark
    output_mark: Mark | None = None
    encryption_algorithm: str | None = None
    encryption_key: bytes = field(default=b"", repr=False)
    reqid: int = 1
    esn: bool = True
    replay_window: int = 1024
    mode: str = "tunnel"
    protocol: int = socket.IPPROTO_ESP


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """An XFRM policy to program, or to delete.

    The kernel tells policies apart by selector, direction and mark.

    Attributes:
        source: Selector's source prefix, for example ``0.0.0.0/0``.
        destination: Selector's destination prefix, of the same family.
        direction: ``in``, ``out`` or ``fwd``.
        action: ``allow`` or ``block``.
        priority: Lower is tried first.
        mark: Mark that selects the policy, if any.
        template: The states that it demands, if any.
    """

    source: str
    destination: str
    direction: Direction
    action: str = "allow"
    priority: int = 0
    mark: Mark | None = None
    template: XfrmTemplate | None = None


def state_message(state: NewState) -> StateMessage:
    """Write NEWSA for a state.

    Args:
        state: The state.

    Returns:
        The message without its header.

    Raises:
        ValueError: An address is not one.
    """
    family, source = pack_address(state.source)
    _, destination = pack_address(state.destination)
    # Without ESN the kernel keeps small windows in the state itself; asked for
    # an ESN context there, it would show another layout than older agents'.
    needs_context = state.esn or state.replay_window > LEGACY_REPLAY_WINDOW_MAX
    message = StateMessage()
    message.update(
        sel_family=family,
        daddr=destination,
        saddr=source,
        spi=state.spi,
        proto=state.protocol,
        reqid=state.reqid,
        family=family,
        mode=MODES.index(state.mode),
        replay_window=0 if needs_context else state.replay_window,
        flags=XFRM_STATE_ESN if state.esn else 0,
        **_NO_LIMIT,
    )
    message["attrs"] = [*_algorithm_attributes(state), _mark_attribute(state.mark)]
    if state.output_mark is not None:
        message["attrs"] += [
            ("XFRMA_SET_MARK", state.output_mark.value),
            ("XFRMA_SET_MARK_MASK", state.output_mark.mask),
        ]
    if needs_context:
        words = (state.replay_window + 31) // 32
        context = {
            "bmp_len": words,
            "replay_window": state.replay_window,
            "bmp": bytes(words * 4),
        }
        message["attrs"].append(("XFRMA_REPLAY_ESN_VAL", context))
    return message


def state_id_message(
    destination: str, spi: int, mark: Mark | None, protocol: int
) -> StateIdMessage:
    """Write DELSA or GETSA for one state.

    Args:
        destination: Outer destination address.
        spi: Security parameter index.
        mark: Mark and mask of the state.
        protocol: Number of the IP protocol.

    Returns:
        The message without its header.

    Raises:
        ValueError: The address is not one.
    """
    family, packed = pack_address(destination)
    message = StateIdMessage()
    message.update(daddr=packed, spi=spi, family=family, proto=protocol)
    message["attrs"] = [] if mark is None else [_mark_attribute(mark)]
    return message


def last_sent_message(state: XfrmState, oseq: int) -> StateEventMessage:
    """Write NEWAE that sets the last number that a state has sent.

    Args:
        state: The state.
        oseq: The number.

    Returns:
        The message without its header.

    Raises:
        ValueError: The state has extended sequence numbers, which stand elsewhere.
    """
    if state.esn:
        raise ValueError(
            f"XFRM state {state.source} -> {state.destination} SPI {state.spi} has "
            "extended sequence numbers"
        )
    family, packed = pack_address(state.destination)
    message = StateEventMessage()
    message.update(
        daddr=packed,
        spi=state.spi,
        family=family,
        proto=socket.IPPROTO_ESP,
        saddr=pack_address(state.source)[1],
        reqid=state.reqid,
    )
    replay = {"oseq": oseq, "seq": state.seq, "bitmap": 0}
    message["attrs"] = [("XFRMA_REPLAY_VAL", replay)]
    if state.mark is not None:
        message["attrs"].append(_mark_attribute(state.mark))
    return message


def policy_message(policy: NewPolicy) -> PolicyMessage:
    """Write NEWPOLICY or UPDPOLICY for a policy.

    Args:
        policy: The policy.

    Returns:
        The message without its header.

    Raises:
        ValueError: An address or prefix is not one.
    """
    message = PolicyMessage()
    message.update(
        _selector(policy),
        priority=policy.priority,
        dir=POLICY_DIRECTIONS.index(policy.direction),
        action=POLICY_ACTIONS.index(policy.action),
        **_NO_LIMIT,
    )
    attributes: list[tuple[str, object]] = []
    if policy.template is not None:
        attributes.append(("XFRMA_TMPL", [_template(policy.template)]))
    if policy.mark is not None:
        attributes.append(_mark_attribute(policy.mark))
    message["attrs"] = attributes
    return message


def policy_id_message(policy: NewPolicy) -> PolicyIdMessage:
    """Write DELPOLICY for a policy.

    Args:
        policy: The policy; only selector, direction and mark count.

    Returns:
        The message without its header.

    Raises:
        ValueError: A prefix is not one.
    """
    message = PolicyIdMessage()
    message.update(
        _selector(policy), index=0, dir=POLICY_DIRECTIONS.index(policy.direction)
    )
    message["attrs"] = [] if policy.mark is None else [_mark_attribute(policy.mark)]
    return message


def pack_address(text: str) -> tuple[int, bytes]:
    """Write an address as an ``xfrm_address_t``.

    Args:
        text: IPv4 or IPv6 address.

    Returns:
        Address family and 16 bytes.

    Raises:
        ValueError: It is not an address.
    """
    address = ipaddress.ip_address(text)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return family, address.packed.ljust(16, b"\0")


def _selector(policy: NewPolicy) -> dict[str, int | bytes]:
    # The kernel keeps bits behind the prefix, and tells policies apart by them.
    source = ipaddress.ip_interface(policy.source)
    destination = ipaddress.ip_interface(policy.destination)
    family, packed_source = pack_address(str(source.ip))
    _, packed_destination = pack_address(str(destination.ip))
    return {
        "sel_saddr": packed_source,
        "sel_daddr": packed_destination,
        "sel_prefixlen_s": source.network.prefixlen,
        "sel_prefixlen_d": destination.network.prefixlen,
        "sel_family": family,
    }


def _template(template: XfrmTemplate) -> tuple[object, ...]:
    family, source = pack_address(template.source)
    _, destination = pack_address(template.destination)
    return (
        destination,
        template.spi.to_bytes(4),
        socket.IPPROTO_ESP,
        family,
        source,
        template.reqid,
        MODES.index(template.mode),
        0,
        int(template.optional),
        *(_ANY_ALGORITHM,) * 3,
    )


def _mark_attribute(mark: Mark) -> tuple[str, dict[str, int]]:
    return "XFRMA_MARK", {"v": mark.value, "m": mark.mask}


def _algorithm_attributes(state: NewState) -> list[tuple[str, dict[str, object]]]:
    first = _algorithm(state.algorithm, state.key)
    if state.encryption_algorithm is None:
        return [("XFRMA_ALG_AEAD", {**first, "alg_icv_len_bits": state.icv_bits})]
    return [
        ("XFRMA_ALG_AUTH_TRUNC", {**first, "alg_trunc_len_bits": state.icv_bits}),
        (
            "XFRMA_ALG_CRYPT",
            _algorithm(state.encryption_algorithm, state.encryption_key),
        ),
    ]


def _algorithm(name: str, key: bytes) -> dict[str, object]:
    return {
        "alg_name": name.encode(),
        "alg_key_len_bits": len(key) * 8,
        "alg_key": SecretBytes(key),
    }
