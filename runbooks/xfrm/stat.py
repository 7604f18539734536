"""``/proc/net/xfrm_stat``: packets that XFRM dropped, counted by reason.

Counters run since boot, per network namespace: an old storm stays in them for
ever, and only the difference of two readings says anything about now.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from runbooks.xfrm.model import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping


class XfrmStatError(ValueError):
    """What was given is not ``/proc/net/xfrm_stat``."""


@dataclass(frozen=True, slots=True)
class Counter:
    """What a counter tells.

    Attributes:
        direction: Of the packets that were dropped.
        meaning: One line for a report.
    """

    direction: Direction
    meaning: str


_COUNTER = re.compile(r"(Xfrm[0-9A-Za-z]+)[ \t]+([0-9]{1,20})\s*", re.ASCII)
_IN, _OUT, _FWD = Direction.IN, Direction.OUT, Direction.FWD

#: Names from the kernel's Documentation/networking/xfrm_proc.rst, causes from
#: Cilium's documentation where it gives one. Later kernels add counters; those
#: are read too, and have no entry here.
COUNTERS: Mapping[str, Counter] = MappingProxyType(
    {
        name: Counter(direction, meaning)
        for name, direction, meaning in (
            (
                "XfrmInError",
                _IN,
                "no memory, or a decrypted packet failed before delivery",
            ),
            ("XfrmInBufferError", _IN, "no buffer left for a received packet"),
            ("XfrmInHdrError", _IN, "malformed header in a received packet"),
            (
                "XfrmInNoStates",
                _IN,
                "no inbound state for the packet's SPI, address and mark; "
                "for a moment normal during reboots and rotations",
            ),
            (
                "XfrmInStateProtoError",
                _IN,
                "authentication failed: keys or sequence numbers of the two nodes "
                "do not match",
            ),
            ("XfrmInStateModeError", _IN, "mode of a state does not fit the packet"),
            (
                "XfrmInStateSeqError",
                _IN,
                "sequence number seen before or behind the replay window",
            ),
            ("XfrmInStateExpired", _IN, "inbound state reached its lifetime"),
            (
                "XfrmInStateMismatch",
                _IN,
                "inbound state found, its selector or options do not fit",
            ),
            ("XfrmInStateInvalid", _IN, "inbound state is being deleted"),
            (
                "XfrmInTmplMismatch",
                _IN,
                "no template of the policy fits how the packet was protected: "
                "the policy is wrong",
            ),
            (
                "XfrmInNoPols",
                _IN,
                "no policy for a decrypted packet: a policy is missing or wrong",
            ),
            ("XfrmInPolBlock", _IN, "a policy blocks the packet"),
            ("XfrmInPolError", _IN, "error in an inbound policy"),
            ("XfrmOutError", _OUT, "error while sending, for example no memory"),
            (
                "XfrmOutBundleGenError",
                _OUT,
                "states and routes for a packet could not be put together",
            ),
            (
                "XfrmOutBundleCheckError",
                _OUT,
                "states and routes for a packet no longer fit together",
            ),
            ("XfrmOutNoStates", _OUT, "no outbound state for the peer"),
            ("XfrmOutStateProtoError", _OUT, "encryption of a packet failed"),
            ("XfrmOutStateModeError", _OUT, "mode of a state does not fit the packet"),
            (
                "XfrmOutStateSeqError",
                _OUT,
                "outbound state ran out of sequence numbers: without ESN, after "
                "2^32 packets under one key",
            ),
            ("XfrmOutStateExpired", _OUT, "outbound state reached its lifetime"),
            (
                "XfrmOutPolBlock",
                _OUT,
                "the default-drop policy kept a packet from leaving in plain text",
            ),
            ("XfrmOutPolDead", _OUT, "outbound policy is being deleted"),
            ("XfrmOutPolError", _OUT, "error in an outbound policy"),
            (
                "XfrmFwdHdrError",
                _FWD,
                "a decrypted packet could not be routed on, for example to a pod "
                "just deleted",
            ),
            ("XfrmOutStateInvalid", _OUT, "outbound state is being deleted"),
            (
                "XfrmAcquireError",
                _IN,
                "a packet came for a state that is asked for and not there yet",
            ),
            (
                "XfrmInStateDirError",
                _IN,
                "the state that a received packet names is an outbound one",
            ),
            (
                "XfrmOutStateDirError",
                _OUT,
                "the state chosen for sending is an inbound one",
            ),
            ("XfrmInIptfsError", _IN, "a received IP-TFS packet could not be split up"),
            ("XfrmOutNoQueueSpace", _OUT, "the IP-TFS queue of a state is full"),
        )
    }
)


def parse_xfrm_stat(text: str) -> dict[str, int]:
    """Read ``/proc/net/xfrm_stat``.

    Args:
        text: Its content, or a cilium-bugtool file of it.

    Returns:
        Counter name to packets since boot, names unknown to us included.

    Raises:
        XfrmStatError: A line is something else, or there is none.
    """
    counters: dict[str, int] = {}
    lines = text.split("\n")
    fenced = False
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(("#", "```")):
            fenced ^= line.startswith("```")
            continue
        if "> Error while running" in line:
            raise XfrmStatError(f"line {number}: the command failed on the node")
        match = _COUNTER.fullmatch(line)
        if match is None:
            raise XfrmStatError(
                f"line {number} is not a counter and its number: {line[:40]!r}"
            )
        if number == len(lines):
            raise XfrmStatError(f"line {number} has no end; the file is cut off")
        name, count = match.groups()
        if name in counters:
            raise XfrmStatError(f"line {number}: {name} appears twice")
        counters[name] = int(count)
    if fenced:
        raise XfrmStatError(f"line {len(lines)}: the block is cut off")
    if not counters:
        raise XfrmStatError(
            "no counters; a kernel without CONFIG_XFRM_STATISTICS has none"
        )
    return counters
