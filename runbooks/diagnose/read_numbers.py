"""What both ends of a stale pair said, sample by sample."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbooks.diagnose.staleness import Staleness
    from runbooks.diagnose.view import View
    from runbooks.snapshot import NodeSnapshot


def read_numbers(view: View, staleness: Staleness) -> dict[str, Any]:
    """Tell the numbers of both ends over time, for a report to draw.

    Args:
        view: The samples that the pair is from.
        staleness: The stale tunnel.

    Returns:
        Evidence: ``samples``, one or two, and ``outbound_age_s``, for how long the
        sender's state had been there when it was last read. That is measured on the
        sender's clock alone, so that it holds whatever other clocks say.
    """
    tunnel = staleness.tunnel
    sender = view.nodes[tunnel.source]
    receiver = view.nodes[tunnel.destination]
    samples = []
    if tunnel.outbound is not None:
        inbound = tunnel.inbound.seq if tunnel.inbound else None
        samples.append(_sample(tunnel.outbound.oseq, sender, inbound, receiver))
    last = sender
    second = view.samples.second
    if second is not None and tunnel.outbound_after is not None:
        last = second.nodes[tunnel.source]
        inbound = tunnel.inbound_after.seq if tunnel.inbound_after else None
        samples.append(
            _sample(
                tunnel.outbound_after.oseq,
                last,
                inbound,
                second.nodes.get(tunnel.destination),
            )
        )
    return {
        "outbound_age_s": _age_s(staleness.outbound.added_s, sender, last),
        "samples": samples,
    }


def _sample(
    oseq: int,
    sender: NodeSnapshot,
    seq: int | None,
    receiver: NodeSnapshot | None,
) -> dict[str, Any]:
    return {
        "outbound_oseq": oseq,
        "outbound_read": _iso(sender.read_s),
        "inbound_seq": seq,
        "inbound_read": _iso(receiver.read_s if receiver else None),
    }


def _age_s(
    added_s: float | None, first: NodeSnapshot, last: NodeSnapshot
) -> float | None:
    if added_s is None or first.clock_s is None:
        return None
    between_s = 0.0
    if first.read_s is not None and last.read_s is not None:
        between_s = last.read_s - first.read_s
    age_s = first.clock_s + between_s - added_s
    return round(age_s, 3) if age_s > 0 else None


def _iso(moment_s: float | None) -> str | None:
    if moment_s is None:
        return None
    moment = datetime.fromtimestamp(moment_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
