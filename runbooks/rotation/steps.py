"""The steps of a rotation: preflight, patch, propagate, reclaim, verify.

Each takes the session and plain values, and returns plain values that can go
through Ansible and into the report. None returns a key.
"""

from __future__ import annotations

import datetime
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runbooks.report.json import as_data
from runbooks.report.text import to_text
from runbooks.rotation import patch as key_patch
from runbooks.rotation.coverage import laggards, leftovers, spis_in_use
from runbooks.rotation.duration import parse_duration_s
from runbooks.rotation.errors import RefusedError, TransientError, WaitLimitError
from runbooks.rotation.preflight import Facts, reasons_to_refuse
from runbooks.rotation.record import started_long_ago
from runbooks.rotation.waiting import Look, Pace, persist, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runbooks.diagnose.finding import Diagnosis, Finding
    from runbooks.rotation.record import RotationRecord
    from runbooks.rotation.session import Assessment, Session
    from runbooks.snapshot import Snapshot

#: Agents look once a minute for states whose time is up.
RECLAIM_TIMER_S = 60.0
#: Seen on real agents: 148 s where 90 s plus the timer were due.
RECLAIM_MARGIN_S = 60.0
#: kubelet brings a Secret to its nodes within about a minute.
PROPAGATE_AT_LEAST_S = 180.0
#: An interrupted rotation that needs no more is gone on with for this long.
FORGOTTEN_AFTER_S = 3600.0
DEFAULT_ROTATION_DURATION = "5m"

Result = dict[str, Any]


def preflight(session: Session) -> Result:
    """Gather every fact, and refuse unless the cluster can take a rotation.

    Raises:
        RefusedError: With every reason there is.
    """
    cluster, pace = session.cluster, session.brief
    key = key_patch.read_key(cluster, pace)
    config = persist(cluster.cilium_config, pace, what="ConfigMap cilium-config")
    agents = persist(cluster.agents, pace, what="the agents' pods")
    assessment = persist(session.reader.assess, pace, what="the nodes")
    snapshot = assessment.snapshot
    facts = Facts(
        agents=agents,
        rollout=persist(cluster.rollout, pace, what="the DaemonSet"),
        nodes=persist(cluster.nodes, pace, what="the nodes"),
        config=config,
        addresses=persist(cluster.addresses, pace, what="the CiliumNodes"),
        states={n.name: n.states or () for n in snapshot.nodes.values()},
        versions={
            n.name: n.agent.version for n in snapshot.nodes.values() if n.agent.version
        }
        or {agent.node: agent.image for agent in agents},
        key_id=key.key_id,
        unread=_unread(snapshot),
        unfinished=key.unfinished,
    )
    reasons = reasons_to_refuse(facts)
    if reasons:
        raise RefusedError(reasons)
    duration_s = rotation_duration_s(config)
    over = _interrupted_but_over(facts, assessment.diagnosis, duration_s)
    resumes = None if over else key.unfinished
    result: Result = {
        "key_id": resumes.from_key_id if resumes else key.key_id,
        "next_key_id": key.key_id if resumes else key.key_id % 15 + 1,
        "algorithm": key.algorithm,
        "resumes": asdict(resumes) if resumes else None,
        "over": over.rotation_id if over else "",
        "nodes": sorted(facts.addresses),
        "version": ", ".join(sorted(set(facts.versions.values()))),
        "rotation_duration_s": duration_s,
        **_told(assessment.diagnosis),
        "counters": _counters(snapshot),
    }
    return {**result, "summary": list(_outlook(result))}


def _interrupted_but_over(
    facts: Facts, diagnosis: Diagnosis, duration_s: float
) -> RotationRecord | None:
    """The interrupted rotation, if only its end was not written down.

    Every node is on the new SPI alone. A healthy cluster gets the end that is
    missing; a broken one needs a new key, and so does one that was left for long.
    """
    record = facts.unfinished
    if record is None:
        return None
    settled = all(
        spis_in_use(states) <= {record.to_key_id} for states in facts.states.values()
    )
    late = started_long_ago(record, duration_s + FORGOTTEN_AFTER_S)
    return record if settled and (late or diagnosis.alarming) else None


def check(session: Session) -> Result:
    """Run the check once, whatever it finds."""
    diagnosis = persist(
        session.reader.assess, session.brief, what="the nodes"
    ).diagnosis
    return {
        **_told(diagnosis),
        "exit_code": diagnosis.exit_code,
        "summary": _summary(diagnosis),
        "text": to_text(diagnosis).rstrip(),
    }


