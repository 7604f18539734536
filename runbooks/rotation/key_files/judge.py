"""What the key files of all nodes say together, and what is wrong with them.

Pure: what was seen in, sentences out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from runbooks.rotation.patch import KeyNow
from runbooks.rotation.record import unfinished
from runbooks.xfrm.keys import IpsecKey, KeyFormatError, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runbooks.rotation.key_files.node import KeyFile
    from runbooks.rotation.record import RotationRecord
    from runbooks.snapshot import Snapshot

#: Writing one file after the other may take this part of the rotation duration:
#: the first agents drop the old key when it is over.
PART_OF_DURATION = 0.5


def key_of(seen: KeyFile) -> IpsecKey:
    """The key as far as it is known: all of it but its digits, which are zeros.

    Raises:
        KeyFormatError: The file is malformed.
    """
    return parse_key("\n".join(seen.lines))


def judge_all(
    files: Sequence[KeyFile],
    record: RotationRecord | None,
    boot_ids: Mapping[str, str | None],
    duration_s: float,
) -> KeyNow:
    """Judge the key files of all nodes, and whether they are those of all nodes.

    Args:
        files: As they were looked at.
        record: What the cluster tells of the last rotation.
        boot_ids: Boot ID of every node of the cluster.
        duration_s: How long agents keep the states of a replaced key, in seconds.
    """
    found = judge(files, record)
    reasons = [*found.reasons, *misplaced(files, boot_ids)]
    if found.unfinished is None:
        # Half of the nodes without the key is worse than a slow way to give it.
        reasons += too_slow(files, duration_s)
    return replace(found, reasons=tuple(reasons))


def judge(files: Sequence[KeyFile], record: RotationRecord | None) -> KeyNow:
    """Judge the key files of all nodes.

    Args:
        files: As they were looked at.
        record: What the cluster tells of the last rotation.
    """
    if not files:
        return KeyNow(
            reasons=(
                "No host of the inventory matches rotation_key_hosts: Ansible needs"
                " one for every node, to write its key file. Name an inventory with"
                " -i.",
            )
        )
    reasons = [f"Host {seen.host}: {seen.problem}." for seen in files if seen.problem]
    keys: dict[str, IpsecKey] = {}
    for seen in files:
        if not seen.problem:
            try:
                keys[seen.host] = key_of(seen)
            except KeyFormatError as error:
                reasons.append(f"Host {seen.host}: {seen.path} is malformed: {error}")
    if reasons:
        return KeyNow(reasons=tuple(reasons))
    return _together(files, keys, record)


def _together(
    files: Sequence[KeyFile],
    keys: Mapping[str, IpsecKey],
    record: RotationRecord | None,
) -> KeyNow:
    ids = {key.key_id for key in keys.values()}
    found = None if record is None else unfinished(record, record.to_key_id)
    if found is not None and not {found.to_key_id} <= ids <= {
        found.from_key_id,
        found.to_key_id,
    }:
        found = None
    differing = list(_differing(files, keys))
    if differing or (len(ids) > 1 and found is None):
        listed = ", ".join(f"{host}: {key.key_id}" for host, key in keys.items())
        what = (
            f"Key files hold different keys under the same ID ({'; '.join(differing)})"
            if differing
            else f"The key files hold different key IDs ({listed}), and no rotation of"
            " this playbook explains it"
        )
        return KeyNow(
            reasons=(
                f"{what}. Somebody else changes them: find out who, bring all nodes to"
                " one key, and run the playbook again.",
            )
        )
    key_id = found.to_key_id if found else next(iter(ids))
    one = next(key for key in keys.values() if key.key_id == key_id)
    return KeyNow(
        key_id=key_id,
        algorithm=one.algorithm,
        unfinished=found,
        key_bits=one.key_bits,
        missing=tuple(host for host, key in keys.items() if key.key_id != key_id),
    )


def _differing(files: Sequence[KeyFile], keys: Mapping[str, IpsecKey]) -> Iterator[str]:
    """Hosts whose key is another than most have under the same ID."""
    hashes = {seen.host: seen.key_sha256 for seen in files}
    for key_id in sorted({key.key_id for key in keys.values()}):
        hosts = [host for host, key in keys.items() if key.key_id == key_id]
        counted = Counter(hashes[host] for host in hosts).most_common()
        if len(counted) > 1:
            odd = [host for host in hosts if hashes[host] != counted[0][0]]
            yield f"ID {key_id}: {', '.join(odd)} unlike the rest"


def misplaced(
    files: Sequence[KeyFile], boot_ids: Mapping[str, str | None]
) -> tuple[str, ...]:
    """Hosts that are no node, and nodes that no host stands for.

    Args:
        files: As they were looked at.
        boot_ids: Boot ID of every node of the cluster.
    """
    answered = [seen for seen in files if seen.boot_id]
    if len(answered) < len(files) or not all(boot_ids.values()):
        # Who could not be asked may be any of them, and is named elsewhere.
        return ()
    node_of = {boot_id: node for node, boot_id in boot_ids.items()}
    hosts: dict[str, list[str]] = {}
    strange = []
    for seen in answered:
        if node := node_of.get(seen.boot_id):
            hosts.setdefault(node, []).append(seen.host)
        else:
            strange.append(seen.host)
    return (
        *(
            f"Host {host} is no node of this cluster: no node has its boot ID. Look"
            " where its connection leads, or take it out of rotation_key_hosts."
            for host in strange
        ),
        *(
            f"Hosts {' and '.join(names)} are the same node, {node}. Take out all but"
            " one."
            for node, names in sorted(hosts.items())
            if len(names) > 1
        ),
        *(
            f"No host of rotation_key_hosts stands for node {node}: it would not get"
            " the new key. Add it to the inventory."
            for node in sorted(set(boot_ids) - set(hosts))
        ),
    )


def boot_ids(snapshot: Snapshot) -> dict[str, str | None]:
    """Boot ID of every node, as far as it was read."""
    return {node.name: node.boot_id for node in snapshot.nodes.values()}


def too_slow(files: Sequence[KeyFile], duration_s: float) -> tuple[str, ...]:
    """Whether writing would take so long that the first agents drop the old key.

    Args:
        files: As they were looked at; a write takes about as long as a look.
        duration_s: How long agents keep the states of a replaced key, in seconds.
    """
    took_s = sum(seen.took_s for seen in files)
    if took_s <= PART_OF_DURATION * duration_s:
        return ()
    return (
        f"To look at all {len(files)} key files took {took_s:.0f} s, one after the"
        " other, and to write them takes about as long; the first agents drop the old"
        f" key after {duration_s:.0f} s. Make the connections faster (for ssh,"
        " ControlPersist), or set ipsec-key-rotation-duration to more than"
        f" {took_s / PART_OF_DURATION:.0f} s and restart the agents.",
    )
