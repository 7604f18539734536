"""The steps of a rotation that differ where nodes get the key as a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from runbooks.rotation.errors import RefusedError
from runbooks.rotation.key_files.judge import judge, key_of
from runbooks.rotation.key_files.node import (
    ChangedError,
    KeyFile,
    NodeError,
    Shell,
    looked_at,
    receive,
    write,
)
from runbooks.rotation.lease_record import finish_record, recorded, write_record
from runbooks.rotation.patch import new_record
from runbooks.xfrm.keys import IpsecKey, next_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runbooks.rotation.record import RotationRecord
    from runbooks.rotation.session import Session

Result = dict[str, Any]

#: Hosts that are asked for the key of an interrupted rotation, one after the other.
DONORS = 3


@dataclass(frozen=True, slots=True)
class Turn:
    """One host's turn in the loop that writes the key files.

    Attributes:
        seen: Its key file, looked at while this run holds the lock.
        place: Its place in the loop, from 0.
        has_key: Whether it has the new key already, and can pass it on.
        last: Whether the loop ends with it.
    """

    seen: KeyFile
    place: int
    has_key: bool
    last: bool


def begin(
    session: Session,
    files: Sequence[KeyFile],
    expected_key_id: int,
    holder: str,
    *,
    over: str = "",
    dry: bool = False,
) -> Result:
    """Record the rotation, or find the one that goes on; say whose turn is when.

    Args:
        session: The run; it holds the lock.
        files: All key files, looked at under the lock.
        expected_key_id: The key ID that the preflight saw.
        holder: Name under which this run holds the lock.
        over: ID of an interrupted rotation that the preflight found to be over.
        dry: Write no record.

    Returns:
        The record, ``turns`` for the loop, and ``changed``.

    Raises:
        RefusedError: If the key files are other than the preflight saw.
    """
    before = recorded(session.cluster, session.brief)
    found = judge(files, before)
    if found.reasons:
        raise RefusedError(found.reasons)
    going_on = found.unfinished
    if going_on is not None and going_on.rotation_id != over:
        told = {"changed": bool(found.missing), **_told(going_on, dry=dry)}
        return {**told, "turns": _turns(files, found.missing, going_on)}
    if found.key_id != expected_key_id:
        raise RefusedError(
            [
                f"The key files went from key ID {expected_key_id} to {found.key_id}"
                " while this playbook looked at the cluster: someone else changes"
                " them. No key was changed by this run; find out who, and run the"
                " playbook again once the nodes have settled."
            ]
        )
    record = new_record(found.key_id, found.key_id % 15 + 1, holder)
    if not dry:
        write_record(session.cluster, record, holder, session.brief)
    hosts = tuple(seen.host for seen in files)
    told = {"changed": True, **_told(record, dry=dry)}
    return {**told, "turns": _turns(files, hosts, record)}


def finish(session: Session, files: Sequence[KeyFile], holder: str) -> Result:
    """Mark the rotation on the Lease as over.

    Raises:
        RefusedError: If a key file lost the new key meanwhile.
    """
    record = recorded(session.cluster, session.brief)
    if record is None or record.finished_at:
        return {"changed": False}
    found = judge(files, record)
    if found.reasons or found.missing or found.key_id != record.to_key_id:
        where = f" on {', '.join(found.missing)}" if found.missing else ""
        raise RefusedError(
            [
                f"The key files no longer hold key ID {record.to_key_id}{where}:"
                " something writes them after this playbook did, and an agent that"
                " restarts would load what it wrote. Take the files out of its hands,"
                " and run the playbook again: it puts the same key back.",
                *found.reasons,
            ]
        )
    done = finish_record(session.cluster, record, holder, session.brief)
    return {"changed": True, **asdict(done)}


def _told(record: RotationRecord, *, dry: bool) -> Result:
    """What the report is made from; a rotation that isn't begun has no name."""
    if not dry:
        return asdict(record)
    return {"from_key_id": record.from_key_id, "to_key_id": record.to_key_id}


def _turns(
    files: Sequence[KeyFile], missing: Sequence[str], record: RotationRecord
) -> list[Result]:
    """Who has the key comes first; nothing of that is needed if nobody lacks it."""
    have = [seen for seen in files if seen.host not in missing]
    lack = [seen for seen in files if seen.host in missing]
    turns = [*have[:DONORS], *lack] if lack else []
    return [
        {
            **asdict(Turn(seen, place, seen in have, place == len(turns) - 1)),
            "host": seen.host,
            "rotation_id": record.rotation_id,
            "key_id": record.to_key_id,
        }
        for place, seen in enumerate(turns)
    ]


class Hand:
    """Holds the new key while a loop goes from host to host.

    Lives in the one process that runs the loop, and ends with it.

    Args:
        key_id: The new key's ID.
        per_tunnel: Set the ``+`` also where the old key lacks it.
        between: Called before every turn, and raises where the run has to end.
    """

    def __init__(
        self,
        key_id: int,
        *,
        per_tunnel: bool = False,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self._key_id = key_id
        self._per_tunnel = per_tunnel
        self._between = between
        self._key: IpsecKey | None = None
        # Whether a host is known to have the key.
        self._settled = False
        self._stopped = ""

    def serve(self, turn: Turn, shell: Shell) -> Result:
        """Give one host its key.

        Returns:
            ``changed``, and ``problem``, a phrase, where it did not work.

        Raises:
            RotationError: If the run has to end.
        """
        self._between()
        if self._stopped:
            return self._failed(self._stopped)
        try:
            return {"changed": self._give(turn, shell), "problem": ""}
        except ChangedError as error:
            # Whoever it is: not against each other, node by node.
            self._stopped = f"not tried, since on {turn.seen.host} {error}"
            return self._failed(str(error))
        except NodeError as error:
            return self._failed(str(error))

    def _give(self, turn: Turn, shell: Shell) -> bool:
        if turn.has_key:
            if self._key is None:
                self._key = receive(shell, turn.seen)
                self._settled = True
            return False
        if self._key is None:
            self._key = self._draw(turn)
        changed = write(shell, turn.seen, self._key, first=not self._settled)
        self._settled = True
        return changed

    def _draw(self, turn: Turn) -> IpsecKey:
        """Draw the key, which only the loop's first turn may do."""
        key = next_key(key_of(turn.seen), True if self._per_tunnel else None)
        if turn.place or key.key_id != self._key_id:
            raise NodeError("no host that has the new key could be asked for it")
        return key

    @staticmethod
    def _failed(problem: str) -> Result:
        return {"changed": False, "problem": problem}


def turn_of(item: Result) -> Turn:
    """Read a turn back from a loop's item."""
    (seen,) = looked_at([item["seen"]])
    return Turn(seen, item["place"], item["has_key"], item["last"])
