"""Netlink replies in, XFRM states and policies out.

Works on what a socket received and on recordings of it alike: messages one
behind the other, in the byte order of this machine. Keys are hashed here and
go no further.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, TypeVar

from runbooks.xfrm.columns.layouts import algorithm_name
from runbooks.xfrm.messages import PolicyMessage, StateMessage, XfrmMessage
from runbooks.xfrm.model import (
    Direction,
    Mark,
    XfrmPolicy,
    XfrmState,
    XfrmTemplate,
    hash_key_bytes,
)
from runbooks.xfrm.uapi import (
    MODES,
    NLMSG_DONE,
    NLMSG_NOOP,
    POLICY_ACTIONS,
    POLICY_DIRECTIONS,
    STATE_DIRECTIONS,
    XFRM_MSG_NEWPOLICY,
    XFRM_MSG_NEWSA,
    XFRM_MSG_UPDPOLICY,
    XFRM_MSG_UPDSA,
    XFRM_STATE_ESN,
)
from runbooks.xfrm.wire import XfrmDumpError, split_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_T = TypeVar("_T")

_NO_MASK = 0xFFFFFFFF


def parse_states(data: bytes) -> list[XfrmState]:
    """Read the reply to XFRM_MSG_GETSA.

    Args:
        data: NEWSA messages, one behind the other; NLMSG_DONE may follow.

    Returns:
        The states in the kernel's order, keys replaced by their hashes.

    Raises:
        XfrmDumpError: The bytes are something else, or cut short.
    """
    kinds = (XFRM_MSG_NEWSA, XFRM_MSG_UPDSA)
    return list(_read(data, kinds, StateMessage, state_of))


def parse_policies(data: bytes) -> list[XfrmPolicy]:
    """Read the reply to XFRM_MSG_GETPOLICY.

    Args:
        data: NEWPOLICY messages, one behind the other; NLMSG_DONE may follow.

    Returns:
        The policies in the kernel's order; those of single sockets left out.

    Raises:
        XfrmDumpError: The bytes are something else, or cut short.
    """
    kinds = (XFRM_MSG_NEWPOLICY, XFRM_MSG_UPDPOLICY)
    policies = _read(data, kinds, PolicyMessage, policy_of)
    return [policy for policy in policies if policy is not None]


def _read(
    data: bytes,
    kinds: tuple[int, int],
    message_class: type[XfrmMessage],
    read: Callable[[XfrmMessage], _T],
) -> Iterator[_T]:
    for kind, _, _, raw in split_messages(data):
        if kind in (NLMSG_NOOP, NLMSG_DONE):
            continue
        if kind not in kinds:
            raise XfrmDumpError(f"unexpected netlink message of type {kind:#x}")
        message = message_class(raw)
        try:
            message.decode()
            found = read(message)
        except XfrmDumpError:
            raise
        except ValueError as error:
            raise XfrmDumpError(str(error)) from None
        yield found


def state_of(message: XfrmMessage, info: Mapping[str, Any] | None = None) -> XfrmState:
    """Make a state of a decoded message.

    Args:
        message: Its attributes are those of the state.
        info: The fields of ``struct xfrm_usersa_info``; the message's own if not
            given.

    Returns:
        The state, its keys replaced by their hashes.

    Raises:
        XfrmDumpError: The address family is unknown.
    """
    info = message if info is None else info
    family = info["family"]
    algorithm, icv_bits, hashed, key_bits = _algorithm(message)
    esn = message.attribute("XFRMA_REPLAY_ESN_VAL")
    replay = message.attribute("XFRMA_REPLAY_VAL")
    seq = oseq = 0
    window = info["replay_window"]
    if esn is not None:
        seq = esn["seq_hi"] << 32 | esn["seq"]
        oseq = esn["oseq_hi"] << 32 | esn["oseq"]
        window = esn["replay_window"]
    elif replay is not None:
        seq, oseq = replay["seq"], replay["oseq"]
    return XfrmState(
        source=address_text(info["saddr"], family),
        destination=address_text(info["daddr"], family),
        spi=info["spi"],
        reqid=info["reqid"],
        mode=_mode(info["mode"]),
        mark=_mark(message),
        output_mark=_output_mark(message),
        algorithm=algorithm,
        icv_bits=icv_bits,
        key_hash=hashed,
        esn=bool(info["flags"] & XFRM_STATE_ESN),
        replay_window=window,
        seq=seq,
        oseq=oseq,
        bytes=info["bytes"],
        packets=info["packets"],
        added_s=info["add_time_s"] or None,
        used_s=info["use_time_s"] or None,
        replay_window_errors=info["replay_window_errors"],
        replay_errors=info["replay_errors"],
        integrity_errors=info["integrity_failed"],
        if_id=message.attribute("XFRMA_IF_ID") or 0,
        dir=_direction(message),
        key_bits=key_bits,
    )


def policy_of(
    message: XfrmMessage, info: Mapping[str, Any] | None = None
) -> XfrmPolicy | None:
    """Make a policy of a decoded message.

    Args:
        message: Its attributes are those of the policy.
        info: The fields of ``struct xfrm_userpolicy_info``; the message's own if
            not given.

    Returns:
        The policy; ``None`` for that of a single socket.

    Raises:
        XfrmDumpError: An address family is unknown.
    """
    info = message if info is None else info
    if info["dir"] >= len(POLICY_DIRECTIONS):
        return None  # The policy of a single socket.
    family = info["sel_family"]
    action = info["action"]
    return XfrmPolicy(
        source=f"{address_text(info['sel_saddr'], family)}/{info['sel_prefixlen_s']}",
        destination=f"{address_text(info['sel_daddr'], family)}"
        f"/{info['sel_prefixlen_d']}",
        direction=Direction(POLICY_DIRECTIONS[info["dir"]]),
        action=POLICY_ACTIONS[action] if action < len(POLICY_ACTIONS) else str(action),
        priority=info["priority"],
        mark=_mark(message),
        templates=tuple(
            XfrmTemplate(
                source=address_text(saddr, template_family),
                destination=address_text(daddr, template_family),
                spi=int.from_bytes(spi),
                reqid=reqid,
                mode=_mode(mode),
                optional=bool(optional),
            )
            for daddr, spi, _, template_family, saddr, reqid, mode, _, optional, *_ in (
                message.attribute("XFRMA_TMPL") or ()
            )
        ),
    )


def address_text(packed: bytes, family: int) -> str:
    """Write an ``xfrm_address_t`` as iproute2 does.

    Args:
        packed: 16 bytes, of which IPv4 uses the first four.
        family: ``AF_INET`` or ``AF_INET6``.

    Returns:
        The address as text.

    Raises:
        XfrmDumpError: The family is neither.
    """
    match family:
        case socket.AF_INET:
            return socket.inet_ntop(family, packed[:4])
        case socket.AF_INET6:
            return socket.inet_ntop(family, packed)
        case _:
            raise XfrmDumpError(f"unknown address family {family}")


def _mode(number: int) -> str:
    return MODES[number] if number < len(MODES) else str(number)


def _direction(message: XfrmMessage) -> Direction | None:
    number = message.attribute("XFRMA_SA_DIR") or 0
    name = STATE_DIRECTIONS[number] if number < len(STATE_DIRECTIONS) else None
    return Direction(name) if name else None


def _mark(message: XfrmMessage) -> Mark | None:
    mark = message.attribute("XFRMA_MARK")
    return None if mark is None else Mark(value=mark["v"], mask=mark["m"])


def _output_mark(message: XfrmMessage) -> Mark | None:
    value = message.attribute("XFRMA_SET_MARK")
    if value is None:
        return None
    mask = message.attribute("XFRMA_SET_MARK_MASK")
    return Mark(value=value, mask=_NO_MASK if mask is None else mask)


def _algorithm(
    message: XfrmMessage,
) -> tuple[str | None, int | None, str | None, int | None]:
    """Name, bits of the integrity check value, hash of the key, and its bits."""
    aead = message.attribute("XFRMA_ALG_AEAD")
    if aead is not None:
        icv_bits = aead["alg_icv_len_bits"]
        return _name(aead), icv_bits, _hash(aead), aead["alg_key_len_bits"]
    # The kernel reports authentication twice, for programs that know only the
    # older attribute.
    truncated = message.attribute("XFRMA_ALG_AUTH_TRUNC")
    auth = truncated or message.attribute("XFRMA_ALG_AUTH")
    crypt = message.attribute("XFRMA_ALG_CRYPT")
    parts = [part for part in (auth, crypt) if part is not None]
    if not parts:
        return None, None, None, None
    return (
        "+".join(_name(part) for part in parts),
        truncated["alg_trunc_len_bits"] if truncated else None,
        "+".join(_hash(part) for part in parts),
        sum(part["alg_key_len_bits"] for part in parts),
    )


def _name(algorithm: Mapping[str, Any]) -> str:
    return algorithm_name(algorithm["alg_name"])


def _hash(algorithm: Mapping[str, Any]) -> str:
    key: bytes = algorithm["alg_key"][: algorithm["alg_key_len_bits"] // 8]
    return hash_key_bytes(key)
