"""The store: verbs, versions, ownership and history."""

import base64
from datetime import UTC, datetime

import pytest

from runbooks.lab.kubeapi import PatchType, StatusError, Store
from runbooks.lab.kubeapi.objects import cilium_node_definition, namespace

from .conftest import POD

SECRET = ("secrets", "cilium-ipsec-keys")


def lease(name="lock", **spec):
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": spec,
    }


def refused(code, reason):
    return pytest.raises(
        StatusError, check=lambda e: (e.code, e.reason) == (code, reason)
    )


def test_an_object_is_created_with_what_the_server_gives():
    store = Store(now=lambda: datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC))
    meta = store.create(namespace("a"))["metadata"]
    assert meta["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert meta["resourceVersion"] == "1"
    assert meta["uid"]
    assert store.get("namespaces", "a")["status"] == {"phase": "Active"}


def test_names_are_generated_differently(store):
    generated = {"apiVersion": "v1", "kind": "ConfigMap"}
    names = {
        store.create(generated | {"metadata": {"generateName": "a-"}})["metadata"][
            "name"
        ]
        for _ in range(20)
    }
    assert len(names) == 20
    assert all(name.startswith("a-") for name in names)


def test_what_exists_cannot_be_created(store):
    with refused(409, "AlreadyExists") as caught:
        store.create(namespace("kube-system"))
    assert str(caught.value) == 'namespaces "kube-system" already exists'


def test_what_is_missing_is_named_as_kubernetes_names_it(store):
    with refused(404, "NotFound") as caught:
        store.get("leases.coordination.k8s.io", "x", "kube-system")
    assert str(caught.value) == 'leases.coordination.k8s.io "x" not found'
    assert caught.value.to_status()["details"] == {
        "name": "x",
        "group": "coordination.k8s.io",
        "kind": "leases",
    }


def test_objects_need_their_namespace(store):
    obj = lease()
    obj["metadata"]["namespace"] = "nowhere"
    with refused(404, "NotFound"):
        store.create(obj)


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "", "a" * 254])
def test_illegal_names_are_refused(store, name):
    with refused(422, "Invalid"):
        store.create(namespace(name))


def test_a_stale_version_is_a_conflict(store):
    old = store.get(*SECRET, "kube-system")
    store.patch(*SECRET, {"metadata": {"labels": {"a": "b"}}}, "kube-system")
    with refused(409, "Conflict") as caught:
        store.update(old)
    assert str(caught.value) == (
        'Operation cannot be fulfilled on secrets "cilium-ipsec-keys": the object has '
        "been modified; please apply your changes to the latest version and try again"
    )


@pytest.mark.parametrize("patch_type", [PatchType.MERGE, PatchType.STRATEGIC])
def test_a_patch_may_demand_a_version(store, patch_type):
    version = store.get(*SECRET, "kube-system")["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version, "labels": {"a": "b"}}}
    store.patch(*SECRET, patch, "kube-system", patch_type=patch_type)
    with refused(409, "Conflict"):
        store.patch(*SECRET, patch, "kube-system", patch_type=patch_type)


def test_an_update_by_another_uid_is_a_conflict(store):
    obj = store.get(*SECRET, "kube-system")
    obj["metadata"] |= {"uid": "another"}
    with refused(409, "Conflict"):
        store.update(obj)


def test_a_lease_is_only_updated_from_a_known_version(store):
    store.create(lease(holderIdentity="a"))
    with refused(422, "Invalid"):
        store.update(lease(holderIdentity="b"))


def test_every_change_has_a_version_of_its_own(store):
    versions = [int(pod["metadata"]["resourceVersion"]) for pod in store.list("pods")]
    patched = store.patch(
        "pods", POD, {"metadata": {"labels": {"a": "b"}}}, "kube-system"
    )
    assert int(patched["metadata"]["resourceVersion"]) > max(versions)


def test_a_write_that_changes_nothing_makes_no_version(store):
    before = store.version
    store.update(store.get(*SECRET, "kube-system"))
    store.patch("nodes", "node1", {})
    assert store.version == before


def test_generation_counts_changes_of_spec_only(store):
    def generation():
        found = store.get("daemonsets.apps", "cilium", "kube-system")
        return found["metadata"]["generation"]

    args = ("daemonsets.apps", "cilium")
    assert generation() == 1
    store.patch(*args, {"metadata": {"labels": {"a": "b"}}}, "kube-system")
    store.patch(*args, {"status": {"x": 1}}, "kube-system", subresource="status")
    assert generation() == 1
    store.patch(*args, {"spec": {"minReadySeconds": 3}}, "kube-system")
    assert generation() == 2


def test_status_is_written_through_its_subresource_only(store):
    args = ("pods", POD, {"status": {"phase": "Failed"}, "spec": {"priority": 1}})
    patched = store.patch(*args, "kube-system")
    assert (patched["status"]["phase"], patched["spec"]["priority"]) == ("Running", 1)
    args = ("pods", POD, {"status": {"phase": "Failed"}, "spec": {"priority": 2}})
    patched = store.patch(*args, "kube-system", subresource="status")
    assert (patched["status"]["phase"], patched["spec"]["priority"]) == ("Failed", 1)


def test_what_the_server_gave_cannot_be_changed(store):
    before = store.get("nodes", "node1")["metadata"]
    patch = {"metadata": {"creationTimestamp": "2000-01-01T00:00:00Z"}}
    after = store.patch("nodes", "node1", patch)["metadata"]
    assert after["creationTimestamp"] == before["creationTimestamp"]
    with refused(400, "BadRequest"):
        store.patch("nodes", "node1", {"metadata": {"name": "node9"}})


def test_a_dry_run_answers_and_changes_nothing(store):
    before = store.version
    assert store.create(lease(), dry_run=True)["metadata"]["uid"]
    patched = store.patch(
        "nodes", "node1", {"metadata": {"labels": {"a": "b"}}}, dry_run=True
    )
    assert patched["metadata"]["labels"]["a"] == "b"
    store.delete("nodes", "node1", dry_run=True)
    assert store.version == before
    assert "a" not in store.get("nodes", "node1")["metadata"]["labels"]


def test_callers_cannot_reach_into_the_store(store):
    store.get("nodes", "node1")["spec"]["podCIDR"] = "changed"
    store.list("nodes")[0]["spec"]["podCIDR"] = "changed"
    made = lease(holderIdentity="a")
    store.create(made)["spec"]["holderIdentity"] = "changed"
    made["spec"]["holderIdentity"] = "changed"
    assert store.get("nodes", "node1")["spec"]["podCIDR"] == "10.0.1.0/24"
    held = store.get("leases.coordination.k8s.io", "lock", "kube-system")
    assert held["spec"]["holderIdentity"] == "a"


def test_deleting_a_node_takes_its_cilium_node(store):
    store.delete("nodes", "node2")
    assert [n["metadata"]["name"] for n in store.list("ciliumnodes.cilium.io")] == [
        "node1"
    ]


def test_orphans_stay_if_asked_for(store):
    store.delete("nodes", "node2", orphan=True)
    assert len(store.list("ciliumnodes.cilium.io")) == 2


def test_a_deletion_may_demand_uid_and_version(store):
    meta = store.get("nodes", "node1")["metadata"]
    with refused(409, "Conflict"):
        store.delete("nodes", "node1", uid="another")
    with refused(409, "Conflict"):
        store.delete("nodes", "node1", resource_version="1")
    store.delete(
        "nodes", "node1", uid=meta["uid"], resource_version=meta["resourceVersion"]
    )


def test_a_namespace_takes_everything_in_it(store):
    store.delete("namespaces", "kube-system")
    assert store.list("pods") == []
    assert store.list("secrets") == []


def test_custom_resources_are_served_while_they_are_defined():
    store = Store()
    with refused(404, "NotFound"):
        store.list("ciliumnodes.cilium.io")
    definition = store.create(cilium_node_definition())
    assert {c["type"] for c in definition["status"]["conditions"]} >= {"Established"}
    obj = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {"name": "n"},
    }
    store.create(obj)
    store.delete(
        "customresourcedefinitions.apiextensions.k8s.io", "ciliumnodes.cilium.io"
    )
    with refused(404, "NotFound"):
        store.get("ciliumnodes.cilium.io", "n")


