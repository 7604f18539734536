"""Whether the two states of a tunnel still belong together.

A receiver can't have seen a number that its sender has not reached. So when an
inbound state's ``seq`` is above its sender's ``oseq``, either the sender made its
state anew while the receiver kept its own (the pair is stale), or the sender was
read before the receiver and has sent more since.

Two samples exclude the second: what the receiver had seen in the first sample,
the sender must have reached by the second. One excess packet is proof.

One sample needs more, since the two ends of an archive are minutes apart. All of:

* both states have the same key, and the receiver has a replay window (without
  one, numbers don't matter);
* the outbound state is the younger one. It is by the clocks if it was added more
  than `AGE_TOLERANCE_S` later. It is whatever the clocks say if the sender's own
  inbound state from that peer has counted less than half of the numbers that it
  saw, since it is made together with the outbound one and the peer's numbers
  went on;
* the excess is more than the sender can have sent between the two reads: its mean
  rate since the state was made, `BURST` times over, for as long as the reads lie
  apart (`ARCHIVE_SPREAD_S` where nothing tells). Not asked for where the receiver
  was read first.

Or, whatever the ages and the times: the receiver dropped nearly as many packets
on this very state as the sender has sent in all (`DROPPED_SHARE`, at least
`DROPPED_LEAST`). A healthy pair never shows that, and one that has healed has
sent more than was dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runbooks.diagnose.view import Tunnel, View
    from runbooks.xfrm.model import XfrmState

#: Both ends of a tunnel are made within seconds; nodes' clocks differ by some.
AGE_TOLERANCE_S = 15.0
#: How far apart the agents of one archive are read, at most.
ARCHIVE_SPREAD_S = 300.0
#: A difference of the nodes' read times beyond this is a matter of clocks.
BELIEVABLE_SPREAD_S = 3600.0
#: Read times in whole seconds, on clocks that are nearly the same.
READ_TIME_TOLERANCE_S = 5.0
#: How much faster than its mean a sender may have been between the reads.
BURST = 4.0
#: Packets that any pair may be ahead between two reads.
SLACK = 32
DROPPED_SHARE = 0.9
DROPPED_LEAST = 5


@dataclass(frozen=True, slots=True)
class Staleness:
    """The numbers of a tunnel whose states no longer belong together.

    Attributes:
        tunnel: The tunnel.
        outbound: The sender's state that was compared.
        inbound: The receiver's state that was compared.
        failed_delta: Packets that failed authentication on the receiver's state
            between the samples; ``None`` if read once.
        replay_delta: Packets dropped there as replayed, likewise.
    """

    tunnel: Tunnel
    outbound: XfrmState
    inbound: XfrmState
    failed_delta: int | None = None
    replay_delta: int | None = None

    @property
    def excess(self) -> int:
        """Packets that the sender must lose before its numbers are accepted."""
        return self.inbound.seq - self.outbound.oseq


def judge(view: View, tunnel: Tunnel) -> Staleness | None:
    """Compare the numbers of both ends.

    Args:
        view: The samples that the tunnel is from.
        tunnel: One direction between two addresses under one SPI.

    Returns:
        The numbers if the pair is stale, ``None`` if it is not or if what was
        read doesn't prove it.
    """
    inbound, outbound = tunnel.inbound, tunnel.outbound
    if inbound is None or outbound is None or not inbound.replay_window:
        return None
    if different_keys(outbound, inbound):
        return None
    if view.samples.second is not None and tunnel.outbound_after is not None:
        return _judge_twice(tunnel, inbound, outbound, tunnel.outbound_after)
    if tunnel.source in view.reread:
        return None  # the sender's state is gone by now
    return _judge_once(view, tunnel, inbound, outbound)


def different_keys(one: XfrmState, other: XfrmState) -> bool:
    """Whether two states have different keys, as far as that can be told."""
    return (
        one.key_hash is not None
        and other.key_hash is not None
        and one.key_hash != other.key_hash
    )


def _judge_twice(
    tunnel: Tunnel, inbound: XfrmState, outbound: XfrmState, outbound_after: XfrmState
) -> Staleness | None:
    inbound_after = tunnel.inbound_after
    if not same_state(outbound, outbound_after):
        return None  # just made anew: the next check sees where it settles
    if inbound_after is not None and not same_state(inbound, inbound_after):
        return None
    if inbound.seq <= outbound_after.oseq:
        return None
    return Staleness(
        tunnel,
        outbound_after,
        inbound,
        failed_delta=_delta(
            inbound.integrity_errors,
            inbound_after.integrity_errors if inbound_after else None,
        ),
        replay_delta=_delta(
            inbound.replay_errors,
            inbound_after.replay_errors if inbound_after else None,
        ),
    )


def _judge_once(
    view: View, tunnel: Tunnel, inbound: XfrmState, outbound: XfrmState
) -> Staleness | None:
    excess = inbound.seq - outbound.oseq
    if excess <= 0:
        return None
    if excess > SLACK and _dropped_all(inbound, outbound):
        return Staleness(tunnel, outbound, inbound)
    if not _outbound_is_younger(view, tunnel, inbound, outbound):
        return None
    if excess > _sent_between_reads(view, tunnel, outbound):
        return Staleness(tunnel, outbound, inbound)
    return None


def same_state(before: XfrmState, after: XfrmState) -> bool:
    """Whether a state of the second sample is that of the first, not a new one."""
    return (
        before.added_s == after.added_s
        and before.oseq <= after.oseq
        and before.seq <= after.seq
    )


def _dropped_all(inbound: XfrmState, outbound: XfrmState) -> bool:
    dropped = dropped_packets(inbound)
    return (
        dropped >= DROPPED_LEAST
        and outbound.oseq > 0
        and dropped >= DROPPED_SHARE * outbound.oseq
    )


def dropped_packets(inbound: XfrmState) -> int:
    """Packets that an inbound state refused since it was made."""
    return sum(
        count or 0
        for count in (
            inbound.integrity_errors,
            inbound.replay_errors,
            inbound.replay_window_errors,
        )
    )


def _outbound_is_younger(
    view: View, tunnel: Tunnel, inbound: XfrmState, outbound: XfrmState
) -> bool:
    made_out = view.added_s(tunnel.source, outbound)
    made_in = view.added_s(tunnel.destination, inbound)
    younger_by_s = 0.0 if made_out is None or made_in is None else made_out - made_in
    if younger_by_s > AGE_TOLERANCE_S:
        return True
    source, destination, spi = tunnel.ends
    back = (destination, source, spi)
    for reverse in view.pairs.get((tunnel.destination, tunnel.source), ()):
        if reverse.ends == back and reverse.inbound is not None:
            state = reverse.inbound
            return state.seq - state.packets > max(SLACK, state.seq // 2)
    return False


def _sent_between_reads(view: View, tunnel: Tunnel, outbound: XfrmState) -> float:
    """How many packets the sender may have sent after it was read, at most."""
    sender = view.nodes[tunnel.source]
    receiver = view.nodes[tunnel.destination]
    if sender.read_s is not None and receiver.read_s is not None:
        apart_s = receiver.read_s - sender.read_s
    elif sender.clock_s is not None and receiver.clock_s is not None:
        apart_s = receiver.clock_s - sender.clock_s + READ_TIME_TOLERANCE_S
        if abs(apart_s) > BELIEVABLE_SPREAD_S:
            apart_s = ARCHIVE_SPREAD_S
    else:
        apart_s = ARCHIVE_SPREAD_S
    if apart_s <= 0:
        return 0
    age_s = _age_s(view, tunnel.source, outbound)
    return SLACK + BURST * apart_s * outbound.oseq / age_s


def _age_s(view: View, node: str, outbound: XfrmState) -> float:
    """Age of a state when it was read; at least what its node's states tell."""
    latest_s = view.latest_s(node)
    if latest_s is None or outbound.added_s is None:
        return 1.0
    return max(1.0, latest_s - outbound.added_s)


def _delta(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
