"""Ways in which a pair's states stop belonging together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.condition import Break, Kind
from runbooks.lab.breaks.stale import (
    ciliumnode_recreated,
    kvstore_lease_expired,
    kvstore_recreated,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

STALE: Mapping[str, Break] = {
    "kvstore-lease-expired": Break(
        Kind.STALE,
        "an agent is down for longer than its lease in the key-value store lives",
        "Packets towards the node are lost. ``XfrmInStateProtoError`` rises there "
        "and nowhere else, and its inbound ``seq`` stands still. Nothing is lost "
        "with ``--legacy-sa``.",
        "runbooks/kvstore-lease-expired",
        kvstore_lease_expired.make,
        rotates=True,
        modes=("kvstore",),
    ),
    "kvstore-recreated": Break(
        Kind.STALE,
        "the key-value store is made anew, and agents restart one after another",
        "The same on the node whose agent restarts last; in a cluster of more "
        "than two, pairs among the others go stale as well.",
        "runbooks/kvstore-recreated",
        kvstore_recreated.make,
        rotates=True,
        modes=("kvstore",),
    ),
    "ciliumnode-recreated": Break(
        Kind.STALE,
        "a CiliumNode is deleted, and made again by its node's agent",
        "The same; the node's CiliumNode has another uid.",
        "runbooks/ciliumnode-recreated",
        ciliumnode_recreated.make,
        undo=ciliumnode_recreated.undo,
        rotates=True,
        modes=("crd",),
        ways=ciliumnode_recreated.WAYS,
    ),
}
