"""The steps of a rotation that look and write: preflight, patch, verify, finish.

Each takes the session and plain values, and returns plain values that can go
through Ansible and into the report. None returns a key. The steps that wait
for the nodes are in :mod:`runbooks.rotation.spread`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runbooks.duration import parse_duration_s
from runbooks.report.json import as_data
from runbooks.report.text import to_text
from runbooks.rotation import patch as key_patch
from runbooks.rotation.coverage import spis_in_use
from runbooks.rotation.drops import counters, explain, risen, state_errors
from runbooks.rotation.errors import RefusedError, WaitLimitError
from runbooks.rotation.key_files.judge import boot_ids, judge_all
from runbooks.rotation.key_value_store import stores_away
from runbooks.rotation.lease_record import recorded
from runbooks.rotation.preflight import (
    Facts,
    known_bugs,
    reasons_to_refuse,
    watches_key_file,
)
from runbooks.rotation.record import started_long_ago
from runbooks.rotation.spread import unread_nodes
from runbooks.rotation.waiting import Look, Pace, persist, wait_until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from runbooks.diagnose.finding import Diagnosis, Finding
    from runbooks.rotation.key_files.node import KeyFile
    from runbooks.rotation.record import RotationRecord
    from runbooks.rotation.session import Assessment, Session, Watch

#: An interrupted rotation that needs no more is gone on with for this long.
FORGOTTEN_AFTER_S = 3600.0
DEFAULT_ROTATION_DURATION = "5m"

Result = dict[str, Any]


def preflight(
    session: Session,
    *,
    restart_agents: bool = False,
    accepted_bugs: Collection[str] = (),
    key_files: Sequence[KeyFile] = (),
) -> Result:
    """Gather every fact, and refuse unless the cluster can take a rotation.

    Args:
        session: The run.
        restart_agents: Whether agents that do not watch the key file may be
            restarted.
        accepted_bugs: Names of known bugs that the operator accepts.
        key_files: The nodes' key files, where there is no Secret.

    Raises:
        RefusedError: With every reason there is.
    """
    cluster, pace = session.cluster, session.brief
    in_files = cluster.target.key_files
    # Read at once: without a key there is no need to look any further.
    in_secret = None if in_files else key_patch.read_key(cluster, pace)
    config = persist(cluster.cilium_config, pace, what="ConfigMap cilium-config")
    agents = persist(cluster.agents, pace, what="the agents' pods")
    assessment = persist(session.reader.assess, pace, what="the nodes")
    snapshot = assessment.snapshot
    duration_s = rotation_duration_s(config)
    key = in_secret or judge_all(
        key_files, recorded(cluster, pace), boot_ids(snapshot), duration_s
    )
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
        unread=unread_nodes(snapshot),
        unfinished=key.unfinished,
        stores=stores_away(session, config),
        key_problems=key.reasons,
        key_bits=key.key_bits,
        holds="The key files hold" if in_files else "The Secret holds",
        restart_agents=restart_agents,
        accepted_bugs=accepted_bugs,
    )
    reasons = reasons_to_refuse(facts)
    if reasons:
        raise RefusedError(reasons)
    over = None
    if not key.missing:
        over = _interrupted_but_over(facts, assessment.diagnosis, duration_s)
    resumes = None if over else key.unfinished
    result: Result = {
        "key_id": resumes.from_key_id if resumes else key.key_id,
        "next_key_id": key.key_id if resumes else key.key_id % 15 + 1,
        "algorithm": key.algorithm,
        "resumes": asdict(resumes) if resumes else None,
        "over": over.rotation_id if over else "",
        "nodes": sorted(snapshot.nodes),
        "version": ", ".join(sorted(set(facts.versions.values()))),
        "rotation_duration_s": duration_s,
        "restart_agents": not watches_key_file(config),
        **_told(assessment.diagnosis),
        "counters": counters(snapshot),
        "state_errors": state_errors(snapshot),
    }
    return {**result, "summary": [*_outlook(result), *known_bugs(facts)]}


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


def check(session: Session, *, audit: bool = False) -> Result:
    """Run the check once, whatever it finds.

    Args:
        session: The run.
        audit: Whether to compare every pair of nodes, however many there are.
    """
    diagnosis = persist(
        lambda: session.reader.check(audit=audit), session.brief, what="the nodes"
    )
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


def verify(
    watch: Watch,
    limit_s: float,
    counters_before: Mapping[str, Mapping[str, int]],
    findings_before: list[Mapping[str, Any]] | None = None,
    refused: Mapping[str, Any] | None = None,
    key_id: int = 0,
) -> Result:
    """Run the check, audit included, until it finds nothing; count what was dropped.

    What only an audit tells is no failure: it is told with what explains it.

    Args:
        watch: The run.
        limit_s: How long the check may find something, in seconds.
        counters_before: XFRM counters of every node before the rotation.
        findings_before: What the check found before the rotation.
        refused: What the nodes' states refused since then, as the waits saw it.
        key_id: The new key ID.
    """
    last: list[Assessment] = []

    def look() -> Look[Assessment]:
        assessment = watch.reader.assess(audit=True)
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
            tell=watch.tell,
            between=watch.between,
        )
    except WaitLimitError:
        if not last:
            raise
        assessment = last[0]
    dropped = risen(counters_before, counters(assessment.snapshot))
    explained, unexplained = explain(dropped, findings_before or [], refused, key_id)
    return {
        **_told(assessment.diagnosis),
        "healthy": assessment.diagnosis.exit_code == 0,
        "unexplained": unexplained,
        "summary": _summary(assessment.diagnosis),
        "dropped": dropped,
        "explained": explained,
        "audit": [f.summary for f in assessment.diagnosis.findings if f.audit],
        "state_errors": state_errors(assessment.snapshot),
    }


def finish(session: Session) -> Result:
    """Mark the rotation on the Secret as over."""
    key = key_patch.read_key(session.cluster, session.brief)
    if key.unfinished is None:
        return {"changed": False}
    done = key_patch.finish(session.cluster, key.unfinished, session.brief)
    return {"changed": done.finished_at is not None, **asdict(done)}


def rotation_duration_s(config: Mapping[str, str]) -> float:
    """How long agents keep the states of a replaced key, in seconds."""
    text = config.get("ipsec-key-rotation-duration", DEFAULT_ROTATION_DURATION)
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise RefusedError(
            [f"ConfigMap cilium-config: ipsec-key-rotation-duration: {error}."]
        ) from None


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
    if result["restart_agents"]:
        yield (
            "The agents do not watch the key file: after the patch they are restarted,"
            " node by node."
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
