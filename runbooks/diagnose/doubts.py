"""Which tunnels are worth a look, told from columns.

A thousand nodes have two million tunnels, nearly all of them healthy. A doubt leaves
out those in which a rule can't find anything, so that only the rest become objects.
It never judges: it may take in too much, and must not leave out what its rule finds.

A rule that looks at pairs needs its doubts in `OF_RULE`; one that looks at nodes,
at the cluster, or at what the view tells of it (`View.spis`, `View.senders`,
`View.strays`) needs none, and says so with an empty tuple.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runbooks.diagnose.sequence_exhaustion import LAST_NUMBER, WARN_AT
from runbooks.diagnose.staleness import (
    AGE_TOLERANCE_S,
    DROPPED_LEAST,
    DROPPED_SHARE,
    SLACK,
)
from runbooks.xfrm.compact import LAST_SPI

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbooks.diagnose.columns import Bools, Positions
    from runbooks.diagnose.tunnel_table import TunnelTable

    #: Tells of every tunnel whether a rule may find something in its pair.
    Doubt = Callable[[TunnelTable], Bools]

#: A share below that which counts, since numbers are rounded here.
_ROUNDED = 0.9


def receiver_is_ahead(tunnels: TunnelTable) -> Bools:
    """A receiver that has seen more than its sender sent."""
    both = tunnels.outbound.there & tunnels.inbound.there
    both &= tunnels.inbound.column("window") > 0
    both &= ~_other_key(tunnels)
    seq = tunnels.inbound.column("seq")
    after = tunnels.outbound_after.there
    twice = both & after & (seq > tunnels.outbound_after.column("oseq"))
    once = both & ~after & (seq > tunnels.outbound.column("oseq"))
    chosen = np.flatnonzero(once)
    if len(chosen):
        once[chosen] = _looks_stale(tunnels, chosen)
    return twice | once


def keys_differ(tunnels: TunnelTable) -> Bools:
    """Two ends with different keys."""
    return tunnels.outbound.there & tunnels.inbound.there & _other_key(tunnels)


def inbound_lacks(tunnels: TunnelTable) -> Bools:
    """No inbound end; while keys are replaced, under none of the pair's SPIs."""
    sends, has = tunnels.has_outbound, tunnels.has_inbound
    lacks: Bools = sends & ~has
    if not lacks.any() or not tunnels.rotating:
        return lacks
    nodes = len(tunnels.ahead_s)
    source, destination = tunnels.nodes(np.arange(len(lacks)))
    pair = source.astype(np.int64) * nodes + destination
    covered = np.zeros(nodes * nodes, dtype=bool)
    covered[pair[sends & has]] = True
    lacks &= ~covered[pair]
    return lacks


def outbound_lacks(tunnels: TunnelTable) -> Bools:
    """No outbound end, though other nodes send from such addresses."""
    lacks: Bools = tunnels.inbound.there & ~tunnels.has_outbound
    if lacks.any():
        lacks &= tunnels.from_sent_kind
    return lacks


def nobody_receives(tunnels: TunnelTable) -> Bools:
    """While keys are replaced, what is sent on without an inbound end.

    Or what a node has that lacks one of the keys itself.
    """
    lacks: Bools = tunnels.has_outbound & ~tunnels.has_inbound
    if not lacks.any() or not tunnels.rotating:
        return lacks
    moved = tunnels.outbound.there & tunnels.outbound_after.there
    moved &= tunnels.outbound_after.column("oseq") > tunnels.outbound.column("oseq")
    there = np.flatnonzero(tunnels.outbound.there)
    spi = tunnels.key & LAST_SPI
    holds = np.zeros((len(tunnels.ahead_s), LAST_SPI + 1), dtype=bool)
    holds[tunnels.nodes(there)[0], spi[there]] = True
    lags = holds.sum(axis=1) < holds.any(axis=0).sum()
    chosen = np.flatnonzero(lacks)
    lacks[chosen] = moved[chosen] | lags[tunnels.nodes(chosen)[0]]
    return lacks


def runs_out(tunnels: TunnelTable) -> Bools:
    """An outbound state that nears its last number."""
    worn: Bools = tunnels.outbound.column("oseq") >= WARN_AT * LAST_NUMBER
    worn &= tunnels.outbound.column("esn") == 0
    worn &= tunnels.outbound.there
    return worn


#: By the name of the rule's function.
OF_RULE: Mapping[str, tuple[Doubt, ...]] = {
    "stale_states": (receiver_is_ahead,),
    "key_mismatches": (keys_differ,),
    "missing_states": (inbound_lacks,),
    "lone_outbound_states": (outbound_lacks,),
    "states_of_old_addresses": (),
    "orphaned_states": (),
    "rising_errors": (),
    "sequence_exhaustion": (runs_out,),
    "rotation_in_progress": (),
    "rotation_stalled": (nobody_receives,),
    "kvstore_lease_expiring": (),
    "plaintext_fallback": (),
    "agent_version_skew": (),
}

#: Columns that doubts ask every tunnel for, by end.
COLUMNS = {
    "outbound": ("oseq", "key", "esn"),
    "inbound": ("seq", "key", "window"),
    "outbound_after": ("oseq",),
    "inbound_after": (),
}


def doubtful(tunnels: TunnelTable) -> Bools:
    """Tell of every tunnel whether any rule may find something in its pair."""
    found = np.zeros(len(tunnels.key), dtype=bool)
    for doubts in OF_RULE.values():
        for doubt in doubts:
            found |= doubt(tunnels)
    return found


def _other_key(tunnels: TunnelTable) -> Bools:
    one, other = tunnels.outbound.column("key"), tunnels.inbound.column("key")
    differ: Bools = one != other
    differ &= (one != 0) & (other != 0)
    return differ


def _looks_stale(tunnels: TunnelTable, chosen: Positions) -> Bools:
    """What one sample needs beside a receiver that is ahead, or more than that."""
    outbound = tunnels.outbound.rows(chosen)
    inbound = tunnels.inbound.rows(chosen)
    dropped = np.zeros(len(chosen))
    for name in ("window_errors", "replay_errors", "failed"):
        dropped += inbound[name]
    share = _ROUNDED * DROPPED_SHARE * outbound["oseq"]
    found: Bools = (dropped >= DROPPED_LEAST) & (dropped >= share)
    dated = (outbound["added_s"] != 0) & (inbound["added_s"] != 0)
    source, destination = tunnels.nodes(chosen)
    made_out = outbound["added_s"] - tunnels.ahead_s[source]
    made_in = inbound["added_s"] - tunnels.ahead_s[destination]
    found |= dated & (made_out - made_in > AGE_TOLERANCE_S)
    there, reverse = tunnels.reverse(chosen)
    uncounted = np.where(
        reverse["seq"] > reverse["packets"], reverse["seq"] - reverse["packets"], 0
    )
    found[there] |= uncounted > SLACK
    return found & ~tunnels.reread[source]
