"""One new key for the Secrets of several clusters.

Where a run was interrupted between two Secrets, the key is taken from the one
that has it: no second key is ever drawn for the same rotation.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runbooks.rotation import patch
from runbooks.rotation.errors import RefusedError, RotationError
from runbooks.rotation.record import RotationRecord, read_record, unfinished
from runbooks.xfrm.keys import next_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbooks.rotation.mesh.clusters import Mesh
    from runbooks.rotation.objects import KeySecret
    from runbooks.rotation.session import Session
    from runbooks.xfrm.keys import IpsecKey


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the Secrets of all clusters stand.

    Attributes:
        secrets: The Secret of each cluster, by context.
        keys: The key in each, likewise.
        record: The rotation that isn't over; ``None`` if there is none.
        begun: Clusters that hold its key.
    """

    secrets: Mapping[str, KeySecret] = field(repr=False)
    keys: Mapping[str, IpsecKey] = field(repr=False)
    record: RotationRecord | None
    begun: tuple[str, ...]

    @property
    def key_id(self) -> int:
        """The key ID before the rotation, the same in all clusters."""
        if self.record is not None:
            return self.record.from_key_id
        return next(iter(self.keys.values())).key_id


def stand(mesh: Mesh, over: str = "") -> Standing:
    """Read all Secrets and find out where they stand.

    Args:
        mesh: The run.
        over: ID of an interrupted rotation that is over.

    Raises:
        RefusedError: If the Secrets can't be brought to one new key.
    """
    read = mesh.each(
        lambda _, session: patch.read_secret(session.cluster, session.brief)
    )
    secrets = {context: secret for context, (secret, _) in read.items()}
    keys = {context: key for context, (_, key) in read.items()}
    records = {context: read_record(s.annotations) for context, s in secrets.items()}
    going_on = {
        context: found
        for context, record in records.items()
        if (found := unfinished(record, keys[context].key_id)) is not None
        and found.rotation_id != over
    }
    if len({record.rotation_id for record in going_on.values()}) > 1:
        listed = ", ".join(f"{c}: {r.rotation_id}" for c, r in going_on.items())
        raise RefusedError(
            [
                f"Different rotations are under way ({listed}). Finish each with a run"
                " for its own cluster (ipsec_context), then rotate them together."
            ]
        )
    record = next(iter(going_on.values()), None)
    begun = tuple(
        context
        for context, key in keys.items()
        if record is not None
        and key.key_id == record.to_key_id
        and (own := records[context]) is not None
        and own.rotation_id == record.rotation_id
    )
    standing = Standing(secrets, keys, record, begun)
    reasons = _reasons(standing)
    if reasons:
        raise RefusedError(reasons)
    return standing


def _reasons(standing: Standing) -> list[str]:
    reasons = []
    shapes = {c: (k.algorithm, k.key_bits) for c, k in standing.keys.items()}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{c}: {name}, {bits}" for c, (name, bits) in shapes.items())
        reasons.append(
            f"The clusters' keys differ in algorithm or length ({listed} bits). A mesh"
            " has one key: bring all clusters to the same algorithm first."
        )
    waiting = {c: k for c, k in standing.keys.items() if c not in standing.begun}
    ids = {context: key.key_id for context, key in waiting.items()}
    if any(key_id != standing.key_id for key_id in ids.values()):
        listed = ", ".join(f"{c}: {k.key_id}" for c, k in standing.keys.items())
        reasons.append(
            f"The clusters hold different key IDs ({listed}). A mesh has one key"
            " under one ID: rotate the clusters that are behind, each with"
            " ipsec_context, until the IDs are the same."
        )
    begun = [standing.keys[context] for context in standing.begun]
    if any(not hmac.compare_digest(key.key, begun[0].key) for key in begun[1:]):
        reasons.append(
            f"{' and '.join(standing.begun)} hold different keys under key ID"
            f" {begun[0].key_id}: someone else changed one of them. Find out who;"
            " a new rotation is safe once every node is down to one SPI."
        )
    return reasons


def put(
    mesh: Mesh,
    expected_key_id: int,
    started_by: str,
    *,
    per_tunnel: bool = False,
    over: str = "",
) -> tuple[RotationRecord, tuple[str, ...]]:
    """Bring one new key into the Secrets of all clusters.

    Returns:
        The record, and the clusters whose Secret this call changed.

    Raises:
        RefusedError: If a Secret holds another key than the preflight saw.
        RotationError: If a cluster went away; says which ones have the key.
    """
    standing = stand(mesh, over)
    if standing.key_id != expected_key_id:
        raise RefusedError(
            [
                f"The clusters' key ID went from {expected_key_id} to"
                f" {standing.key_id} while this playbook looked at them: someone else"
                " changes the key. No key was changed by this run; find out who, and"
                " run the playbook again."
            ]
        )
    wanted = True if per_tunnel else None
    record = standing.record
    if record is None:
        first = next(iter(standing.keys.values()))
        new = next_key(first, per_tunnel=wanted)
        record = patch.new_record(first.key_id, new.key_id, started_by)
    else:
        new = standing.keys[standing.begun[0]]
    waiting = tuple(c for c in standing.secrets if c not in standing.begun)

    def offer(context: str, session: Session) -> None:
        if context not in waiting:
            return
        secret, own = standing.secrets[context], standing.keys[context]
        key = replace(new, per_tunnel=new.per_tunnel or own.per_tunnel)
        patch.offer(
            session.cluster,
            secret,
            record,
            patch.content_for(secret, key),
            session.brief,
        )

    try:
        mesh.each(offer)
    except RotationError as error:
        raise RotationError(
            f"{error} The key may have reached some of the clusters and not others,"
            " whose nodes can't talk to each other once the old key is gone. Run the"
            " playbook again soon: it brings the same key to those that lack it."
        ) from None
    return record, waiting
