"""The steps of a repair: find, and repair one node.

Cilium's documentation names only the rotation as a cure. This is for when that
has to wait.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runbooks.diagnose.staleness import judge
from runbooks.diagnose.view import View
from runbooks.repair.plan import Plan, StaleState, plan
from runbooks.rotation.errors import RefusedError, RotationError, WaitLimitError
from runbooks.rotation.waiting import Look, Pace, persist, wait_until

if TYPE_CHECKING:
    from runbooks.rotation.session import Session

Result = dict[str, Any]

CAVEAT = (
    "Cilium's documentation names only one cure for stale states, a key rotation"
    " (rotate-ipsec-key.yml). Deleting the stale states by hand works because the"
    " agent makes missing states anew, which takes it a minute or two."
)


def find(session: Session) -> Result:
    """Find the stale inbound states that can be deleted; changes nothing."""
    found = _plan(session)
    count = sum(len(states) for states in found.states.values())
    return {
        "nodes": list(found.states),
        "states": [asdict(s) for states in found.states.values() for s in states],
        "left": list(found.left),
        "caveat": CAVEAT,
        "summary": [
            f"{count} stale inbound state{'s' * (count != 1)} to delete on"
            f" {len(found.states)} node{'s' * (len(found.states) != 1)}."
            if count
            else "There is no stale state to delete.",
            *found.lines(),
        ],
    }


def repair_node(session: Session, node: str, limit_s: float) -> Result:
    """Delete the stale inbound states of one node, and wait until it is healed.

    What is deleted is proven anew at this moment, whatever was found before.

    Args:
        session: The run.
        node: The node that kept the states.
        limit_s: How long the agent may take to make them anew, in seconds.

    Raises:
        RefusedError: If the node's states can no longer be deleted safely.
        RotationError: If a state could not be deleted.
    """
    found = _plan(session)
    states = found.states.get(node, ())
    if not states:
        reasons = [why for why in found.left if f"to {node} is stale" in why]
        if reasons:
            raise RefusedError(reasons)
        return {"changed": False, "deleted": [], "elapsed_s": 0.0}
    for state in states:
        session.between()
        session.tell(f"{node}: {' '.join(state.deletion)}")
        _delete(session, state)
    pace = Pace(limit_s, 2.0)
    start = pace.clock()
    result: Result = {"failed": False, "changed": True}
    try:
        wait_until(
            lambda: _look(session, states),
            pace,
            what=f"the agent on {node} to make its states anew",
            tell=session.tell,
            between=session.between,
        )
    except WaitLimitError as error:
        result["failed"] = True
        result["msg"] = (
            f"{error} The stale states are deleted, and the node's agent makes"
            " missing states anew with its next full synchronization. Look at the log"
            f" of the agent on {node}; a restart of it, or a rotation, makes them too."
        )
    return {
        **result,
        "deleted": [asdict(state) for state in states],
        "elapsed_s": round(pace.clock() - start, 1),
    }


def _plan(session: Session) -> Plan:
    assessment = persist(session.reader.assess, session.brief, what="the nodes")
    return plan(assessment.samples, assessment.diagnosis)


def _delete(session: Session, state: StaleState) -> None:
    ran = session.reader.run(state.deletion, state.node).get(state.node)
    if ran is None:
        raise RotationError(
            f"The agent's pod on {state.node} can't be entered any more. Run the"
            " playbook again: it goes on with what is left."
        )
    # Whoever deleted it first, its agent makes it anew.
    if ran.status and "No such process" not in ran.complaint:
        said = " ".join(ran.complaint.split())[:200] or f"exit status {ran.status}"
        raise RotationError(f"{state.node} could not delete a stale state: {said}.")


def _look(session: Session, states: tuple[StaleState, ...]) -> Look[None]:
    view = View(session.reader.assess().samples)
    missing = [
        f"{state.node} ({why})"
        for state in states
        if (why := _missing(view, state)) is not None
    ]
    return Look(None, tuple(missing))


def _missing(view: View, state: StaleState) -> str | None:
    ends = (state.source, state.destination, state.spi)
    tunnels = view.pairs.get((state.peer, state.node), ())
    tunnel = next((t for t in tunnels if t.ends == ends), None)
    if tunnel is None or tunnel.inbound is None:
        return f"no inbound state from {state.peer} yet"
    if judge(view, tunnel) is not None:
        return f"still stale from {state.peer}"
    before, after = tunnel.outbound, tunnel.outbound_after
    flows = before and after and after.oseq > before.oseq
    arrived = tunnel.inbound_after or tunnel.inbound
    if flows and not arrived.packets:
        return f"nothing has arrived from {state.peer}"
    return None