def patch(
    session: Session,
    expected_key_id: int,
    started_by: str,
    *,
    per_tunnel: bool = False,
    over: str = "",
) -> Result:
    """Put the next key into the Secret, or find the rotation that goes on.

    Returns:
        The record, with ``changed`` telling whether this call drew the key.
    """
    before = key_patch.read_key(session.cluster, session.brief).unfinished
    if before is not None and before.rotation_id != over:
        return {"changed": False, **asdict(before)}
    record = key_patch.draw_and_patch(
        session.cluster,
        expected_key_id,
        started_by,
        session.brief,
        per_tunnel=per_tunnel,
        over=over,
    )
    return {"changed": True, **asdict(record)}


def would_patch(session: Session, expected_key_id: int, *, over: str = "") -> Result:
    """What :func:`patch` would do; no key is drawn."""
    before = key_patch.read_key(session.cluster, session.brief).unfinished
    if before is not None and before.rotation_id != over:
        return {
            "changed": False,
            "from_key_id": before.from_key_id,
            "to_key_id": before.to_key_id,
        }
    return {
        "changed": True,
        "from_key_id": expected_key_id,
        "to_key_id": expected_key_id % 15 + 1,
    }


def propagate(
    session: Session, key_id: int, limit_s: float, interval_s: float
) -> Result:
    """Wait until every node has both directions of every pair under a key ID."""
    addresses = persist(
        session.cluster.addresses, session.brief, what="the CiliumNodes"
    )

    def judge(snapshot: Snapshot) -> dict[str, str]:
        states = {n.name: n.states or () for n in snapshot.nodes.values()}
        return laggards(states, addresses, key_id)

    result = _until_all_nodes(
        session,
        key_id,
        judge,
        sorted(addresses),
        Pace(limit_s, interval_s),
        what=f"every node to have every pair under SPI {key_id}",
    )
    if result["failed"]:
        result["msg"] += (
            " The nodes that lag take up the key by themselves once their agents see"
            " the changed file. Until then they lose packets as soon as the others"
            " drop the old SPI. Look at the lagging agents' logs, restart an agent"
            " that doesn't move, and run the playbook again: it goes on from here"
            " with the same key."
        )
    return result


def reclaim(session: Session, key_id: int, limit_s: float, interval_s: float) -> Result:
    """Wait until no node has a state under another SPI than a key ID."""

    def judge(snapshot: Snapshot) -> dict[str, str]:
        states = {n.name: n.states or () for n in snapshot.nodes.values()}
        return leftovers(states, key_id)

    nodes = sorted(
        persist(session.cluster.addresses, session.brief, what="the CiliumNodes")
    )
    result = _until_all_nodes(
        session,
        key_id,
        judge,
        nodes,
        Pace(limit_s, interval_s),
        what="the old SPI to be gone from every node",
    )
    if result["failed"]:
        result["msg"] += (
            " Traffic uses the new key already. An agent that restarted meanwhile"
            " counts the rotation duration anew: run the playbook again after that"
            " time, it goes on from here with the same key."
        )
    return result


def verify(
    session: Session, limit_s: float, counters_before: Mapping[str, Mapping[str, int]]
) -> Result:
    """Run the check until it finds nothing, and count what was dropped."""
    last: list[Assessment] = []

    def look() -> Look[Assessment]:
        assessment = session.reader.assess()
        last[:] = [assessment]
        diagnosis = assessment.diagnosis
        found = tuple(_phrase(finding) for finding in diagnosis.alarming)
        pending = found or (diagnosis.incomplete if diagnosis.exit_code else ())
        return Look(assessment, pending)

    try:
        assessment = wait_until(
            look,
            Pace(limit_s, 1.0),
            what="the check to find nothing",
            tell=session.tell,
            between=session.between,
        )
    except WaitLimitError:
        if not last:
            raise
        assessment = last[0]
    return {
        **_told(assessment.diagnosis),
        "healthy": assessment.diagnosis.exit_code == 0,
        "summary": _summary(assessment.diagnosis),
        "dropped": _risen(counters_before, _counters(assessment.snapshot)),
    }


def finish(session: Session) -> Result:
    """Mark the rotation on the Secret as over."""
    key = key_patch.read_key(session.cluster, session.brief)
    if key.unfinished is None:
        return {"changed": False}
    done = key_patch.finish(session.cluster, key.unfinished, session.brief)
    return {"changed": done.finished_at is not None, **asdict(done)}


def propagate_limit_s(rotation_duration_s: float) -> float:
    """How long nodes may take: the old SPI has gone from the first by then."""
    return max(PROPAGATE_AT_LEAST_S, rotation_duration_s)


def reclaim_limit_s(rotation_duration_s: float) -> float:
    """How long the old SPI may stay after the last node has the new one."""
    return rotation_duration_s + RECLAIM_TIMER_S + RECLAIM_MARGIN_S


