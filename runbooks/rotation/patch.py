"""Put the next key into the Secret: once, and never on top of another's change.

The key lives in this module's local variables between drawing and patching. It
is in no return value, message or log.
"""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runbooks.rotation.errors import (
    ConflictError,
    NotFoundError,
    RefusedError,
    RotationError,
    TransientError,
    WaitLimitError,
)
from runbooks.rotation.lease_record import require_record
from runbooks.rotation.record import RotationRecord, read_record, unfinished
from runbooks.rotation.waiting import Pace, persist
from runbooks.xfrm.keys import IpsecKey, next_key, parse_key

if TYPE_CHECKING:
    from runbooks.rotation.cluster import Cluster
    from runbooks.rotation.objects import KeySecret


@dataclass(frozen=True, slots=True)
class KeyNow:
    """What may be known of the key that the cluster has.

    Attributes:
        key_id: Its ID; in an interrupted rotation that of the newer one.
        algorithm: Its algorithm.
        key_bits: Its length in bits; ``None`` where that is not known.
        unfinished: The interrupted rotation, if there is one.
        missing: Hosts that lack its key, where nodes get the key as a file.
        reasons: Why no rotation can start or go on, a sentence each.
    """

    key_id: int = 0
    algorithm: str = ""
    unfinished: RotationRecord | None = None
    key_bits: int | None = None
    missing: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


def read_key(cluster: Cluster, pace: Pace) -> KeyNow:
    """Read the Secret and say what may be said of its key.

    Raises:
        RefusedError: If the Secret is missing or malformed.
    """
    secret, key = read_secret(cluster, pace)
    record = read_record(secret.annotations)
    going_on = unfinished(record, key.key_id)
    return KeyNow(key.key_id, key.algorithm, going_on, key.key_bits)


def draw_and_patch(
    cluster: Cluster,
    expected_key_id: int,
    started_by: str,
    pace: Pace,
    *,
    per_tunnel: bool = False,
    over: str = "",
) -> RotationRecord:
    """Draw the next key and patch the Secret with it, record included.

    The same drawn key is offered again after a conflict or an unclear answer,
    so a lost response never leads to two keys.

    Args:
        cluster: Where.
        expected_key_id: The key ID that the preflight saw.
        started_by: Who rotates, for the record.
        pace: How long and how often to repeat where the API server is away.
        per_tunnel: Set the ``+`` also where the old key lacks it.
        over: ID of an interrupted rotation that the preflight found to be over.

    Returns:
        The record as it now stands on the Secret.

    Raises:
        RefusedError: If the key is another than the preflight saw, or if somebody
            changes the Secret twice meanwhile.
        RotationError: If the API server goes away, and the outcome is unclear.
    """
    secret, key = read_secret(cluster, pace)
    going_on = unfinished(read_record(secret.annotations), key.key_id)
    if going_on is not None and going_on.rotation_id != over:
        return going_on
    if key.key_id != expected_key_id:
        raise _changed(expected_key_id, key.key_id)
    new = next_key(key, per_tunnel=True if per_tunnel else None)
    record = new_record(key.key_id, new.key_id, started_by)
    try:
        return offer(cluster, secret, record, content_for(secret, new), pace)
    except (TransientError, WaitLimitError):
        raise RotationError(
            "The API server went away while the key was being changed: whether it was"
            " is unclear until someone looks. Run the playbook again: it looks first,"
            " and goes on with the new key if there is one."
        ) from None


def content_for(secret: KeySecret, key: IpsecKey) -> bytes:
    """A key as the Secret's content, which ends as it did before."""
    end = b"\n" if secret.content and secret.content.endswith(b"\n") else b""
    return key.line().encode() + end


def new_record(from_key_id: int, to_key_id: int, started_by: str) -> RotationRecord:
    """The record of a rotation that begins now."""
    now = datetime.datetime.now(datetime.UTC)
    return RotationRecord(
        rotation_id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        from_key_id=from_key_id,
        to_key_id=to_key_id,
        started_at=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        started_by=started_by,
    )