def test_custom_resources_know_no_strategic_patch(store):
    args = ("ciliumnodes.cilium.io", "node1", {"spec": {}})
    with refused(415, "UnsupportedMediaType"):
        store.patch(*args, patch_type=PatchType.STRATEGIC)


def test_server_side_apply_creates_and_changes(store):
    args = ("leases.coordination.k8s.io", "lock")
    for holder in ("a", "b"):
        spec = {"holderIdentity": holder}
        applied = store.patch(
            *args, lease(**spec), "kube-system", patch_type=PatchType.APPLY
        )
        assert applied["spec"] == spec


def test_text_of_a_secret_is_encoded(store):
    secret = store.get(*SECRET, "kube-system")
    secret["stringData"] = {"note": "plain"}
    updated = store.update(secret)
    assert base64.b64decode(updated["data"]["note"]) == b"plain"
    assert "stringData" not in updated


def test_a_malformed_secret_is_refused_without_quoting_it(store):
    patch = {"data": {"keys": "confidential!"}}
    with refused(400, "BadRequest") as caught:
        store.patch(*SECRET, patch, "kube-system")
    assert "confidential" not in str(caught.value.to_status())


def test_subscribers_hear_every_change_in_order(store):
    heard = []
    subscription = store.subscribe(heard.append)
    store.create(lease(holderIdentity="a"))
    store.patch(
        "leases.coordination.k8s.io",
        "lock",
        {"spec": {"holderIdentity": "b"}},
        "kube-system",
    )
    store.delete("leases.coordination.k8s.io", "lock", "kube-system")
    subscription.close()
    store.create(lease())
    assert [event.type for event in heard] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in heard]
    assert versions == [event.version for event in heard] == sorted(set(versions))
    assert heard[1].previous["spec"] == {"holderIdentity": "a"}


def test_a_subscription_can_begin_in_the_past(store):
    since = store.version
    store.create(lease("a"))
    heard = []
    store.subscribe(heard.append, since=since)
    store.create(lease("b"))
    assert [event.object["metadata"]["name"] for event in heard] == ["a", "b"]


def test_what_history_has_forgotten_is_gone(store):
    since = store.version
    store.create(lease("a"))
    store.compact()
    with refused(410, "Expired"):
        store.subscribe(print, since=since)


def test_history_is_bounded():
    store = Store(history_limit=2)
    for name in "abcd":
        store.create(namespace(name))
    heard = []
    store.subscribe(heard.append, since=2)
    assert [event.object["metadata"]["name"] for event in heard] == ["c", "d"]
    with refused(410, "Expired"):
        store.subscribe(print, since=1)


def test_an_object_leaves_a_watch_when_it_is_no_longer_selected(store):
    heard = []
    store.subscribe(heard.append)
    for value in ("a", "b", "a"):
        store.patch("nodes", "node1", {"metadata": {"labels": {"x": value}}})

    def selects(obj):
        return obj["metadata"].get("labels", {}).get("x") == "a"

    seen = [event.seen_through(selects) for event in heard]
    assert [event.type for event in seen] == ["ADDED", "DELETED", "ADDED"]
    assert heard[1].seen_through(lambda _: False) is None
