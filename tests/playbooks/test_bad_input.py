"""Agents, nodes and exec misbehave; the kernels are read as in a real cluster."""

import pytest
import yaml

from runbooks.collect import exec_socket
from runbooks.lab.kubeapi import Fault
from runbooks.rotation import spread, steps
from runbooks.rotation.errors import RefusedError
from runbooks.rotation.objects import Target
from runbooks.rotation.reader import KernelReader
from runbooks.rotation.session import Session
from runbooks.rotation.waiting import Pace
from runbooks.xfrm.keys import parse_key
from tests.playbooks.conftest import PLAYBOOKS
from tests.playbooks.test_interruption import WAITING

NODE3 = {"name": "cilium-aaaa3", "subresource": "exec"}


@pytest.fixture
def session(api):
    target = Target(kubeconfig=str(api.kubeconfig))
    return Session(
        api.connect(), KernelReader(target, 0.01), brief=Pace(5.0, interval_s=0.01)
    )


def propagate(session, limit_s):
    return spread.propagate(session, 4, limit_s, 0.01)


def loop_crashing(fleet, number):
    """Have an agent's container crash again and again."""
    pod = fleet.pod(number)
    (container,) = pod["status"]["containerStatuses"]
    container["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    fleet.store.update(pod, subresource="status")


def test_agent_that_crash_loops_while_the_key_spreads_is_named(session, fleet):
    steps.patch(session, 3, "me")
    loop_crashing(fleet, 3)
    result = propagate(session, 0.1)
    assert result["failed"]
    assert (
        "node3: not read, its container is waiting (CrashLoopBackOff)"
        in (result["msg"])
    )
    assert set(result["nodes_done_at"]) == {"node1", "node2"}
    assert "run the playbook again" in result["msg"]


def test_agent_that_crash_loops_before_the_rotation_is_a_reason_against_it(
    session, fleet
):
    loop_crashing(fleet, 3)
    with pytest.raises(RefusedError, match=r"node3.*CrashLoopBackOff"):
        steps.preflight(session)
    assert parse_key(fleet.secret_line).key_id == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 500}, "its agent's pod can't be entered: 500"),
        ({"drop": True}, "the connection to its agent broke"),
        ({"hang": True}, "no answer within 0.3 s from its agent"),
    ],
    ids=["unreachable", "dropped", "silent"],
)
def test_node_that_goes_down_while_the_key_spreads_is_named(
    session, fleet, fault, said, monkeypatch
):
    monkeypatch.setattr(exec_socket, "HANDSHAKE_LIMIT_S", 0.3)
    steps.patch(session, 3, "me")
    line = fleet.secret_line
    fleet.faults.add(Fault(**NODE3, **fault))
    result = propagate(session, 0.1)
    assert result["failed"]
    assert f"node3: not read, {said}" in result["msg"]
    assert set(result["nodes_done_at"]) == {"node1", "node2"}

    fleet.faults.clear()
    assert steps.preflight(session)["resumes"]
    assert not steps.patch(session, 3, "me")["changed"]
    assert not propagate(session, 5)["failed"]
    assert fleet.secret_line == line


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_agents_that_are_refused_for_a_moment_are_waited_for(session, fleet, status):
    steps.patch(session, 3, "me")
    struck = fleet.faults.add(Fault(subresource="exec", status=status, times=4))
    assert not propagate(session, 10)["failed"]
    assert struck.seen == 4


def test_secret_deleted_under_a_run_ends_it_with_what_to_do(playbooks, fleet):
    fleet.nodes["node2"].stuck = True
    run = playbooks.start("rotate-ipsec-key.yml")
    run.wait_for(WAITING)
    fleet.store.delete("secrets", "cilium-ipsec-keys", "kube-system")
    ended = run.finish()
    assert ended.status == 2, ended.out
    said = " ".join(ended.out.split())
    assert "was deleted while the nodes took up its key" in said
    assert "bring the Secret back from a copy" in said
    lease = fleet.store.get(
        "leases.coordination.k8s.io", "cilium-ipsec-rotation", "kube-system"
    )
    assert not lease["spec"].get("holderIdentity")


def test_modules_of_other_collections_have_a_limit():
    """They would hang for ever with an API server that never answers."""
    tasks = [
        task
        for path in (PLAYBOOKS / "roles").glob("*/tasks/*.yml")
        for task in yaml.safe_load(path.read_text())
        if any(name.startswith("kubernetes.core.") for name in task)
    ]
    assert tasks
    assert all(0 < task["timeout"] <= 30 for task in tasks)
