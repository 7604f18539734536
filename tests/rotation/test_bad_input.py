"""The API misbehaves, or somebody else is at work meanwhile."""

import time

import pytest

from runbooks.lab.kubeapi import Fault
from runbooks.rotation import cluster, spread, steps
from runbooks.rotation.errors import RotationError, WaitLimitError
from runbooks.rotation.objects import Target
from runbooks.rotation.session import Session
from runbooks.rotation.waiting import Pace
from runbooks.xfrm.keys import parse_key
from tests.rotation.fleet import KEY_HEX, key_line

PASSING = [
    {"status": 429, "retry_after_s": 0},
    {"status": 500},
    {"status": 503},
    {"drop": True},
    {"page": True},
    {"delay_s": 0.05},
    {"hang": True},
]


def run(session):
    before = steps.preflight(session)
    record = steps.patch(session, before["key_id"], "me")
    results = [
        spread.propagate(session, record["to_key_id"], 5, 0.01),
        spread.reclaim(session, record["to_key_id"], 5, 0.01),
    ]
    steps.finish(session)
    return results


@pytest.mark.parametrize("fault", PASSING, ids=str)
@pytest.mark.parametrize(
    "resource",
    [
        "secrets",
        "configmaps",
        "nodes",
        "pods",
        "daemonsets.apps",
        "ciliumnodes.cilium.io",
    ],
)
def test_rotation_outlasts_a_server_in_trouble(
    session, fleet, fault, resource, monkeypatch
):
    monkeypatch.setattr(cluster, "READ_LIMIT_S", 0.1 if "hang" in fault else 20)
    struck = fleet.faults.add(Fault(resource=resource, times=2, **fault))
    assert not any(result["failed"] for result in run(session))
    # What only takes its time is not asked for again.
    assert struck.seen == 2 or "delay_s" in fault
    assert parse_key(fleet.secret_line).key_id == 4


def test_server_that_stays_away_has_a_sentence_and_one_key_at_most(api, fleet, reader):
    session = Session(api.connect(), reader, brief=Pace(0.05, 0.01))
    fleet.faults.add(Fault(drop=True))
    with pytest.raises(WaitLimitError, match=r"API server at https://127.0.0.1:\d+"):
        steps.patch(session, 3, "me")
    assert fleet.secret_line == key_line(3)


def test_server_that_hangs_for_ever_has_a_sentence(api, fleet, reader, monkeypatch):
    monkeypatch.setattr(cluster, "READ_LIMIT_S", 0.05)
    session = Session(api.connect(), reader, brief=Pace(0.1, 0.01))
    fleet.faults.add(Fault(hang=True))
    with pytest.raises(WaitLimitError, match="does not answer"):
        steps.preflight(session)
    assert fleet.secret_line == key_line(3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no kubeconfig at"),
        ("", "The kubeconfig can't be used: Invalid kube-config"),
        ("a: [", "The kubeconfig can't be used: while parsing"),
        ("clusters: 3", "The kubeconfig can't be used"),
        ("just words", "The kubeconfig can't be used"),
    ],
)
def test_wrong_kubeconfig_has_a_sentence(tmp_path, content, said):
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RotationError, match=said) as error:
        cluster.Cluster.connect(Target(kubeconfig=str(path)))
    assert "\n" not in str(error.value)


def test_context_that_is_not_there_is_named(api):
    target = Target(kubeconfig=str(api.kubeconfig), context="elsewhere")
    with pytest.raises(RotationError, match="elsewhere"):
        cluster.Cluster.connect(target)


def test_page_of_a_proxy_has_a_sentence_that_quotes_nothing(api, fleet, reader):
    session = Session(api.connect(), reader, brief=Pace(0.05, 0.01))
    fleet.faults.add(Fault(resource="secrets", page=True))
    with pytest.raises(WaitLimitError, match="none of Kubernetes") as error:
        steps.patch(session, 3, "me")
    assert "log in" not in str(error.value)


def test_server_lost_right_after_the_patch_leads_to_one_key(
    api, fleet, reader, session, monkeypatch
):
    hasty = Session(api.connect(), reader, brief=Pace(0.05, 0.01))
    patch = hasty.cluster.patch_key_secret

    def last_words(*arguments):
        patch(*arguments)
        fleet.faults.add(Fault(drop=True))

    monkeypatch.setattr(hasty.cluster, "patch_key_secret", last_words)
    with pytest.raises(RotationError, match=r"unclear.*Run the playbook again"):
        steps.patch(hasty, 3, "me")
    fleet.faults.clear()
    line = fleet.secret_line
    assert parse_key(line).key_id == 4
    run(session)
    assert fleet.secret_line == line


@pytest.mark.parametrize("step", [spread.propagate, spread.reclaim])
def test_secret_deleted_while_waiting_has_a_sentence(session, fleet, step):
    steps.patch(session, 3, "me")
    fleet.store.delete("secrets", "cilium-ipsec-keys", "kube-system")
    with pytest.raises(RotationError, match="was deleted while the nodes took up"):
        step(session, 4, 5, 0.01)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (key_line(5), "holds key ID 5 now, while this run waits for key ID 4"),
        ("nonsense", "is malformed now"),
    ],
)
def test_secret_changed_while_waiting_has_a_sentence(session, fleet, line, said):
    steps.patch(session, 3, "me")
    fleet.write_secret(line)
    with pytest.raises(RotationError, match=said) as error:
        spread.propagate(session, 4, 5, 0.01)
    assert KEY_HEX not in str(error.value)


def test_clock_that_jumps_does_not_end_a_wait(session, fleet, monkeypatch):
    fleet.nodes["node3"].delay_s = 0.05
    steps.patch(session, 3, "me")
    times = iter([10.0**10, 0.0] * 10**6)
    monkeypatch.setattr(time, "time", lambda: next(times))
    assert not spread.propagate(session, 4, 5, 0.01)["failed"]


def test_node_that_goes_down_midway_is_named(session, reader):
    steps.patch(session, 3, "me")
    reader.unread = {"node3": "node3: not read, its agent's pod is gone."}
    result = spread.propagate(session, 4, 0.05, 0.01)
    assert "node3: not read, its agent's pod is gone" in result["msg"]