def rotation_duration_s(config: Mapping[str, str]) -> float:
    """How long agents keep the states of a replaced key, in seconds."""
    text = config.get("ipsec-key-rotation-duration", DEFAULT_ROTATION_DURATION)
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise RefusedError(
            [f"ConfigMap cilium-config: ipsec-key-rotation-duration: {error}."]
        ) from None


def _until_all_nodes(
    session: Session,
    key_id: int,
    judge: Callable[[Snapshot], dict[str, str]],
    nodes: list[str],
    pace: Pace,
    what: str,
) -> Result:
    """Wait until the judge names no node, noting when each was done."""
    start = pace.clock()
    done_at: dict[str, str] = {}
    done_after_s: dict[str, float] = {}

    def look() -> Look[None]:
        key_patch.require_key(session.cluster, key_id)
        snapshot = session.reader.states()
        unread = _unread(snapshot)
        pending = judge(snapshot)
        pending |= {
            node: f"{node} (which could not be read: {unread[node]})" for node in unread
        }
        if set(nodes) - set(snapshot.nodes) - set(pending):
            raise TransientError("an agent on every node")
        for node in nodes:
            if node in pending:
                done_at.pop(node, None)
                done_after_s.pop(node, None)
            elif node not in done_at:
                done_at[node] = _now()
                done_after_s[node] = round(pace.clock() - start, 1)
        return Look(None, tuple(pending[node] for node in sorted(pending)))

    result: Result = {"failed": False, "pending": []}
    try:
        wait_until(look, pace, what=what, tell=session.tell, between=session.between)
    except WaitLimitError as error:
        result = {"failed": True, "pending": list(error.pending), "msg": str(error)}
    return {
        **result,
        "elapsed_s": round(pace.clock() - start, 1),
        "nodes_done_at": done_at,
        "nodes_done_after_s": done_after_s,
    }


def _unread(snapshot: Snapshot) -> dict[str, str]:
    return {
        node.name: " ".join(node.unread) or "its XFRM states are missing"
        for node in snapshot.nodes.values()
        if node.states is None
    }


def _counters(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    return {
        node.name: dict(node.counters)
        for node in snapshot.nodes.values()
        if node.counters is not None
    }


def _risen(
    before: Mapping[str, Mapping[str, int]], after: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    risen: dict[str, dict[str, int]] = {}
    for node, counters in after.items():
        was = before.get(node)
        if was is None:
            continue
        rise = {
            name: value - was.get(name, 0)
            for name, value in counters.items()
            # A counter below its old value was reset by a reboot.
            if value > was.get(name, 0)
        }
        if rise:
            risen[node] = rise
    return risen


def _outlook(result: Result) -> Iterator[str]:
    """Say what the preflight found and what the rotation will do."""
    ids = f"key ID {result['key_id']} to {result['next_key_id']}"
    if result["resumes"]:
        yield (
            f"Rotation {result['resumes']['rotation_id']} ({ids}), started"
            f" {result['resumes']['started_at']} by {result['resumes']['started_by']},"
            " was interrupted. This run goes on with it and draws no key."
        )
    else:
        yield (
            f"Ready to go from {ids}, {result['algorithm']}, on {len(result['nodes'])}"
            f" nodes, agents {result['version']}. Old keys stay for"
            f" {result['rotation_duration_s']:.0f} s."
        )
    if result["verdict"] != "healthy":
        found = sorted({finding["code"] for finding in result["findings"]})
        yield (
            f"The cluster is {result['verdict']} ({', '.join(found) or 'no findings'})."
            " The rotation goes ahead, since it is the cure for stale states."
        )


def _told(diagnosis: Diagnosis) -> Result:
    """The check's answer in the words of its JSON."""
    return {
        "verdict": str(diagnosis.verdict),
        "findings": as_data(diagnosis)["findings"],
        "incomplete": list(diagnosis.incomplete),
    }


def _summary(diagnosis: Diagnosis) -> list[str]:
    count = len(diagnosis.findings)
    found = f"{count} finding{'s' * (count != 1)}" if count else "nothing found"
    return [
        f"{diagnosis.verdict}: {len(diagnosis.nodes)} nodes, {found}.",
        *(f"{f.severity}: {_phrase(f)}: {f.summary}" for f in diagnosis.findings),
        *diagnosis.incomplete,
    ]


def _phrase(finding: Finding) -> str:
    ends = [finding.source, finding.destination]
    where = " to ".join(end for end in ends if end) or finding.node or ""
    return f"{finding.code} {where}".strip()


def _now() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
