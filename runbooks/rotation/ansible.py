"""The steps as Ansible calls them: options in, a task's result out.

The action plugins of ``playbooks/`` hold nothing but a name from this module.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbooks.collect import etcd_access
from runbooks.collect.errors import CollectError
from runbooks.repair import steps as repair
from runbooks.rotation import report as rotation_report
from runbooks.rotation import spread, steps
from runbooks.rotation.cluster import Cluster
from runbooks.rotation.drops import highest, state_errors_since
from runbooks.rotation.errors import RefusedError, RotationError
from runbooks.rotation.key_files.node import looked_at
from runbooks.rotation.lock import Holder, Lock, Renewal, acquire
from runbooks.rotation.mesh import steps as mesh_steps
from runbooks.rotation.mesh.clusters import Mesh
from runbooks.rotation.objects import Target
from runbooks.rotation.reader import KernelReader
from runbooks.rotation.restart import restart_agents
from runbooks.rotation.session import Session

if TYPE_CHECKING:
    from runbooks.collect.etcd import EtcdAccess

Options = Mapping[str, Any]
Result = dict[str, Any]
Tell = Callable[[str], None]


def check(options: Options, **call: Any) -> Result:
    """Run the check once."""

    def look(session: Session) -> Result:
        return steps.check(session, audit=options["audit"])

    return run_step(options, call, look)


def preflight(options: Options, **call: Any) -> Result:
    """Refuse unless the clusters can take a rotation."""

    def look(run: Session | Mesh) -> Result:
        allowed: dict[str, Any] = {
            "restart_agents": options["restart_agents"],
            "accepted_bugs": options["accept_known_bugs"],
        }
        if isinstance(run, Mesh):
            return mesh_steps.preflight(run, **allowed)
        seen = looked_at(options["key_files"])
        return steps.preflight(run, **allowed, key_files=seen)

    return run_step(options, call, look)


def lock(options: Options, **call: Any) -> Result:
    """Take the locks, or give them back."""
    holder = Holder.of_process(call["controller_pid"])

    def hold(run: Session | Mesh) -> Result:
        locks = {
            context: Lock(session.cluster, holder, options["lock_duration"])
            for context, session in _sessions(run).items()
        }
        if options["state"] == "free":
            if call["check_mode"]:
                return {"changed": False, "holder": ""}
            released = [mine.release() for mine in locks.values()]
            return {"changed": any(released), "holder": ""}
        if call["check_mode"]:
            return {"changed": True, "holder": holder.name}
        previous = acquire(locks)
        return {
            "changed": True,
            "holder": holder.name,
            "taken_over_from": previous or "",
        }

    return run_step(options, call, hold)


def patch(options: Options, **call: Any) -> Result:
    """Put the next key into the Secret."""
    expected = options["expected_key_id"]
    holder = Holder.of_process(call["controller_pid"])

    def put(run: Session | Mesh) -> Result:
        several = isinstance(run, Mesh)
        procedure: Any = mesh_steps if several else steps
        if call["check_mode"]:
            result: Result = procedure.would_patch(run, expected, over=options["over"])
        else:
            result = procedure.patch(
                run,
                expected,
                holder.name,
                per_tunnel=options["per_tunnel_keys"],
                over=options["over"],
            )
        if result["changed"]:
            result["diff"] = key_id_diff(result["from_key_id"], result["to_key_id"])
        return result

    return run_step(options, call, put)


def restart(options: Options, **call: Any) -> Result:
    """Restart the agents that have not loaded the key, node by node."""
    how = options["key_id"], options["limit"], options["interval"]

    def go(run: Session | Mesh) -> Result:
        if isinstance(run, Mesh):
            return mesh_steps.restart_agents(run, *how)
        return restart_agents(run, *how)

    return run_step(options, call, go)


def propagate(options: Options, **call: Any) -> Result:
    """Wait until every node has every pair under the new SPI."""
    limit_s = options["limit"] or spread.propagate_limit_s(options["rotation_duration"])
    return run_step(
        options,
        call,
        lambda session: spread.propagate(
            session, options["key_id"], limit_s, options["interval"]
        ),
    )


def reclaim(options: Options, **call: Any) -> Result:
    """Wait until the old SPI is gone from every node."""
    limit_s = options["limit"] or spread.reclaim_limit_s(options["rotation_duration"])
    return run_step(
        options,
        call,
        lambda session: spread.reclaim(
            session, options["key_id"], limit_s, options["interval"]
        ),
    )


def verify(options: Options, **call: Any) -> Result:
    """Run the check until it finds nothing."""
    seen = highest(options["refused_before"], *options["refused_since"])
    return run_step(
        options,
        call,
        lambda run: steps.verify(
            run,
            options["limit"],
            options["counters_before"],
            options["findings_before"],
            state_errors_since(options["refused_before"], seen),
            options["key_id"],
        ),
    )


def repair_find(options: Options, **call: Any) -> Result:
    """Find the stale inbound states that can be deleted."""
    return run_step(options, call, repair.find)


def repair_node(options: Options, **call: Any) -> Result:
    """Delete the stale inbound states of one node, and wait until it is healed."""
    if call["check_mode"]:
        return {"changed": True}
    return run_step(
        options,
        call,
        lambda session: repair.repair_node(session, options["node"], options["limit"]),
    )


def finish(options: Options, **call: Any) -> Result:
    """Mark the rotation as over."""
    if call["check_mode"]:
        return {"changed": True}

    def end(run: Session | Mesh) -> Result:
        return mesh_steps.finish(run) if isinstance(run, Mesh) else steps.finish(run)

    return run_step(options, call, end)


def report(options: Options, **call: Any) -> Result:
    """Write the report."""
    told = rotation_report.Report.of_steps(options["steps"])
    summary = list(told.summary())
    if call["check_mode"]:
        return {"changed": False, "summary": summary, "paths": []}
    try:
        paths = told.write(options["directory"])
    except OSError as error:
        return {
            "failed": True,
            "summary": summary,
            "msg": f"The report can't be written to {options['directory']}:"
            f" {error.strerror}.",
        }
    return {"changed": True, "summary": summary, "paths": [str(p) for p in paths]}


def run_step(
    options: Options, call: Mapping[str, Any], step: Callable[[Any], Result]
) -> Result:
    """Make a session of a task's options, and a task's result of what a step does."""
    try:
        return {"changed": False, **step(run_of(options, call))}
    except RefusedError as error:
        return {
            "changed": False,
            "failed": True,
            "msg": str(error),
            "reasons": list(error.reasons),
        }
    except RotationError as error:
        return {"changed": False, "failed": True, "msg": str(error)}


def run_of(options: Options, call: Mapping[str, Any]) -> Session | Mesh:
    """The run: on one cluster, or on several where there are contexts."""
    contexts = options.get("contexts") or []
    if not contexts:
        return session_of(options, call)
    if options["context"]:
        raise RefusedError(
            ["Both a context and contexts are given. Give one, or a list of all."]
        )
    if options["key_distribution"] == "files":
        raise RefusedError(
            [
                "Several clusters can't be rotated together where nodes get the key as"
                " a file (key_distribution: files): their first nodes would drop the"
                " old key before the last had the new one."
            ]
        )
    sessions = {name: session_of(options, call, name) for name in contexts}
    servers: dict[str, str] = {}
    for name, session in sessions.items():
        other = servers.setdefault(session.cluster.api.configuration.host, name)
        if other != name or contexts.count(name) > 1:
            raise RefusedError(
                [f"Contexts {other} and {name} lead to the same cluster. Name it once."]
            )

    def between() -> None:
        for session in sessions.values():
            session.between()

    return Mesh(sessions, call["tell"], between)


def _sessions(run: Session | Mesh) -> Mapping[str, Session]:
    return run.sessions if isinstance(run, Mesh) else {"": run}


def session_of(
    options: Options, call: Mapping[str, Any], context: str | None = None
) -> Session:
    """The session that a task's options ask for.

    Args:
        options: The task's options.
        call: What every call gets.
        context: One of several contexts.

    Raises:
        RotationError: If there is no usable kubeconfig.
    """
    target = Target(
        namespace=options["namespace"],
        secret_name=options["secret_name"],
        kubeconfig=options["kubeconfig"],
        context=context or options["context"],
        key_files=options["key_distribution"] == "files",
    )
    cluster = Cluster.connect(target)
    renewal = None
    if options.get("lock") and not call["check_mode"]:
        holder = Holder.of_process(call["controller_pid"])
        held = Lock(cluster, holder, options["lock_duration"])
        renewal = Renewal(held, lambda: os.getppid() == call["controller_pid"])
        renewal.renew()
        renewal.begin()

    def between() -> None:
        # A worker outlives a killed controller; waiting on would keep the lock.
        if os.getppid() != call["controller_pid"]:
            raise RotationError("The playbook's process is gone; this step ends too.")
        if renewal is not None:
            renewal.require()

    return Session(
        cluster=cluster,
        reader=KernelReader(
            target, options.get("sample_interval") or 2.0, _etcd(options)
        ),
        tell=call["tell"],
        between=between,
    )


def _etcd(options: Options) -> EtcdAccess | None:
    files = (options.get(f"etcd_{name}") for name in ("ca", "cert", "key"))
    paths = (Path(file) if file else None for file in files)
    try:
        return etcd_access(options.get("etcd_endpoint"), *paths)
    except CollectError as error:
        raise RotationError(str(error)) from None


def key_id_diff(from_key_id: int, to_key_id: int) -> dict[str, str]:
    """What ``--diff`` shows of a changed key: its ID."""
    return {
        "before_header": "key ID",
        "after_header": "key ID",
        "before": f"{from_key_id}\n",
        "after": f"{to_key_id}\n",
    }
