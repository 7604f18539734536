"""What changes in a kernel's XFRM, as it happens: ``ip xfrm monitor`` in Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from runbooks.xfrm import uapi
from runbooks.xfrm.dump import policy_of, state_of
from runbooks.xfrm.messages import MESSAGES
from runbooks.xfrm.wire import XfrmDumpError, XfrmWire, split_messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from runbooks.xfrm.messages import XfrmMessage
    from runbooks.xfrm.model import XfrmPolicy, XfrmState

#: Names of the kernel's news by type of message.
_KINDS = {
    uapi.XFRM_MSG_NEWSA: "state-added",
    uapi.XFRM_MSG_UPDSA: "state-updated",
    uapi.XFRM_MSG_DELSA: "state-deleted",
    uapi.XFRM_MSG_EXPIRE: "state-expired",
    uapi.XFRM_MSG_FLUSHSA: "states-flushed",
    uapi.XFRM_MSG_NEWAE: "state-counted",
    uapi.XFRM_MSG_ACQUIRE: "state-wanted",
    uapi.XFRM_MSG_MAPPING: "state-moved",
    uapi.XFRM_MSG_NEWPOLICY: "policy-added",
    uapi.XFRM_MSG_UPDPOLICY: "policy-updated",
    uapi.XFRM_MSG_DELPOLICY: "policy-deleted",
    uapi.XFRM_MSG_POLEXPIRE: "policy-expired",
    uapi.XFRM_MSG_FLUSHPOLICY: "policies-flushed",
    uapi.XFRM_MSG_MIGRATE: "policy-migrated",
    uapi.XFRM_MSG_REPORT: "reported",
}

_OF_STATES = (
    uapi.XFRM_MSG_NEWSA,
    uapi.XFRM_MSG_UPDSA,
    uapi.XFRM_MSG_DELSA,
    uapi.XFRM_MSG_EXPIRE,
)
_OF_POLICIES = (
    uapi.XFRM_MSG_NEWPOLICY,
    uapi.XFRM_MSG_UPDPOLICY,
    uapi.XFRM_MSG_DELPOLICY,
    uapi.XFRM_MSG_POLEXPIRE,
)
_OF_ENDS = (uapi.XFRM_MSG_EXPIRE, uapi.XFRM_MSG_POLEXPIRE)


@dataclass(frozen=True, slots=True)
class XfrmEvent:
    """One change.

    Attributes:
        kind: What happened: ``state-added``, ``state-updated``,
            ``state-deleted``, ``state-expired``, ``states-flushed``,
            ``policy-added``, ``policy-updated``, ``policy-deleted``,
            ``policy-expired``, ``policies-flushed``; and of the other groups
            ``state-counted``, ``state-wanted``, ``state-moved``,
            ``policy-migrated``, ``reported``.
        state: The state, for the first four.
        policy: The policy, for those of one policy; ``None`` for the policy of a
            single socket.
        hard: Whether what expired is gone; ``None`` if nothing expired.
    """

    kind: str
    state: XfrmState | None = None
    policy: XfrmPolicy | None = None
    hard: bool | None = None


class XfrmMonitor:
    """Hears what changes in this network namespace, from the time it is made.

    Use it as a context manager, or call :meth:`close`.

    Args:
        groups: Multicast groups, ``XFRMNLGRP_*``; states, policies and what
            expires by default.

    Raises:
        XfrmError: The kernel has no XFRM, or does not allow it.
    """

    def __init__(
        self,
        groups: Iterable[int] = (
            uapi.XFRMNLGRP_SA,
            uapi.XFRMNLGRP_POLICY,
            uapi.XFRMNLGRP_EXPIRE,
        ),
    ) -> None:
        self._wire = XfrmWire(groups)

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

    def events(self, within_s: float | None = None) -> Iterator[XfrmEvent]:
        """Wait for changes.

        Args:
            within_s: End when nothing came for so long; ``None`` never ends.

        Yields:
            One change after the other, in the kernel's order.

        Raises:
            XfrmError: ``ENOBUFS`` if changes came faster than they were read and
                some are lost: read the states anew, then call this again.
            XfrmDumpError: The kernel's news is malformed.
        """
        while received := self._wire.events(within_s):
            yield from parse_events(received)


def parse_events(data: bytes) -> list[XfrmEvent]:
    """Read messages of the multicast groups.

    Args:
        data: Messages, one behind the other.

    Returns:
        The changes; messages of types that no kernel had yet are passed over.

    Raises:
        XfrmDumpError: The bytes are something else, or cut short.
    """
    found = []
    for kind, _, _, raw in split_messages(data):
        if kind in _KINDS:
            found.append(_event(kind, bytes(raw)))
        elif kind <= uapi.NLMSG_OVERRUN:
            raise XfrmDumpError(f"unexpected netlink message of type {kind:#x}")
    return found


def _event(kind: int, raw: bytes) -> XfrmEvent:
    message: Any = MESSAGES[kind](raw)
    state = policy = hard = None
    try:
        message.decode()
        if kind in _OF_STATES:
            gone = kind == uapi.XFRM_MSG_DELSA
            state = state_of(message, _gone(message, "SA") if gone else None)
        if kind in _OF_POLICIES:
            gone = kind == uapi.XFRM_MSG_DELPOLICY
            policy = policy_of(message, _gone(message, "POLICY") if gone else None)
        if kind in _OF_ENDS:
            hard = bool(message["hard"])
    except XfrmDumpError:
        raise
    except ValueError as error:
        raise XfrmDumpError(str(error)) from None
    return XfrmEvent(_KINDS[kind], state, policy, hard)


def _gone(message: XfrmMessage, what: str) -> Mapping[str, Any]:
    """What is gone: the message itself only tells which."""
    info: Mapping[str, Any] | None = message.attribute(f"XFRMA_{what}")
    if info is None:
        raise ValueError(f"attribute XFRMA_{what} is missing")
    return info