def offer(
    cluster: Cluster,
    secret: KeySecret,
    record: RotationRecord,
    content: bytes,
    pace: Pace,
) -> RotationRecord:
    """Offer one drawn key until the Secret has it, or somebody else's change."""
    conflicts = 0
    decided_on = secret.content
    end = pace.clock() + pace.limit_s
    while True:
        try:
            cluster.patch_key_secret(
                secret.resource_version, record.annotations(), content
            )
        except TransientError as error:
            # The patch may have been carried out: only another look tells.
            if pace.clock() >= end:
                raise
            pace.sleep(max(pace.interval_s, error.retry_after_s or 0))
        except ConflictError:
            conflicts += 1
        secret, key = read_secret(cluster, pace)
        found = unfinished(read_record(secret.annotations), key.key_id)
        if found is not None and found.rotation_id == record.rotation_id:
            return record
        if secret.content != decided_on:
            raise _changed(record.from_key_id, key.key_id)
        if conflicts > 1:
            raise RefusedError(
                [
                    f"Secret {cluster.target.secret_name} is being changed by someone"
                    " else all the time. No key was changed by this run; find out"
                    " who, and run the playbook again."
                ]
            )


def finish(cluster: Cluster, record: RotationRecord, pace: Pace) -> RotationRecord:
    """Mark a rotation as over, unless the Secret tells of another by now."""
    finished_at = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for _ in range(3):
        secret, key = read_secret(cluster, pace)
        found = unfinished(read_record(secret.annotations), key.key_id)
        if found is None or found.rotation_id != record.rotation_id:
            break
        done = replace(found, finished_at=finished_at)
        try:
            cluster.patch_key_secret(secret.resource_version, done.annotations())
        except (ConflictError, TransientError):
            continue
        return done
    return record


def require_key(cluster: Cluster, key_id: int) -> None:
    """Look whether the Secret still holds the key that this run waits for.

    Where there is no Secret, whether the Lease still tells of this rotation.

    Raises:
        RotationError: If somebody changed or deleted it meanwhile.
    """
    if cluster.target.key_files:
        require_record(cluster, key_id)
        return
    where = f"Secret {cluster.target.namespace}/{cluster.target.secret_name}"
    try:
        content = cluster.key_secret().content or b""
        found = parse_key(content.decode()).key_id
    except NotFoundError:
        raise RotationError(
            f"{where} was deleted while the nodes took up its key. The agents go on"
            " with the key they have loaded, but lose it when they restart: bring the"
            " Secret back from a copy, or create one with a new key under the ID"
            f" after {key_id}."
        ) from None
    except ValueError:
        found = None
    if found != key_id:
        now = "is malformed now" if found is None else f"holds key ID {found} now"
        raise RotationError(
            f"{where} {now}, while this run waits for key ID {key_id}: someone else"
            " changed it. Find out who, wait until every node is down to one SPI,"
            " and run the playbook again."
        )


def _changed(expected_key_id: int, key_id: int) -> RefusedError:
    if key_id == expected_key_id:
        what = f"The key in the Secret was changed under the same ID ({key_id})"
    else:
        what = f"The Secret's key ID went from {expected_key_id} to {key_id}"
    return RefusedError(
        [
            f"{what} while this playbook looked at the cluster: someone else changes"
            " the key. No key was changed by this run; find out who did, wait until"
            " the nodes have settled, and run the playbook again."
        ]
    )


def read_secret(cluster: Cluster, pace: Pace) -> tuple[KeySecret, IpsecKey]:
    """Read the Secret and the key in it.

    Raises:
        RefusedError: If the Secret is missing or malformed.
    """
    target = cluster.target
    where = f"Secret {target.namespace}/{target.secret_name}"
    try:
        secret = persist(cluster.key_secret, pace, what=where)
    except NotFoundError:
        raise RefusedError(
            [f"{where} is missing: there is no key to rotate."]
        ) from None
    if secret.content is None:
        raise RefusedError([f"{where} has no field {target.secret_key!r}."])
    try:
        return secret, parse_key(secret.content.decode())
    except UnicodeDecodeError:
        raise RefusedError([f"{where} is malformed: its key is not text."]) from None
    except ValueError as error:
        raise RefusedError([f"{where} is malformed: {error}"]) from None
