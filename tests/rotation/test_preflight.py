import dataclasses
import json

import pytest

from runbooks.collect.agent_exec import Ran
from runbooks.lab.kubeapi import service_account
from runbooks.rotation import known_bugs, steps
from runbooks.rotation.cluster import Cluster
from runbooks.rotation.errors import RefusedError, RotationError
from runbooks.rotation.objects import Target
from runbooks.rotation.session import Session
from runbooks.rotation.waiting import Pace
from tests.rotation.fleet import VERSION, key_line


def refusal(session):
    with pytest.raises(RefusedError) as error:
        steps.preflight(session)
    return str(error.value)


def test_healthy_cluster_can_take_a_rotation(session):
    result = steps.preflight(session)
    assert (result["key_id"], result["next_key_id"]) == (3, 4)
    assert result["nodes"] == ["node1", "node2", "node3"]
    assert result["version"] == VERSION
    assert result["resumes"] is None
    assert result["summary"][0].startswith("Ready to go from key ID 3 to 4")


def test_preflight_changes_nothing(session, fleet):
    version = fleet.store.version
    steps.preflight(session)
    assert fleet.store.version == version


def test_agent_that_is_not_ready_is_named(session, fleet):
    pod = fleet.pod(2)
    for condition in pod["status"]["conditions"]:
        condition["status"] = "False"
    fleet.store.update(pod, subresource="status")
    said = refusal(session)
    assert "The agent on node2 is not ready: pod cilium-aaaa2" in said


def test_crash_looping_agent_says_so(session, fleet):
    pod = fleet.pod(2)
    for condition in pod["status"]["conditions"]:
        condition["status"] = "False"
    pod["status"]["containerStatuses"][0]["state"] = {
        "waiting": {"reason": "CrashLoopBackOff"}
    }
    fleet.store.update(pod, subresource="status")
    assert "pod cilium-aaaa2 is CrashLoopBackOff" in refusal(session)


def test_node_without_an_agent_is_named(session, fleet):
    fleet.store.delete("pods", "cilium-aaaa3", "kube-system")
    assert "No agent runs on node3" in refusal(session)


def test_node_that_no_agent_is_for_does_not_matter(session, fleet):
    fleet.store.create(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "win1", "labels": {"kubernetes.io/os": "windows"}},
        }
    )
    steps.preflight(session)


def test_upgrade_under_way_is_refused(session, fleet):
    daemonset = fleet.store.get("daemonsets.apps", "cilium", "kube-system")
    daemonset["status"]["updatedNumberScheduled"] = 1
    fleet.store.update(daemonset, subresource="status")
    assert "has not rolled out on 2 of 3 nodes" in refusal(session)


def test_differing_versions_are_named_with_their_nodes(session, reader):
    whole = reader.states

    def mixed():
        snapshot = whole()
        nodes = dict(snapshot.nodes)
        nodes["node2"] = _with_version(nodes["node2"], "v1.17.4")
        return _with_nodes(snapshot, nodes)

    reader.states = mixed
    said = refusal(session)
    assert "v1.18.0 on node1, node3" in said
    assert "v1.17.4 on node2" in said


def _with_version(node, version):
    agent = dataclasses.replace(node.agent, version=version)
    return dataclasses.replace(node, agent=agent)


def _with_nodes(snapshot, nodes):
    return dataclasses.replace(snapshot, nodes=nodes)


def test_node_that_cannot_be_read_is_named(session, reader):
    reader.unread = {"node2": "exec was refused"}
    assert "node2 could not be read: exec was refused" in refusal(session)


def test_rotation_by_other_means_is_refused(session, fleet):
    for node in fleet.nodes.values():
        node.spis = {3: 10.0**9, 4: None}
    fleet.write_secret(key_line(4))
    said = refusal(session)
    assert "A rotation that this playbook did not start is under way" in said
    assert "node1: 3+4" in said


def test_nodes_on_different_spis_are_named(session, fleet):
    fleet.nodes["node2"].spis = {2: None}
    fleet.nodes["node2"].stuck = True
    said = refusal(session)
    assert "The nodes use different SPIs (node1: 3, node2: 2, node3: 3)" in said


def test_secret_that_no_node_took_up_is_refused(session, fleet):
    for node in fleet.nodes.values():
        node.stuck = True
    fleet.write_secret(key_line(5))
    assert "holds key ID 5, but every node uses SPI 3" in refusal(session)


def test_ipsec_that_is_off_is_refused(session, fleet):
    fleet.configure(enable_ipsec="false")
    assert "IPsec is off" in refusal(session)


def test_key_watcher_that_is_off_is_refused(session, fleet):
    fleet.configure(enable_ipsec_key_watcher="false")
    said = refusal(session)
    assert "do not watch the key file" in said
    assert "rotation_restart_agents: true" in said


