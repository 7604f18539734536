"""Failures other than stale states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.condition import Break, Kind
from runbooks.lab.breaks.failing import (
    agent_missed_rotation,
    key_changed_same_id,
    other_internal_ip,
    rotation_too_fast,
    sequence_exhausted,
    state_deleted,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILING: Mapping[str, Break] = {
    "key-changed-same-id": Break(
        Kind.FAILING,
        "the key is replaced under its old ID, and a node that reboots takes it",
        "``XfrmInStateProtoError`` rises on both ends of the node's pairs, and no "
        "packet passes either way: the ends' keys differ.",
        "runbooks/key-changed-same-id",
        key_changed_same_id.make,
        rotates=True,
    ),
    "agent-missed-rotation": Break(
        Kind.FAILING,
        "a node's key file never changes, while the others rotate and reclaim",
        "The node is on the old SPI alone, its peers on the new one. "
        "Nothing passes either way; ``XfrmInNoStates`` and ``XfrmOutPolBlock`` rise "
        "on the peers.",
        "runbooks/rotation-stalled",
        agent_missed_rotation.make,
        undo=agent_missed_rotation.undo,
    ),
    "rotation-too-fast": Break(
        Kind.FAILING,
        "the old key is reclaimed before a slow node has the new one, SECONDS late",
        "The same, until the node's key file is there.",
        "runbooks/rotation-stalled",
        rotation_too_fast.make,
        undo=rotation_too_fast.undo,
        amount=rotation_too_fast.USUAL_DELAY_S,
    ),
    "state-deleted": Break(
        Kind.FAILING,
        "somebody deletes an inbound state by hand; a sync makes it again",
        "``XfrmInNoStates`` rises on the node, for one peer only. A sync of its "
        "agent ends it within 30 seconds.",
        "lab/breaks",
        state_deleted.make,
        undo=state_deleted.undo,
    ),
    "sequence-exhausted": Break(
        Kind.FAILING,
        "outbound states without extended sequence numbers have run out of them",
        "``XfrmOutStateSeqError`` rises on the node: it sends nothing any more.",
        "runbooks/sequence-exhaustion",
        sequence_exhausted.make,
        rotates=True,
        legacy=True,
        amount=sequence_exhausted.USUAL_LEFT,
    ),
    "other-internal-ip": Break(
        Kind.FAILING,
        "with native routing, an agent's other CiliumInternalIP makes states conflict",
        "The node has inbound states for its new address and outbound ones for "
        "the old. ``XfrmOutBundleGenError`` rises there, "
        "and what it sends is lost.",
        "lab/breaks",
        other_internal_ip.make,
        undo=other_internal_ip.undo,
        rotates=True,
    ),
}
