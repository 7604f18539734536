"""XFRM states and policies of this kernel, read and programmed over netlink.

A plain socket with pyroute2's message framework. pyroute2's own sockets run an
event loop that belongs to one thread; this one may be used from several (it
holds a lock for each request), costs one ``sendto`` and one ``recv`` per
request, and needs ``CAP_NET_ADMIN``.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self

from runbooks.xfrm.dump import (
    NLMSG_DONE,
    NLMSG_HEADER,
    XfrmDumpError,
    parse_policies,
    parse_states,
    split_messages,
)
from runbooks.xfrm.messages import (
    NETLINK_XFRM,
    XFRM_MSG_DELPOLICY,
    XFRM_MSG_DELSA,
    XFRM_MSG_FLUSHPOLICY,
    XFRM_MSG_FLUSHSA,
    XFRM_MSG_GETPOLICY,
    XFRM_MSG_GETSA,
    XFRM_MSG_NEWAE,
    XFRM_MSG_NEWPOLICY,
    XFRM_MSG_NEWSA,
    XFRM_MSG_UPDPOLICY,
    DumpMessage,
    FlushMessage,
)
from runbooks.xfrm.program import (
    NewPolicy,
    NewState,
    last_sent_message,
    policy_id_message,
    policy_message,
    state_id_message,
    state_message,
)

if TYPE_CHECKING:
    from types import TracebackType

    from runbooks.xfrm.messages import XfrmMessage
    from runbooks.xfrm.model import Mark, XfrmPolicy, XfrmState

__all__ = [
    "NewPolicy",
    "NewState",
    "XfrmDumpError",
    "XfrmError",
    "XfrmSocket",
    "parse_policies",
    "parse_states",
]

# include/uapi/linux/netlink.h
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NLMSG_ERROR = 2
_NLMSGERR_ATTR_MSG = 1
_NLM_F_REQUEST = 0x1
_NLM_F_ACK = 0x4
_NLM_F_DUMP_INTR = 0x10
_NLM_F_ACK_TLVS = 0x200
_NLM_F_DUMP = 0x300
_NLM_F_REPLACE = 0x100

#: The kernel fills dump messages up to 32 KiB, whatever the buffer.
_RECEIVE_BYTES = 65536
#: Limit for a reply of a local kernel that answers within one system call.
_RECEIVE_TIMEOUT_S = 10.0
_DUMP_TRIES = 5


class XfrmError(OSError):
    """The kernel refused a request.

    ``errno`` tells why, for example ``EEXIST`` for a state that is there
    already and ``ESRCH`` for one that is not.
    """


class XfrmSocket:
    """A socket to the kernel's XFRM database of this network namespace.

    Use it as a context manager, or call :meth:`close`.

    Raises:
        XfrmError: The kernel has no XFRM (``EPROTONOSUPPORT``).
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_XFRM
            )
        except OSError as error:
            raise XfrmError(
                error.errno,
                f"cannot open an XFRM socket ({os.strerror(error.errno or 0)}): "
                "is the kernel module xfrm_user there?",
            ) from error
        self._socket.settimeout(_RECEIVE_TIMEOUT_S)
        # Answers must not carry requests back: those hold keys.
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        self._socket.bind((0, 0))
        self._sequence = itertools.count(1)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; more than once does no harm."""
        self._socket.close()

    def states(self) -> list[XfrmState]:
        """Read all XFRM states.

        Returns:
            The states in the kernel's order.

        Raises:
            XfrmError: The kernel refused, or the states kept changing.
        """
        return parse_states(self._dump(XFRM_MSG_GETSA, "read the XFRM states"))

    def policies(self) -> list[XfrmPolicy]:
        """Read all XFRM policies.

        Returns:
            The policies in the kernel's order.

        Raises:
            XfrmError: The kernel refused, or the policies kept changing.
        """
        return parse_policies(self._dump(XFRM_MSG_GETPOLICY, "read the XFRM policies"))

    def add_state(self, state: NewState) -> None:
        """Add a state.

        The kernel's check for an existing one ignores the source address:
        another source with the same destination, mark and SPI is ``EEXIST``.

        Args:
            state: The state.

        Raises:
            XfrmError: The kernel refused; ``EEXIST`` if there is one already.
        """
        self._request(
            XFRM_MSG_NEWSA,
            state_message(state),
            f"add XFRM state {state.source} -> {state.destination} SPI {state.spi}",
        )

    def delete_state(
        self,
        destination: str,
        spi: int,
        mark: Mark | None,
        protocol: int = socket.IPPROTO_ESP,
    ) -> None:
        """Delete a state, and never another one in its place.

        The kernel deletes the first state whose own mask lets the given mark
        through: a general one can hide the specific one that was meant. So it
        is asked first which one it would take.

        Args:
            destination: Outer destination address.
            spi: Security parameter index.
            mark: Mark and mask of the state, exactly as it has them.
            protocol: Number of the IP protocol, ESP by default.

        Raises:
            XfrmError: The kernel refused; ``ESRCH`` if there is no such state,
                ``ENOTUNIQ`` if it would delete one with another mark.
        """
        wanted = f"XFRM state to {destination} SPI {spi} {_mark_text(mark)}"
        identity = state_id_message(destination, spi, mark, protocol)
        reply = self._request(XFRM_MSG_GETSA, identity, f"find {wanted}")
        for found in parse_states(reply):
            if found.mark != mark:
                raise XfrmError(
                    errno.ENOTUNIQ,
                    f"will not delete {wanted}: the kernel would take the one "
                    f"with {_mark_text(found.mark)} instead; delete that one first",
                )
        identity = state_id_message(destination, spi, mark, protocol)
        self._request(XFRM_MSG_DELSA, identity, f"delete {wanted}")

    def set_last_sent(self, state: XfrmState, oseq: int) -> None:
        """Set the last number that a state has sent; the next one is one higher.

        The state works on. Only for those without extended sequence numbers, for
        which there is an end to reach.

        Args:
            state: The state.
            oseq: The number, at most 2^32 - 1.

        Raises:
            ValueError: The state has extended sequence numbers.
            XfrmError: The kernel refused; ``ESRCH`` if there is no such state.
        """
        purpose = f"set the last number of XFRM state to {state.destination}"
        message = last_sent_message(state, oseq)
        flags = _NLM_F_REQUEST | _NLM_F_ACK | _NLM_F_REPLACE
        self._exchange(XFRM_MSG_NEWAE, flags, message, purpose)

    def flush_states(self) -> None:
        """Delete every XFRM state, Cilium's or not.

        Raises:
            XfrmError: The kernel refused.
        """
        message = FlushMessage()
        message["proto"] = 0  # any
        try:
            self._request(XFRM_MSG_FLUSHSA, message, "delete all XFRM states")
        except XfrmError as error:
            if error.errno != errno.ESRCH:  # Nothing to delete, kernels before 5.11.
                raise

    def add_policy(self, policy: NewPolicy) -> None:
        """Add a policy.

        Args:
            policy: The policy.

        Raises:
            XfrmError: The kernel refused; ``EEXIST`` if there is one with the
                same selector, direction and mark.
        """
        self._request(
            XFRM_MSG_NEWPOLICY, policy_message(policy), f"add {_policy_text(policy)}"
        )

    def update_policy(self, policy: NewPolicy) -> None:
        """Add a policy or replace the one that is there, at once.

        Args:
            policy: The policy.

        Raises:
            XfrmError: The kernel refused.
        """
        self._request(
            XFRM_MSG_UPDPOLICY, policy_message(policy), f"update {_policy_text(policy)}"
        )

    def delete_policy(self, policy: NewPolicy) -> None:
        """Delete a policy.

        Args:
            policy: Only selector, direction and mark count.

        Raises:
            XfrmError: The kernel refused; ``ENOENT`` if there is none.
        """
        self._request(
            XFRM_MSG_DELPOLICY,
            policy_id_message(policy),
            f"delete {_policy_text(policy)}",
        )

    def flush_policies(self) -> None:
        """Delete every XFRM policy, Cilium's or not.

        Raises:
            XfrmError: The kernel refused.
        """
        try:
            self._request(
                XFRM_MSG_FLUSHPOLICY, DumpMessage(), "delete all XFRM policies"
            )
        except XfrmError as error:
            if error.errno != errno.ESRCH:
                raise

    def _request(self, kind: int, message: XfrmMessage, purpose: str) -> bytes:
        return self._exchange(kind, _NLM_F_REQUEST | _NLM_F_ACK, message, purpose)[0]

    def _dump(self, kind: int, purpose: str) -> bytes:
        for _ in range(_DUMP_TRIES):
            reply, interrupted = self._exchange(
                kind, _NLM_F_REQUEST | _NLM_F_DUMP, DumpMessage(), purpose
            )
            if not interrupted:
                return reply
        raise XfrmError(
            errno.EAGAIN, f"cannot {purpose}: they changed during every attempt"
        )

    def _exchange(
        self, kind: int, flags: int, message: XfrmMessage, purpose: str
    ) -> tuple[bytes, bool]:
        """Send one request and collect its reply.

        Returns:
            The messages of the reply, one behind the other, and whether a
            change interrupted the dump.
        """
        with self._lock:
            sequence = next(self._sequence) & 0xFFFFFFFF
            message["header"].update(type=kind, flags=flags, sequence_number=sequence)
            message.encode()
            reply = bytearray()
            interrupted = False
            try:
                self._socket.sendto(message.data, (0, 0))
                while True:
                    received = self._socket.recv(_RECEIVE_BYTES)
                    for reply_kind, reply_flags, number, raw in split_messages(
                        received
                    ):
                        if number != sequence:
                            continue  # What a request that timed out left behind.
                        interrupted |= bool(reply_flags & _NLM_F_DUMP_INTR)
                        if reply_kind in (_NLMSG_ERROR, NLMSG_DONE):
                            _raise_refusal(raw, reply_kind, reply_flags, purpose)
                            return bytes(reply), interrupted
                        reply += raw
            except XfrmError:
                raise
            except OSError as error:
                raise XfrmError(
                    error.errno or errno.ETIMEDOUT, f"cannot {purpose}: {error}"
                ) from error


def _raise_refusal(raw: bytes, kind: int, flags: int, purpose: str) -> None:
    payload = raw[NLMSG_HEADER.size :]
    code = -struct.unpack_from("=i", payload)[0] if len(payload) >= 4 else 0
    if code == 0:
        return
    reason = os.strerror(code)
    # Behind the error stands the request's header (without its body, see
    # NETLINK_CAP_ACK), then what the kernel has to say in words.
    skip = 4 + (NLMSG_HEADER.size if kind == _NLMSG_ERROR else 0)
    words = _kernel_words(payload[skip:]) if flags & _NLM_F_ACK_TLVS else None
    raise XfrmError(
        code, f"cannot {purpose}: {reason}" + (f" ({words})" if words else "")
    )


def _kernel_words(attributes: bytes) -> str | None:
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == _NLMSGERR_ATTR_MSG:
            return attributes[4:length].rstrip(b"\0").decode("utf-8", "replace")
        attributes = attributes[max(4, (length + 3) & ~3) :]
    return None


def _mark_text(mark: Mark | None) -> str:
    return f"mark {mark.value:#x}/{mark.mask:#x}" if mark else "no mark"


def _policy_text(policy: NewPolicy) -> str:
    return (
        f"XFRM policy {policy.source} -> {policy.destination} "
        f"dir {policy.direction} {_mark_text(policy.mark)}"
    )
