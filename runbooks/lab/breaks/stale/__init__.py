"""Ways in which a pair's states stop belonging together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks.lab.breaks.condition import Break, Kind
from runbooks.lab.breaks.stale import ciliumnode_recreated, kvstore_lease_expired

if TYPE_CHECKING:
    from collections.abc import Mapping

STALE: Mapping[str, Break] = {
    "kvstore-lease-expired": Break(
        Kind.STALE,
        "an agent is down for longer than its lease in the key-value store lives",
        "runbooks/kvstore-lease-expired",
        kvstore_lease_expired.make,
        rotates=True,
        modes=("kvstore",),
    ),
    "ciliumnode-recreated": Break(
        Kind.STALE,
        "a CiliumNode is deleted, and made again by its node's restarted agent",
        "runbooks/ciliumnode-recreated",
        ciliumnode_recreated.make,
        rotates=True,
        modes=("crd",),
    ),
}
