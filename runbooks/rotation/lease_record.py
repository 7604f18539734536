"""The record of a rotation where no Secret can carry it: on the rotation's Lease.

Other than on the Secret, the record comes before the key: a record whose key no
node has tells of a rotation that never began.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import TYPE_CHECKING

from runbooks.rotation.errors import (
    ConflictError,
    LockLostError,
    RotationError,
    TransientError,
)
from runbooks.rotation.lock import LEASE_NAME
from runbooks.rotation.record import RotationRecord, read_record
from runbooks.rotation.waiting import Pace, persist

if TYPE_CHECKING:
    from runbooks.rotation.cluster import Cluster

_TRIES = 5


def recorded(cluster: Cluster, pace: Pace) -> RotationRecord | None:
    """The record on the Lease, if there is one."""
    lease = persist(lambda: cluster.lease(LEASE_NAME), pace, what=f"Lease {LEASE_NAME}")
    return read_record(lease.annotations) if lease else None


def write_record(
    cluster: Cluster, record: RotationRecord, holder: str, pace: Pace
) -> None:
    """Write the record onto the Lease, which this run holds.

    Args:
        cluster: Where.
        record: The record.
        holder: Name under which this run holds the lock.
        pace: How long and how often to repeat where the API server is away.

    Raises:
        LockLostError: If the lock is someone else's by now.
        RotationError: If the API server does not take it.
    """
    for _ in range(_TRIES):
        lease = persist(
            lambda: cluster.lease(LEASE_NAME), pace, what=f"Lease {LEASE_NAME}"
        )
        if lease is None or lease.holder != holder:
            raise LockLostError(
                "This run lost the rotation lock; it stops here and changes nothing"
                " more."
            )
        told = {k: v for k, v in lease.annotations.items() if k not in _names(record)}
        told |= {k: v for k, v in record.annotations().items() if v is not None}
        try:
            cluster.write_lease(LEASE_NAME, replace(lease, annotations=told))
        except ConflictError:
            continue
        except TransientError as error:
            # It may have been carried out: writing the same again does no harm.
            pace.sleep(max(pace.interval_s, error.retry_after_s or 0))
            continue
        return
    raise RotationError(
        f"Lease {LEASE_NAME} could not be written to: the API server does not take"
        " it. Run the playbook again: it looks first, and goes on from there."
    )


def finish_record(
    cluster: Cluster, record: RotationRecord, holder: str, pace: Pace
) -> RotationRecord:
    """Mark a rotation as over."""
    now = datetime.datetime.now(datetime.UTC)
    done = replace(record, finished_at=f"{now:%Y-%m-%dT%H:%M:%SZ}")
    write_record(cluster, done, holder, pace)
    return done


def require_record(cluster: Cluster, key_id: int) -> None:
    """Look whether the Lease still tells of a rotation to a key ID.

    Raises:
        RotationError: If it was deleted or changed meanwhile.
    """
    lease = cluster.lease(LEASE_NAME)
    record = read_record(lease.annotations) if lease else None
    if record is None or record.to_key_id != key_id:
        raise RotationError(
            f"Lease {cluster.target.namespace}/{LEASE_NAME} no longer tells of the"
            f" rotation to key ID {key_id}: somebody deleted or changed it. Find out"
            " who, and run the playbook again once every node uses one SPI."
        )


def _names(record: RotationRecord) -> set[str]:
    return set(record.annotations())
