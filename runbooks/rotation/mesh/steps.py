"""The steps of a rotation that look and write, on several clusters.

The waits and the verification are those of one cluster: they look at a
:class:`~runbooks.rotation.mesh.clusters.Mesh` as they do at a session.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from runbooks.diagnose.finding import Verdict
from runbooks.rotation import restart, steps
from runbooks.rotation.mesh import keys
from runbooks.rotation.mesh.diagnosis import WORST_FIRST
from runbooks.rotation.mesh.names import qualified
from runbooks.rotation.preflight import watches_key_file
from runbooks.rotation.waiting import persist

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runbooks.rotation.mesh.clusters import Mesh
    from runbooks.rotation.session import Session

Result = dict[str, Any]


def preflight(
    mesh: Mesh,
    *,
    restart_agents: bool = False,
    accepted_bugs: Collection[str] = (),
) -> Result:
    """Refuse unless every cluster can take the rotation.

    Args and errors are those of :func:`runbooks.rotation.steps.preflight`. What the
    clusters have for one another is judged when they are verified.
    """

    def one(_context: str, session: Session) -> Result:
        return steps.preflight(
            session, restart_agents=restart_agents, accepted_bugs=accepted_bugs
        )

    found = mesh.each(one)
    standing = keys.stand(mesh)
    over = _over(standing, found)
    if over:
        standing = keys.stand(mesh, over)
    record = standing.record
    result: Result = {
        "key_id": standing.key_id,
        "next_key_id": record.to_key_id if record else standing.key_id % 15 + 1,
        "algorithm": next(iter(found.values()))["algorithm"],
        "resumes": asdict(record) if record else None,
        "over": over,
        "contexts": list(found),
        "nodes": [
            qualified(c, node) for c, each in found.items() for node in each["nodes"]
        ],
        "version": ", ".join(sorted({each["version"] for each in found.values()})),
        "rotation_duration_s": max(e["rotation_duration_s"] for e in found.values()),
        "restart_agents": any(each["restart_agents"] for each in found.values()),
        **_told(found),
        "counters": _by_node(found, "counters"),
        "state_errors": _by_node(found, "state_errors"),
    }
    lines = [
        f"{context}: {line}"
        for context, each in found.items()
        for line in each["summary"]
    ]
    lacking = [context for context in found if record and context not in standing.begun]
    if lacking:
        lines.append(
            f"{' and '.join(lacking)} still lacked the new key, which this run brings."
        )
    return {**result, "summary": lines}


def _over(standing: keys.Standing, found: Mapping[str, Result]) -> str:
    """The interrupted rotation, if only its end was not written down anywhere.

    A cluster that lacks its key, or whose nodes are still at it, says that it is not.
    """
    record = standing.record
    if record is None or set(standing.begun) != set(found):
        return ""
    if any(each["resumes"] for each in found.values()):
        return ""
    return record.rotation_id


def _told(found: Mapping[str, Result]) -> Result:
    """The checks' answers as one."""
    verdicts = [Verdict(each["verdict"]) for each in found.values()]
    return {
        "verdict": str(min(verdicts, key=WORST_FIRST.index)),
        "findings": [
            {
                **finding,
                **{
                    end: qualified(context, finding[end])
                    for end in ("source", "destination", "node")
                    if finding.get(end)
                },
            }
            for context, each in found.items()
            for finding in each["findings"]
        ],
        "incomplete": [
            f"{context}: {sentence}"
            for context, each in found.items()
            for sentence in each["incomplete"]
        ],
    }


def _by_node(found: Mapping[str, Result], name: str) -> Result:
    return {
        qualified(context, node): value
        for context, each in found.items()
        for node, value in each[name].items()
    }


def patch(
    mesh: Mesh,
    expected_key_id: int,
    started_by: str,
    *,
    per_tunnel: bool = False,
    over: str = "",
) -> Result:
    """Put one key into the Secrets of all clusters that lack it."""
    record, changed = keys.put(
        mesh, expected_key_id, started_by, per_tunnel=per_tunnel, over=over
    )
    return {"changed": bool(changed), "patched": list(changed), **asdict(record)}


def would_patch(mesh: Mesh, expected_key_id: int, *, over: str = "") -> Result:
    """What :func:`patch` would do; no key is drawn."""
    standing = keys.stand(mesh, over)
    record = standing.record
    waiting = [context for context in standing.keys if context not in standing.begun]
    return {
        "changed": bool(waiting),
        "patched": waiting,
        "from_key_id": record.from_key_id if record else expected_key_id,
        "to_key_id": record.to_key_id if record else expected_key_id % 15 + 1,
    }


def restart_agents(
    mesh: Mesh, key_id: int, limit_s: float, interval_s: float
) -> Result:
    """Restart the agents that need it, cluster by cluster and node by node."""
    restarted: list[str] = []
    result: Result = {"failed": False, "pending": []}
    for context, session in mesh.sessions.items():
        config = persist(
            session.cluster.cilium_config, session.brief, what="ConfigMap cilium-config"
        )
        if watches_key_file(config):
            continue
        watched = replace(session, tell=mesh.tell, between=mesh.between)
        one = restart.restart_agents(watched, key_id, limit_s, interval_s)
        restarted += [qualified(context, node) for node in one["restarted"]]
        if one["failed"]:
            result = {
                "failed": True,
                "pending": one["pending"],
                "msg": f"{context}: {one['msg']}",
            }
            break
    return {**result, "changed": bool(restarted), "restarted": restarted}


def finish(mesh: Mesh) -> Result:
    """Mark the rotation as over, in every cluster."""
    found = mesh.each(lambda _, session: steps.finish(session))
    told = [each for each in found.values() if each["changed"]]
    return {**(told[0] if told else {}), "changed": bool(told)}
