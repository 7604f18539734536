"""What a rotation leaves on the Secret, so that any later run can go on.

The record travels in the same patch as the new key: there is no moment at
which one is in the cluster without the other. It holds IDs, never a key.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "ipsec-runbooks.io/rotation-"


@dataclass(frozen=True, slots=True)
class RotationRecord:
    """One rotation, as its Secret tells of it.

    Attributes:
        rotation_id: Name of the rotation, the same for all runs that serve it.
        from_key_id: Key ID before.
        to_key_id: Key ID after.
        started_at: When the key was patched, RFC 3339 in UTC.
        started_by: Who ran it.
        finished_at: When the old SPI was gone everywhere; ``None`` until then.
    """

    rotation_id: str
    from_key_id: int
    to_key_id: int
    started_at: str
    started_by: str
    finished_at: str | None = None

    def annotations(self) -> dict[str, str | None]:
        """The record as annotations; ``None`` removes one of an earlier run."""
        return {
            PREFIX + "id": self.rotation_id,
            PREFIX + "from-key-id": str(self.from_key_id),
            PREFIX + "to-key-id": str(self.to_key_id),
            PREFIX + "started-at": self.started_at,
            PREFIX + "started-by": self.started_by,
            PREFIX + "finished-at": self.finished_at,
        }


def read_record(annotations: Mapping[str, str]) -> RotationRecord | None:
    """Read the record back; ``None`` if there is none that can be understood."""
    try:
        return RotationRecord(
            rotation_id=annotations[PREFIX + "id"],
            from_key_id=int(annotations[PREFIX + "from-key-id"]),
            to_key_id=int(annotations[PREFIX + "to-key-id"]),
            started_at=annotations[PREFIX + "started-at"],
            started_by=annotations.get(PREFIX + "started-by", "unknown"),
            finished_at=annotations.get(PREFIX + "finished-at"),
        )
    except (KeyError, ValueError):
        return None


def unfinished(record: RotationRecord | None, key_id: int) -> RotationRecord | None:
    """The record if it tells of a rotation to this key that isn't over.

    A record that leads to another key ID is void: somebody changed the key
    since by other means, and this rotation can't be gone on with.
    """
    if record is None or record.finished_at or record.to_key_id != key_id:
        return None
    return record


def started_long_ago(record: RotationRecord, limit_s: float) -> bool:
    """Whether a rotation began longer ago than a limit, as far as clocks tell."""
    try:
        started = datetime.datetime.fromisoformat(record.started_at)
        age = datetime.datetime.now(datetime.UTC) - started
    except (ValueError, TypeError):
        return True
    return age.total_seconds() > limit_s
