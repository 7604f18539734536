"""A socket to the kernel's XFRM, and its replies cut into messages.

Nothing here knows what a message says, and nothing imports a framework: a
program that only reads starts as quickly as Python does.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from runbooks.xfrm.uapi import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_XFRM,
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_HEADER,
    NLMSG_NOOP,
    NLMSG_OVERRUN,
    NLMSGERR_ATTR_MSG,
    SOL_NETLINK,
)

TYPE_CHECKING = False  # Importing typing would cost a tenth of a start.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol, TypeVar

    class DumpSink(Protocol):
        """What takes the messages of a dump, for example a bytearray."""

        def extend(self, messages: memoryview, /) -> object:
            """Take whole messages; the memory is overwritten afterwards."""

    _Sink = TypeVar("_Sink", bound=DumpSink)

#: The kernel fills dump messages up to 32 KiB, whatever the buffer.
_DATAGRAM_BYTES = 65536
#: Received before a sink gets it: fits a core's own cache.
_BLOCK_BYTES = 8 * _DATAGRAM_BYTES
#: Limit for a reply of a local kernel that answers within one system call.
_RECEIVE_TIMEOUT_S = 10
_DUMP_TRIES = 5


class XfrmDumpError(ValueError):
    """What was given is not a sequence of whole XFRM netlink messages."""


class XfrmError(OSError):
    """The kernel refused a request, or its answer did not come whole.

    ``errno`` tells why, for example ``EEXIST`` for a state that is there
    already, ``ESRCH`` for one that is not, ``ENOBUFS`` for messages lost.
    """


def split_messages(
    data: bytes | bytearray | memoryview,
) -> Iterator[tuple[int, int, int, bytes | bytearray | memoryview]]:
    """Cut received bytes into netlink messages.

    Args:
        data: Messages, one behind the other.

    Yields:
        Type, flags, sequence number and the whole message.

    Raises:
        XfrmDumpError: The last message is cut short, or a length is impossible.
    """
    offset = 0
    while offset < len(data):
        if len(data) - offset < NLMSG_HEADER.size:
            raise XfrmDumpError(f"message header cut short at byte {offset}")
        length, kind, flags, sequence, _ = NLMSG_HEADER.unpack_from(data, offset)
        if not NLMSG_HEADER.size <= length <= len(data) - offset:
            raise XfrmDumpError(
                f"message at byte {offset} says {length} bytes, "
                f"{len(data) - offset} are left"
            )
        yield kind, flags, sequence, data[offset : offset + length]
        offset += (length + 3) & ~3


def uniform_messages(data: memoryview) -> tuple[int, int, int, int] | None:
    """Look whether all messages have the same length, type and flags.

    Args:
        data: At least one message, one behind the other.

    Returns:
        Number of messages, type, flags, and the sequence number of all; ``None`` if
        they differ, or are not whole.
    """
    if len(data) < NLMSG_HEADER.size or len(data) % 4:
        return None
    length, kind, flags, sequence, _ = NLMSG_HEADER.unpack_from(data)
    if length < NLMSG_HEADER.size or length % 4 or len(data) % length:
        return None
    words = data.cast("I")
    count = len(data) // length
    for place in range(3):
        column = words[place :: length // 4].tobytes()
        if column != column[:4] * count:
            return None
    return count, kind, flags, sequence


class XfrmWire:
    """One netlink socket to XFRM of this network namespace.

    For one thread at a time. Needs ``CAP_NET_ADMIN``.

    Args:
        groups: Multicast groups to hear, ``XFRMNLGRP_*``; none for requests.

    Raises:
        XfrmError: The kernel has no XFRM (``EPROTONOSUPPORT``).
    """

    def __init__(self, groups: Iterable[int] = ()) -> None:
        self._groups = tuple(groups)
        self._sequence = 0
        self._open()

    def _open(self) -> None:
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
        if not self._groups:
            # The kernel keeps this time itself; a timeout of Python's asks it
            # with another system call before each one.
            limit = struct.pack("@ll", _RECEIVE_TIMEOUT_S, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        # Answers must not carry requests back: those hold keys.
        self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self._socket.bind((0, 0))
        for group in self._groups:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def close(self) -> None:
        """Close the socket; more than once does no harm."""
        self._socket.close()

    def request(self, kind: int, body: bytes, purpose: str, flags: int = 0) -> bytes:
        """Send one request and collect its reply.

        Args:
            kind: Type of the message.
            body: What follows the header.
            purpose: What it is for, in words behind "cannot".
            flags: Flags of the request's header beside the usual ones.

        Returns:
            The messages of the reply, one behind the other, without the
            acknowledgment.

        Raises:
            XfrmError: The kernel refused, or did not answer.
            XfrmDumpError: The answer is not netlink.
        """
        reply = bytearray()
        self._ask(kind, NLM_F_REQUEST | NLM_F_ACK | flags, body, purpose)
        self._collect(reply, purpose, _DATAGRAM_BYTES)
        return bytes(reply)

    def dump(self, kind: int, purpose: str, start: Callable[[], _Sink]) -> _Sink:
        """Dump everything of a kind.

        A dump that a change interrupted, or that lost messages, is read again.

        Args:
            kind: Type of the request.
            purpose: What it is for, in words behind "cannot".
            start: Makes what takes the messages, anew for each attempt: its
                ``extend`` gets blocks of whole messages, over memory that is
                used again.

        Returns:
            What ``start`` made, having taken one whole dump.

        Raises:
            XfrmError: The kernel refused, or no attempt came through whole:
                ``EAGAIN`` if changes interrupted them all, ``ENOBUFS`` if
                messages were lost.
            XfrmDumpError: The answer is not netlink.
        """
        why = "changed"
        for _ in range(_DUMP_TRIES):
            sink = start()
            # A body would be taken for attributes.
            self._ask(kind, NLM_F_REQUEST | NLM_F_DUMP, b"", purpose)
            try:
                if not self._collect(sink, purpose, _BLOCK_BYTES):
                    return sink
                why = "changed"
            except XfrmError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                why = "lost messages"
                # Half a dump may still be under way on this socket.
                self.close()
                self._open()
        if why == "changed":
            raise XfrmError(
                errno.EAGAIN, f"cannot {purpose}: they changed during every attempt"
            )
        raise XfrmError(
            errno.ENOBUFS, f"cannot {purpose}: messages were lost in every attempt"
        )

    def events(self, within_s: float | None) -> bytes:
        """Wait for messages of the multicast groups.

        Args:
            within_s: How long to wait; ``None`` waits for ever.

        Returns:
            Messages, one behind the other; none if none came in time.

        Raises:
            XfrmError: ``ENOBUFS`` if messages were lost before these.
        """
        buffer = bytearray(_DATAGRAM_BYTES)
        self._socket.settimeout(within_s)
        try:
            count = self._receive(memoryview(buffer), "read XFRM events")
        except XfrmError as error:
            if error.errno == errno.ETIMEDOUT:
                return b""
            raise
        return bytes(buffer[:count])

    def _ask(self, kind: int, flags: int, body: bytes, purpose: str) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        length = NLMSG_HEADER.size + len(body)
        header = NLMSG_HEADER.pack(length, kind, flags, self._sequence, 0)
        try:
            self._socket.sendto(header + body, (0, 0))
        except OSError as error:
            raise XfrmError(error.errno, f"cannot {purpose}: {error}") from error

    def _receive(self, target: memoryview, purpose: str) -> int:
        """Bytes that came from the kernel; 0 if they came from a program."""
        try:
            count, _, flags, address = self._socket.recvmsg_into([target])
        except (BlockingIOError, TimeoutError) as error:
            raise XfrmError(
                errno.ETIMEDOUT,
                f"cannot {purpose}: no answer within {_RECEIVE_TIMEOUT_S} s",
            ) from error
        except OSError as error:
            raise XfrmError(error.errno, f"cannot {purpose}: {error}") from error
        if address[0] != 0:
            return 0
        if flags & socket.MSG_TRUNC:
            raise XfrmError(
                errno.EMSGSIZE,
                f"cannot {purpose}: an answer is over {len(target)} bytes long",
            )
        if not count:
            raise XfrmError(errno.EPIPE, f"cannot {purpose}: the answer is empty")
        return count

    def _collect(self, sink: DumpSink, purpose: str, block_bytes: int) -> bool:
        """Give a sink what answers the request; whether a change interrupted it."""
        block = memoryview(bytearray(block_bytes))
        filled = all_flags = 0
        ended = False
        while not ended:
            if filled > block_bytes - _DATAGRAM_BYTES:
                sink.extend(block[:filled])
                filled = 0
            target = block[filled : filled + _DATAGRAM_BYTES]
            received = target[: self._receive(target, purpose)]
            ours, flags, ended = self._ours(received, purpose)
            if len(ours) != len(received):
                target[: len(ours)] = ours
            filled += len(ours)
            all_flags |= flags
        if filled:
            sink.extend(block[:filled])
        return bool(all_flags & NLM_F_DUMP_INTR)

    def _ours(
        self, received: memoryview, purpose: str
    ) -> tuple[memoryview | bytes, int, bool]:
        """What of it answers the request, its flags, and whether that was all."""
        same = uniform_messages(received)
        if same is not None and same[1] > NLMSG_OVERRUN:
            _, _, flags, number = same
            if number == self._sequence:
                return received, flags, False
            return b"", 0, False  # What a request that timed out left behind.
        ours = b""
        all_flags = 0
        for kind, flags, number, raw in split_messages(received):
            if number != self._sequence:
                continue
            all_flags |= flags
            if kind == NLMSG_OVERRUN:
                raise XfrmError(errno.ENOBUFS, f"cannot {purpose}: overrun")
            if kind in (NLMSG_ERROR, NLMSG_DONE):
                _raise_refusal(bytes(raw), kind, flags, purpose)
                return ours, all_flags, True
            if kind != NLMSG_NOOP:
                ours += bytes(raw) + bytes(-len(raw) % 4)
        return ours, all_flags, False


def _raise_refusal(raw: bytes, kind: int, flags: int, purpose: str) -> None:
    payload = raw[NLMSG_HEADER.size :]
    if len(payload) < 4:
        if kind == NLMSG_DONE:  # Kernels before 4.15 leave it out of some.
            return
        raise XfrmDumpError(f"cannot {purpose}: the kernel's error is cut short")
    code = -struct.unpack_from("=i", payload)[0]
    if code == 0:
        return
    if code == errno.ENOBUFS:
        raise XfrmError(code, f"cannot {purpose}: {os.strerror(code)}")
    # Behind the error stands the request's header (without its body, see
    # NETLINK_CAP_ACK), then what the kernel has to say in words.
    skip = 4 + (NLMSG_HEADER.size if kind == NLMSG_ERROR else 0)
    words = _kernel_words(payload[skip:]) if flags & NLM_F_ACK_TLVS else None
    raise XfrmError(
        code,
        f"cannot {purpose}: {os.strerror(code)}" + (f" ({words})" if words else ""),
    )


def _kernel_words(attributes: bytes) -> str | None:
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == NLMSGERR_ATTR_MSG:
            return attributes[4:length].rstrip(b"\0").decode("utf-8", "replace")
        attributes = attributes[max(4, (length + 3) & ~3) :]
    return None