@pytest.fixture
def stores(fleet, reader):
    """A fleet in key-value store mode, and what its agents say of the store."""
    fleet.configure(identity_allocation_mode="kvstore")

    def say(node, state, message):
        status = {"kvstore": {"state": state, "msg": message}}
        reader.answers[node] = Ran(0, json.dumps(status))

    return say


def test_agent_cut_off_from_its_key_value_store_is_named(session, stores):
    stores("node1", "Ok", "etcd: 1/1 connected, has-quorum=true")
    stores("node2", "Failure", "etcd: 0/1 connected,\n has-quorum=false")
    said = refusal(session)
    assert "The agent on node2 is cut off from its key-value store" in said
    assert "(Failure: etcd: 0/1 connected, has-quorum=false)" in said
    assert "node1" not in said


def test_answer_about_the_store_that_says_nothing_does_not_refuse(
    session, reader, stores
):
    stores("node1", "Disabled", "")
    reader.answers["node2"] = Ran(1, "", "connection refused")
    reader.answers["node3"] = Ran(0, "[]")
    steps.preflight(session)


def test_agents_are_asked_for_a_store_only_where_there_is_one(session, reader):
    steps.preflight(session)
    assert reader.ran == []


def test_known_bug_of_the_agents_version_is_told(session):
    assert any("#44335" in line for line in steps.preflight(session)["summary"])


def test_known_bug_refuses_a_large_cluster_unless_it_is_named(session, monkeypatch):
    monkeypatch.setattr(known_bugs, "LARGE_CLUSTER_NODES", 3)
    monkeypatch.setattr(known_bugs, "LAST_KNOWN_AFFECTED", (1, 19))
    assert "cilium/cilium #42721" in refusal(session)
    names = [bug.name for bug in known_bugs.KNOWN_BUGS]
    steps.preflight(session, accepted_bugs=names)


def test_rotation_duration_that_is_none_is_refused(session, fleet):
    fleet.configure(ipsec_key_rotation_duration="soon")
    assert "'soon' is not a duration" in refusal(session)


def test_every_reason_is_given_at_once(session, fleet):
    fleet.store.delete("pods", "cilium-aaaa3", "kube-system")
    fleet.configure(enable_ipsec_key_watcher="false")
    with pytest.raises(RefusedError) as error:
        steps.preflight(session)
    assert len(error.value.reasons) == 2


def test_interrupted_rotation_is_gone_on_with(session):
    steps.patch(session, 3, "me")
    result = steps.preflight(session)
    assert (result["key_id"], result["next_key_id"]) == (3, 4)
    assert result["resumes"]["started_by"] == "me"
    assert "was interrupted. This run goes on with it" in result["summary"][0]


def test_interrupted_rotation_with_lagging_nodes_is_gone_on_with(session, fleet):
    fleet.nodes["node2"].stuck = True
    steps.patch(session, 3, "me")
    assert steps.preflight(session)["resumes"]


def test_key_changed_after_an_interruption_voids_the_record(session, fleet):
    steps.patch(session, 3, "me")
    fleet.states("node1")
    fleet.write_secret(fleet.secret_line.replace("4+", "9+"))
    for node in fleet.nodes.values():
        node.stuck = True
    assert "holds key ID 9, but every node uses SPI 4" in refusal(session)


def test_wrong_kubeconfig_has_its_sentence(tmp_path):
    with pytest.raises(RotationError, match="no kubeconfig at /no/where"):
        Cluster.connect(Target(kubeconfig="/no/where"))
    empty = tmp_path / "empty"
    empty.write_text("{}")
    with pytest.raises(RotationError, match="The kubeconfig can't be used"):
        Cluster.connect(Target(kubeconfig=str(empty)))


def test_lacking_right_is_named_with_verb_and_resource(api, reader):
    path = api.token_kubeconfig(service_account("kube-system", "nobody"))
    cluster = Cluster.connect(Target(kubeconfig=str(path)))
    nobody = Session(cluster, reader, brief=Pace(2, 0.01))
    with pytest.raises(RotationError, match=r"lacks the right to get on secrets.*403"):
        steps.preflight(nobody)


def test_key_of_another_length_than_the_nodes_use_is_refused(
    session, fleet, monkeypatch
):
    used = {name: fleet.states(name) for name in fleet.nodes}
    monkeypatch.setattr(fleet, "states", used.get)
    longer = key_line(3).replace("01234567 128", "0123456789abcdef01234567 128")
    fleet.write_secret(longer)
    said = refusal(session)
    assert "The Secret holds a key of 224 bits, and the nodes use 160 bits" in said
    assert "(node1, node2, node3)" in said
