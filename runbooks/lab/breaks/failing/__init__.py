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
        "runbooks/key-changed-same-id",
        key_changed_same_id.make,
        rotates=True,
    ),
    "agent-missed-rotation": Break(
        Kind.FAILING,
        "a node's key file never changes, while the others rotate and reclaim",
        "runbooks/rotation-stalled",
        agent_missed_rotation.make,
        undo=agent_missed_rotation.undo,
    ),
    "rotation-too-fast": Break(
        Kind.FAILING,
        "the old key is reclaimed before a slow node has the new one, SECONDS late",
        "runbooks/rotation-stalled",
        rotation_too_fast.make,
        undo=rotation_too_fast.undo,
        amount=rotation_too_fast.USUAL_DELAY_S,
    ),
    "state-deleted": Break(
        Kind.FAILING,
        "somebody deletes an inbound state by hand; a sync makes it again",
        "reference/xfrm-errors",
        state_deleted.make,
        undo=state_deleted.undo,
    ),
    "sequence-exhausted": Break(
        Kind.FAILING,
        "outbound states without extended sequence numbers have run out of them",
        "runbooks/sequence-exhaustion",
        sequence_exhausted.make,
        rotates=True,
        legacy=True,
        amount=sequence_exhausted.USUAL_LEFT,
    ),
    "other-internal-ip": Break(
        Kind.FAILING,
        "with native routing, an agent's other CiliumInternalIP makes states conflict",
        "reference/xfrm-errors",
        other_internal_ip.make,
        undo=other_internal_ip.undo,
        rotates=True,
    ),
}
