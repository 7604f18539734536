"""XFRM states and policies of this kernel, read and programmed over netlink.

A plain socket with pyroute2's message framework. pyroute2's own sockets run an
event loop that belongs to one thread; this one may be used from several (it
holds a lock for each request), costs one ``sendto`` and one ``recv`` per
request, and needs ``CAP_NET_ADMIN``.
"""

from __future__ import annotations

import errno
import socket
import threading
from typing import TYPE_CHECKING, Self

from runbooks.xfrm.columns import dump_columns
from runbooks.xfrm.dump import parse_policies, parse_states
from runbooks.xfrm.messages import DumpMessage, FlushMessage
from runbooks.xfrm.program import (
    NewPolicy,
    NewState,
    last_sent_message,
    policy_id_message,
    policy_message,
    state_id_message,
    state_message,
)
from runbooks.xfrm.uapi import (
    NLM_F_REPLACE,
    NLMSG_HEADER,
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
    XFRM_MSG_UPDSA,
)
from runbooks.xfrm.wire import XfrmDumpError, XfrmError, XfrmWire

if TYPE_CHECKING:
    from types import TracebackType

    from runbooks.xfrm.columns import StateColumns
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


class XfrmSocket:
    """A socket to the kernel's XFRM database of this network namespace.

    Use it as a context manager, or call :meth:`close`.

    Raises:
        XfrmError: The kernel has no XFRM (``EPROTONOSUPPORT``).
    """

    def __init__(self) -> None:
        self._wire = XfrmWire()
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
        self._wire.close()

    def states(self) -> list[XfrmState]:
        """Read all XFRM states.

        Returns:
            The states in the kernel's order.

        Raises:
            XfrmError: The kernel refused, or the states kept changing.
            XfrmDumpError: The kernel's answer is not understood.
        """
        return parse_states(self._dump(XFRM_MSG_GETSA, "read the XFRM states"))

    def state_columns(self) -> StateColumns:
        """Read all XFRM states, in columns: for thousands of them.

        Returns:
            The states in the kernel's order.

        Raises:
            XfrmError: The kernel refused, or the states kept changing.
            XfrmDumpError: The kernel's answer is not understood.
        """
        with self._lock:
            return dump_columns(self._wire)

    def policies(self) -> list[XfrmPolicy]:
        """Read all XFRM policies.

        Returns:
            The policies in the kernel's order.

        Raises:
            XfrmError: The kernel refused, or the policies kept changing.
            XfrmDumpError: The kernel's answer is not understood.
        """
        return parse_policies(self._dump(XFRM_MSG_GETPOLICY, "read the XFRM policies"))

    def state(
        self,
        destination: str,
        spi: int,
        mark: Mark | None,
        protocol: int = socket.IPPROTO_ESP,
    ) -> XfrmState:
        """Read the state that the kernel would take for a packet.

        The kernel takes the first whose own mask lets the given mark through: it
        may be another one than that with this very mark and mask.

        Args:
            destination: Outer destination address.
            spi: Security parameter index.
            mark: Mark and mask of the state.
            protocol: Number of the IP protocol, ESP by default.

        Returns:
            The state.

        Raises:
            XfrmError: The kernel refused; ``ESRCH`` if there is no such state.
        """
        purpose = f"find {_state_text(destination, spi, mark)}"
        identity = state_id_message(destination, spi, mark, protocol)
        found = parse_states(self._request(XFRM_MSG_GETSA, identity, purpose))
        if not found:
            raise XfrmError(errno.ESRCH, f"cannot {purpose}: the answer is empty")
        return found[0]

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

    def update_state(self, state: NewState) -> None:
        """Change a state that is there.

        The kernel takes over the output mark, and keeps key and counters: for
        another key the state has to be deleted and added.

        Args:
            state: The state, told by destination, mark and SPI.

        Raises:
            XfrmError: The kernel refused; ``ESRCH`` if there is none.
        """
        self._request(
            XFRM_MSG_UPDSA,
            state_message(state),
            f"update XFRM state {state.source} -> {state.destination} SPI {state.spi}",
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
        wanted = _state_text(destination, spi, mark)
        found = self.state(destination, spi, mark, protocol)
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
        self._request(XFRM_MSG_NEWAE, message, purpose, NLM_F_REPLACE)

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

    def _request(
        self, kind: int, message: XfrmMessage, purpose: str, flags: int = 0
    ) -> bytes:
        message.encode()
        with self._lock:
            body = bytes(message.data[NLMSG_HEADER.size :])
            return self._wire.request(kind, body, purpose, flags)

    def _dump(self, kind: int, purpose: str) -> bytes:
        with self._lock:
            return bytes(self._wire.dump(kind, purpose, bytearray))


def _state_text(destination: str, spi: int, mark: Mark | None) -> str:
    return f"XFRM state to {destination} SPI {spi} {_mark_text(mark)}"


def _mark_text(mark: Mark | None) -> str:
    return f"mark {mark.value:#x}/{mark.mask:#x}" if mark else "no mark"


def _policy_text(policy: NewPolicy) -> str:
    return (
        f"XFRM policy {policy.source} -> {policy.destination} "
        f"dir {policy.direction} {_mark_text(policy.mark)}"
    )
